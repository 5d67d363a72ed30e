import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runGit } from '../../platform/git';
import { startGitServer as start, type GitServer, type GitServerOptions } from '../../platform/git-server';

export { startGitServer } from '../../platform/git-server';

/** A working copy that commits and pushes with plain git. */
export interface WorkingCopy {
  readonly dir: string;
  /** Writes the files (null removes one), commits and pushes; answers the commit's id. */
  push(files: { readonly [path: string]: string | null }, options?: PushOptions): Promise<string>;
  git(...args: string[]): Promise<string>;
}
export interface PushOptions {
  readonly message?: string;
  readonly branch?: string;
  readonly force?: boolean;
  readonly env?: { readonly [name: string]: string };
}

/** A server with an empty repository in a temporary folder, and a working copy of it. `close` removes everything. */
export async function startRepository(
  options: Partial<GitServerOptions> = {},
): Promise<{ server: GitServer; work: WorkingCopy; close(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'meshwright-git-'));
  const server = await start({ dir, ...options });
  const work = join(dir, 'work');
  const url = new URL(server.url);
  if (options.auth?.password) {
    url.username = options.auth.user ?? 'git';
    url.password = options.auth.password;
  }
  await runGit(['init', '--quiet', '--initial-branch=main', work]);
  await runGit(['remote', 'add', 'origin', url.href], { cwd: work });
  const git = (...args: string[]): Promise<string> => runGit(args, { cwd: work });
  return {
    server,
    work: {
      dir: work,
      git,
      push: async (files, how = {}) => {
        for (const [path, text] of Object.entries(files)) {
          if (text === null) await rm(join(work, path));
          else {
            await mkdir(dirname(join(work, path)), { recursive: true });
            await writeFile(join(work, path), text);
          }
        }
        await git('add', '--all');
        await runGit(['commit', '--quiet', '--allow-empty', '-m', how.message ?? 'change'], {
          cwd: work,
          ...(how.env ? { env: how.env } : {}),
        });
        await git('push', '--quiet', ...(how.force ? ['--force'] : []), 'origin', `HEAD:${how.branch ?? 'main'}`);
        return (await git('rev-parse', 'HEAD')).trim();
      },
    },
    close: async () => {
      await server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
