/** Commits by the names people use, from the repository's own files: no git program is needed. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import git from 'isomorphic-git';

export interface Revision {
  readonly oid: string;
  readonly gitdir: string;
  /** The repository's top folder. */
  readonly top: string;
}

/** A branch, tag, (short) id or `HEAD`, with `~N`; null where there is no such commit, or no repository. */
export async function expandRevision(cwd: string, revision: string): Promise<Revision | null> {
  const [, name = '', steps = '0'] = /^(.*?)(?:~(\d+)|\^)?$/.exec(revision) ?? [];
  const back = revision.endsWith('^') ? 1 : Number(steps);
  try {
    const top = await git.findRoot({ fs, filepath: cwd });
    const gitdir = gitdirOf(top);
    let oid = await git.resolveRef({ fs, gitdir, ref: name }).catch(() => git.expandOid({ fs, gitdir, oid: name }));
    for (let step = 0; step < back; step += 1) {
      const parent: string | undefined = (await git.readCommit({ fs, gitdir, oid })).commit.parent[0];
      if (parent === undefined) return null;
      oid = parent;
    }
    return { oid: (await git.readCommit({ fs, gitdir, oid })).oid, gitdir, top };
  } catch {
    return null;
  }
}

/** The top of the repository that holds a folder; null where there is none. */
export async function repositoryAbove(cwd: string): Promise<string | null> {
  try {
    return await git.findRoot({ fs, filepath: cwd });
  } catch (error) {
    if (error instanceof git.Errors.NotFoundError) return null;
    throw error;
  }
}

/** A work tree added by `git worktree` has a file that names the folder; its objects are in the common one. */
function gitdirOf(top: string): string {
  const dot = path.join(top, '.git');
  if (fs.statSync(dot).isDirectory()) return dot;
  const named = /^gitdir: (.*)$/m.exec(fs.readFileSync(dot, 'utf8'))?.[1] ?? dot;
  const own = path.resolve(top, named);
  const common = path.join(own, 'commondir');
  return fs.existsSync(common) ? path.resolve(own, fs.readFileSync(common, 'utf8').trim()) : own;
}
