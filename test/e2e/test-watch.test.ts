/** `meshwright test --watch` as somebody uses it: the built program, files that change below it, and Ctrl-C. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { starter } from '../../cli/starter';
import { temporaryFolder } from '../../platform/files';

const program = path.resolve(__dirname, '..', '..', 'bin', 'meshwright.js');
jest.setTimeout(600_000);

let folder: string;
let running: ChildProcess | undefined;
beforeEach(async () => {
  folder = await temporaryFolder('test-watch');
  for (const [name, text] of starter()) {
    await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await fs.writeFile(path.join(folder, name), text);
  }
});
afterEach(async () => {
  running?.kill('SIGKILL');
  await fs.rm(folder, { recursive: true, force: true });
});

interface Watching {
  /** What is printed from now on until a line matches. */
  until(line: RegExp): Promise<string>;
  /** Interrupts and gives the exit code. */
  interrupt(): Promise<number | null>;
}
function watching(...args: readonly string[]): Watching {
  const child = spawn(process.execPath, [program, 'test', '--watch', ...args], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  let unread = '';
  let look: () => void = () => undefined;
  const collect = (chunk: Buffer): void => {
    unread += chunk.toString('utf8');
    look();
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    until: (line) =>
      new Promise((resolve, reject) => {
        look = () => {
          const found = line.exec(unread);
          if (!found) return;
          const end = found.index + found[0].length;
          const text = unread.slice(0, end);
          unread = unread.slice(end);
          look = () => undefined;
          resolve(text);
        };
        void ended.then((code) => reject(new Error(`it ended with ${code} and said: ${unread}`)));
        look();
      }),
    async interrupt() {
      child.kill('SIGINT');
      return ended;
    },
  };
}
const edit = async (file: string, from: string, to: string): Promise<void> => {
  const name = path.join(folder, 'policies', file);
  const text = await fs.readFile(name, 'utf8');
  expect(text).toContain(from);
  await put(file, text.replace(from, to));
};
/** In one step: a file that is cut first and written then is two changes on a busy machine, each with a run of its own. */
const put = async (file: string, text: string): Promise<void> => {
  const beside = path.join(folder, 'written');
  await fs.writeFile(beside, text);
  await fs.rename(beside, path.join(folder, 'policies', file));
};
const again = /waiting for a change[^\n]*\n/;
const tests = 'shop/access.policy.test.ts';

it('runs what a change asks for, keeps the last good mesh, and ends at an interrupt', async () => {
  const report = path.join(folder, 'junit.xml');
  const watch = watching('--junit', report);
  expect(await watch.until(again)).toMatch(/2 passed, 0 failed/);

  // A test alone: it fails with the question and the line that decided.
  await edit(tests, 'toBeAllowedBy(webReadsCarts)', 'toBeDenied()');
  const failed = await watch.until(again);
  expect(failed).toMatch(/FAIL the web front reads carts/);
  expect(failed).toMatch(/access\.policy\.test\.ts:6:\d+ {2}expected it to be denied, and it is allowed/);
  expect(failed).toMatch(/asked {5}GET \/cart\/7 from shop\/web to shop\/cart\.http/);
  expect(failed).toMatch(/by {8}shop\/webReadsCarts {2}policies\/shop\/access\.policy\.ts:4:\d+/);
  expect(failed).toMatch(/1 passed, 1 failed/);
  expect(await fs.readFile(report, 'utf8')).toContain('failures="1"');
  await edit(tests, 'toBeDenied()', 'toBeAllowedBy(webReadsCarts)');
  expect(await watch.until(again)).toMatch(/2 passed, 0 failed/);

  // Another test file: only its tests are told.
  await put(
    'shop/more.policy.test.ts',
    "import { expect, test } from 'meshwright/testing';\ntest('one more', () => expect(1).toEqual(1));\n",
  );
  const more = await watch.until(again);
  expect(more).toMatch(/ok {3}one more/);
  expect(more).not.toMatch(/nobody else reaches carts/);
  expect(more).toMatch(/3 passed, 0 failed/);

  // A policy that does not compile: it is said where, and the last good mesh is still asked.
  await edit('shop/access.policy.ts', 'cart.ports.http.allow', 'cart.ports.htpt.allow');
  const broken = await watch.until(again);
  expect(broken).toMatch(/access\.policy\.ts:4:\d+ +error MW1102/);
  expect(broken).toMatch(/do not compile: below, the tests against them as they last did/);
  expect(broken).toMatch(/3 passed, 0 failed/);
  await edit('shop/more.policy.test.ts', 'expect(1)', 'expect(2)');
  const stale = await watch.until(again);
  expect(stale).toMatch(/FAIL one more/);
  expect(stale).toMatch(/2 passed, 1 failed/);

  // Repaired, with a test that the change breaks: a policy's change runs everything.
  await edit('shop/more.policy.test.ts', 'expect(2)', 'expect(1)');
  await watch.until(again);
  await edit('shop/access.policy.ts', 'cart.ports.htpt.allow', 'cart.ports.http.allow');
  expect(await watch.until(again)).toMatch(/3 passed, 0 failed/);
  await fs.rm(path.join(folder, 'policies/shop/more.policy.test.ts'));
  expect(await watch.until(again)).toMatch(/2 passed, 0 failed/);

  expect(await watch.interrupt()).toBe(0);
});

it('survives a loop without end and says which test it was', async () => {
  const watch = watching();
  await watch.until(again);
  await edit(tests, "test('nobody else", "test('endless', () => {\n  for (;;) {}\n});\ntest('nobody else");
  const endless = await watch.until(again);
  expect(endless).toMatch(/error MW2001/);
  expect(endless).toMatch(/FAIL endless/);
  expect(endless).toMatch(/left nobody else reaches carts/);
  // Emptied, it has no results any more, those of the run that did not end neither.
  const text = await fs.readFile(path.join(folder, 'policies', tests), 'utf8');
  await put(tests, '');
  expect(await watch.until(again)).not.toMatch(/FAIL endless/);
  await put(tests, text.replace('  for (;;) {}\n', ''));
  expect(await watch.until(again)).toMatch(/3 passed, 0 failed/);
  expect(await watch.interrupt()).toBe(0);
});

it('waits for a mesh where there is none yet', async () => {
  await edit('mesh.policy.ts', 'defineMesh({', 'defineMesh(');
  const watch = watching();
  expect(await watch.until(again)).toMatch(/no test was run: /);
  await edit('mesh.policy.ts', 'defineMesh(', 'defineMesh({');
  expect(await watch.until(again)).toMatch(/2 passed, 0 failed/);
  expect(await watch.interrupt()).toBe(0);
});
