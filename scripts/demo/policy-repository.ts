/** A policy author's clone: plain git, plain files. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runGit } from '../../platform/git';

const identity = {
  GIT_AUTHOR_NAME: 'Ana',
  GIT_AUTHOR_EMAIL: 'ana@acme.example',
  GIT_COMMITTER_NAME: 'Ana',
  GIT_COMMITTER_EMAIL: 'ana@acme.example',
};

export interface Edit {
  readonly file: string;
  /** Text that stands there exactly once, and what replaces it; or the whole new file. */
  readonly replace?: readonly [from: string, to: string];
  readonly whole?: string;
}
export interface PolicyRepository {
  readonly directory: string;
  /** Edits, commits and pushes; gives the commit's id. */
  push(message: string, edits: readonly Edit[]): Promise<string>;
  /** Reverts the last commit and pushes that; gives the new commit's id. */
  revert(message: string): Promise<string>;
  read(file: string): Promise<string>;
  /** The last commit's id. */
  head(): Promise<string>;
}

/** @param git the program. @param source a folder that holds `policies/` and its `package.json`. */
export async function seedPolicyRepository(git: string, source: string, directory: string, remote: string): Promise<PolicyRepository> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const call = async (...args: string[]): Promise<string> => (await runGit(args, { git, cwd: directory, env: identity })).trim();
  await cp(join(source, 'policies'), join(directory, 'policies'), { recursive: true });
  const imports = (JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as { imports?: unknown }).imports;
  await writeFile(join(directory, 'package.json'), `${JSON.stringify({ name: 'acme-mesh', private: true, imports }, null, 2)}\n`);
  await call('init', '-q');
  await call('checkout', '-q', '-b', 'main');
  await call('remote', 'add', 'origin', remote);

  const commit = async (message: string): Promise<string> => {
    await call('add', '-A');
    await call('commit', '-q', '-m', message);
    await call('push', '-q', 'origin', 'main');
    return call('rev-parse', 'HEAD');
  };
  const read = (file: string): Promise<string> => readFile(join(directory, file), 'utf8');
  const repository: PolicyRepository = {
    directory,
    read,
    head: () => call('rev-parse', 'HEAD'),
    async push(message, edits) {
      for (const edit of edits) {
        const path = join(directory, edit.file);
        if (edit.whole !== undefined) {
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, edit.whole);
        }
        if (edit.replace) {
          const [from, to] = edit.replace;
          const before = await read(edit.file);
          const count = before.split(from).length - 1;
          if (count !== 1) throw new Error(`the text to replace stands ${count} times in ${edit.file}: ${from}`);
          await writeFile(
            path,
            before.replace(from, () => to),
          );
        }
      }
      return commit(message);
    },
    async revert(message) {
      await call('revert', '--no-edit', '--no-commit', 'HEAD');
      return commit(message);
    },
  };
  await rm(join(directory, 'policies', 'node_modules'), { recursive: true, force: true });
  await commit('the mesh');
  return repository;
}
