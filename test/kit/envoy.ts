/** A real Envoy for a test: started with a bootstrap, waited for, stopped by its own pid. */
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../core/lib/json';
import { temporaryFolder } from '../../platform/files';
import { spawnGroup, stopGroup } from '../../platform/process';
import { obtainEnvoy } from '../../platform/tools/envoy';

export interface RunningEnvoy {
  readonly adminPort: number;
  /** Of the Envoy itself. */
  readonly pid: number;
  /** A page of the admin interface. */
  admin(page: string): Promise<string>;
  /** The JSON lines of its access log so far. */
  accessLog(): readonly { readonly [field: string]: unknown }[];
  /** What it said on stderr. */
  said(): string;
  stop(): Promise<void>;
}

/** Starts an Envoy on one core whose bootstrap has an admin listener at `adminPort`; resolves when it is ready, throws with Envoy's own words otherwise. */
export async function startEnvoy(
  bootstrap: JsonObject,
  adminPort: number,
  options: { readonly args?: readonly string[] } = {},
): Promise<RunningEnvoy> {
  const program = await obtainEnvoy();
  const folder = await temporaryFolder('envoy-test');
  const file = path.join(folder, 'bootstrap.json');
  await fs.writeFile(file, JSON.stringify(bootstrap), { mode: 0o600 });
  const child = spawnGroup(
    program,
    [
      '-c',
      file,
      '--concurrency',
      '1',
      '--use-dynamic-base-id',
      '-l',
      'warning',
      '--drain-time-s',
      '2',
      '--drain-strategy',
      'immediate',
      '--file-flush-interval-msec',
      '50',
      ...(options.args ?? []),
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const out: string[] = [];
  const err: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk.toString()));
  const stop = async (): Promise<void> => {
    await stopGroup(child, { graceMs: 2_000 });
    await fs.rm(folder, { recursive: true, force: true });
  };
  try {
    await ready(child, adminPort, performance.now() + readyMs);
  } catch (error) {
    await stop();
    throw new Error(`envoy did not get ready: ${error instanceof Error ? error.message : String(error)}\n${err.join('').slice(-3000)}`, {
      cause: error,
    });
  }
  return {
    adminPort,
    pid: child.pid ?? Number.NaN,
    admin: async (page) => (await fetch(`http://127.0.0.1:${adminPort}${page}`)).text(),
    accessLog: () =>
      out
        .join('')
        .split('\n')
        .slice(0, -1) // what has no end yet is not a line
        .filter((line) => line.startsWith('{'))
        .map((line): { readonly [field: string]: unknown } => JSON.parse(line)),
    said: () => err.join(''),
    stop,
  };
}

/** A limit against hanging, not a measurement. */
const readyMs = 60_000;
async function ready(child: ChildProcess, adminPort: number, deadline: number): Promise<void> {
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`).then(
      (response) => response.status,
      () => 0,
    );
    if (answer === 200) return;
    await sleep(25);
  }
  throw new Error('time is up');
}
