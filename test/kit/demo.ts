/** The demo as a process of its own, and what it leaves. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from './layered-mesh';

const root = join(__dirname, '..', '..');

export interface DemoDocument {
  readonly ok: boolean;
  readonly kubernetes: boolean;
  readonly steps: readonly {
    readonly step: string;
    readonly ok: boolean;
    readonly checks: readonly { readonly what: string; readonly ok: boolean; readonly saw: string }[];
  }[];
}
export interface Ended {
  readonly code: number | null;
  readonly pid: number;
}

/** Runs it to its end with `--json`. */
export async function demoDocument(args: readonly string[]): Promise<Ended & { readonly document: DemoDocument }> {
  const { out, err, ...ended } = await run(['--json', ...args]);
  if (out === '') throw new Error(`the demo printed no document:\n${err.slice(-2000)}`);
  return { ...ended, document: JSON.parse(out) as DemoDocument };
}

/** Interrupts it once it has printed something. */
export async function interruptedDemo(args: readonly string[], after: string): Promise<Ended> {
  const { interrupted, out, err, ...ended } = await run(args, after);
  if (!interrupted) throw new Error(`the demo never said \`${after}\`:\n${out.slice(-1000)}${err.slice(-1000)}`);
  return ended;
}

async function run(args: readonly string[], interruptAfter?: string): Promise<Ended & { out: string; err: string; interrupted: boolean }> {
  const child = spawn(process.execPath, [join(root, 'dist', 'scripts', 'demo', 'main.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err, interrupted] = ['', '', false];
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString();
    if (interruptAfter === undefined || interrupted || !out.includes(interruptAfter)) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, pid: child.pid ?? 0, out, err, interrupted };
}

/** Processes that carry the mark of a demo and still run; what is about to end has a minute for it. */
export const leftOf = (pid: number): Promise<readonly string[]> =>
  eventually(
    () => marked(pid),
    (left) => left.length === 0,
  );
async function marked(pid: number): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '');
    if (environment.includes(`MESHWRIGHT_DEMO=${pid}\0`)) found.push(entry);
  }
  return found;
}
