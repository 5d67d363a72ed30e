/** The story of `npm run demo`, as a user starts it: every step checks itself, and this suite asks for all of them. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

interface Document {
  readonly ok: boolean;
  readonly steps: readonly {
    readonly step: string;
    readonly ok: boolean;
    readonly checks: readonly { readonly what: string; readonly ok: boolean; readonly saw: string }[];
  }[];
}

/** Processes that carry the mark of this demo and still run. */
async function left(pid: number): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '');
    if (environment.includes(`MESHWRIGHT_DEMO=${pid}\0`)) found.push(entry);
  }
  return found;
}

test('the whole path, told from a) to g), and nothing is left running', async () => {
  const child = spawn(process.execPath, [join(root, 'dist', 'scripts', 'demo', 'main.js'), '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (out === '') throw new Error(`the demo printed no document:\n${err.slice(-2000)}`);
  const document = JSON.parse(out) as Document;
  const failed = document.steps.flatMap((step) =>
    step.checks.filter((check) => !check.ok).map((check) => `${step.step}) ${check.what}: ${check.saw}`),
  );
  expect(failed).toEqual([]);
  expect(document.steps.map((step) => step.step)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  expect(document.ok).toBe(true);
  expect(code).toBe(0);
  expect(await left(child.pid ?? 0)).toEqual([]);
}, 600_000);

test('Ctrl-C in the middle leaves nothing', async () => {
  const child = spawn(process.execPath, [join(root, 'dist', 'scripts', 'demo', 'main.js'), '--no-pulumi', '--steps', 'a'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let interrupted = false;
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString();
    if (!interrupted && out.includes('agents are starting')) {
      interrupted = true;
      child.kill('SIGINT');
    }
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect(interrupted).toBe(true);
  expect(code).toBe(130);
  expect(await left(child.pid ?? 0)).toEqual([]);
}, 120_000);
