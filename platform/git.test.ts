import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkGit, gitEnvironment, GitError, runGit } from './git';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-git-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function program(name: string, script: string): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

test('the git of this machine serves, an old one, a broken one and none do not, each with one line', async () => {
  expect(await checkGit()).toMatchObject({ value: { version: expect.stringMatching(/^\d+\.\d+/) }, diagnostics: [] });
  const said = async (git: string): Promise<string[]> => (await checkGit(git)).diagnostics.map((one) => `${one.code} ${one.message}`);
  expect(await said(await program('old', 'echo git version 2.25.1'))).toEqual(['MW7161 git 2.25.1 is too old: 2.31.0 or newer is needed']);
  expect(await said(await program('newer', 'echo git version 10.0.0'))).toEqual([]);
  expect(await said(join(dir, 'none'))).toEqual([expect.stringMatching(/^MW7160 .*it is not on PATH$/)]);
  expect(await said(await program('mute', 'true'))).toEqual([expect.stringMatching(/^MW7160 /)]);
  const bare = await program(
    'bare',
    `[ "$1" = --version ] && { echo git version 2.39.5; exit 0; }; echo "git: 'http-backend' is not a git command." >&2; exit 1`,
  );
  expect(await said(bare)).toEqual([expect.stringMatching(/^MW7160 .*without its HTTP server$/)]);
});

test('nothing of the user reaches git, and its words reach the error', async () => {
  const before = process.env['GIT_DIR'];
  process.env['GIT_DIR'] = '/somewhere/else';
  try {
    expect(gitEnvironment()).not.toHaveProperty('GIT_DIR');
    expect(gitEnvironment({ GIT_PROTOCOL: 'version=2' })).toMatchObject({ GIT_CONFIG_GLOBAL: '/dev/null', GIT_PROTOCOL: 'version=2' });
    await expect(runGit(['rev-parse', 'HEAD'], { cwd: dir })).rejects.toThrow(GitError);
    await expect(runGit(['rev-parse', 'HEAD'], { cwd: dir })).rejects.toThrow(/not a git repository/);
  } finally {
    if (before === undefined) delete process.env['GIT_DIR'];
    else process.env['GIT_DIR'] = before;
  }
});
