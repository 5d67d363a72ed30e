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
    const { own, gitdir } = gitdirsOf(top);
    const ref = name === 'HEAD' ? headIn(own) : name;
    let oid = await git.resolveRef({ fs, gitdir, ref }).catch(() => git.expandOid({ fs, gitdir, oid: ref }));
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

/** Where a work tree has its own HEAD, and where everything else lies. One added by `git worktree` has a file that names the first; its objects and branches are in the common folder. */
function gitdirsOf(top: string): { readonly own: string; readonly gitdir: string } {
  const dot = path.join(top, '.git');
  if (fs.statSync(dot).isDirectory()) return { own: dot, gitdir: dot };
  const named = /^gitdir: (.*)$/m.exec(fs.readFileSync(dot, 'utf8'))?.[1] ?? dot;
  const own = path.resolve(top, named);
  const common = path.join(own, 'commondir');
  return { own, gitdir: fs.existsSync(common) ? path.resolve(own, fs.readFileSync(common, 'utf8').trim()) : own };
}

/** The branch that is checked out, or the commit where none is. */
function headIn(own: string): string {
  return fs
    .readFileSync(path.join(own, 'HEAD'), 'utf8')
    .trim()
    .replace(/^ref: /, '');
}
