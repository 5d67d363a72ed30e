import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompilerDied, startCompiler, type CompilerProcess } from './compiler';
import type { CompileRequest } from './protocol';

let dir = '';
let compiler: CompilerProcess | null = null;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-compiler-'));
  // Does as the commit says, as a compiler would that meets a commit which kills it.
  await writeFile(
    join(dir, 'child.js'),
    `process.on('message', (request) => {
       if (request.commit === 'dies') process.exit(7);
       if (request.commit === 'hangs') return;
       if (request.commit === 'is killed') process.kill(process.pid, 'SIGKILL');
       if (request.commit === 'throws') return void process.send({ error: 'a bug' });
       process.send({ value: request.kind === 'warm' ? null : { pid: process.pid, map: new Map([['commit', request.commit]]) } });
     });`,
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => compiler?.close());

const request = (commit: string): CompileRequest => ({
  kind: 'compile',
  gitdir: '',
  commit,
  dir: '',
  environment: '',
  asOf: '',
  cacheDir: null,
});

/** The answer to a good request. On a busy machine a process may not even begin within a short limit; the one after it does. */
async function answerOf(from: CompilerProcess): Promise<unknown> {
  for (;;)
    try {
      return await from.ask(request('fine'));
    } catch (error) {
      if (!String(error).includes('no answer within')) throw error;
    }
}

test.each([
  ['dies', 'exit code 7'],
  ['hangs', 'no answer within'],
  ['is killed', 'signal SIGKILL'],
  ['throws', 'a bug'],
])('a compiler that %s fails its request, and the next one is answered', async (commit, reason) => {
  compiler = startCompiler({ program: join(dir, 'child.js'), timeoutMs: commit === 'hangs' ? 1_500 : 600_000, memoryMb: 64 });
  const [failed, after] = await Promise.allSettled([compiler.ask(request(commit)), answerOf(compiler)]);
  expect(failed).toMatchObject({ status: 'rejected', reason: expect.any(CompilerDied) });
  expect(failed.status === 'rejected' && String(failed.reason)).toMatch(reason);
  expect(after).toMatchObject({ status: 'fulfilled', value: { map: new Map([['commit', 'fine']]) } });
});

test('one process answers all, in order, and close ends it', async () => {
  compiler = startCompiler({ program: join(dir, 'child.js'), timeoutMs: 600_000, memoryMb: 64 });
  const answers = (await Promise.all(['a', 'b', 'c'].map((commit) => compiler?.ask(request(commit))))) as unknown as {
    pid: number;
    map: Map<string, string>;
  }[];
  expect(answers.map((answer) => answer.map.get('commit'))).toEqual(['a', 'b', 'c']);
  expect(new Set(answers.map((answer) => answer.pid)).size).toBe(1);
  await compiler.close();
  expect(() => process.kill(answers[0]?.pid ?? 0, 0)).toThrow('ESRCH');
  await expect(compiler.ask(request('late'))).rejects.toThrow(CompilerDied);
});
