import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Step } from '../report';

interface Ran {
  readonly code: number;
  readonly err: string;
}

/** Starts the demo again as a new user would, in a place where something is wrong. */
function again(root: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran & { readonly pid: number }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(root, 'dist', 'scripts', 'demo', 'main.js'), '--steps', 'a', ...args],
      { env: { ...process.env, ...env }, timeout: 300_000 },
      (error, _out, err) => {
        resolve({ code: error && typeof error.code === 'number' ? error.code : error ? -1 : 0, err, pid: child.pid ?? 0 });
      },
    );
  });
}

/** g) What is missing or taken is said in one line, with the repair, and nothing is left running. */
export async function meetsTrouble(root: string, scratch: string, step: Step): Promise<void> {
  const judge = async (what: string, ran: Ran & { readonly pid: number }, pattern: RegExp): Promise<void> => {
    const lines = ran.err.split('\n').filter((line) => line.startsWith('demo: '));
    let left = await descendantsOf(ran.pid);
    // what is about to end has a minute for it
    for (let turn = 0; left > 0 && turn < 600; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      left = await descendantsOf(ran.pid);
    }
    step.check(
      what,
      ran.code !== 0 && lines.length === 1 && pattern.test(lines[0] ?? '') && left === 0,
      `exit ${ran.code}, ${left} processes left; ${lines.join(' | ') || ran.err.trim().slice(-300)}`,
    );
  };

  const taken = createServer();
  await new Promise<void>((resolve, reject) => taken.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await judge('a port that is taken', await again(root, ['--port', String(port)], {}), new RegExp(`${port}.*(taken|in use)`));
  await new Promise((resolve) => taken.close(resolve));

  await judge(
    'an Envoy that cannot be had',
    await again(root, [], { MESHWRIGHT_ENVOY: join(scratch, 'no-such-envoy') }),
    /MESHWRIGHT_ENVOY/,
  );

  const old = join(scratch, 'old-git');
  await mkdir(old, { recursive: true });
  await writeFile(join(old, 'git'), '#!/bin/sh\necho git version 1.8.3\n');
  await chmod(join(old, 'git'), 0o755);
  await judge('a git too old', await again(root, [], { PATH: `${old}:${process.env['PATH'] ?? ''}` }), /git 1\.8\.3/);
}

/** Processes that still carry the marker of a demo that has ended. */
async function descendantsOf(pid: number): Promise<number> {
  const { readdir, readFile } = await import('node:fs/promises');
  const marker = `MESHWRIGHT_DEMO=${pid}\0`;
  let count = 0;
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, 'utf8').catch(() => '');
    if (environment.includes(marker)) count += 1;
  }
  return count;
}
