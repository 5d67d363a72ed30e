/** Envoy's life: started, started again with back-off when it dies, ended; and the orphan of an agent that was killed, ended before. */
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import type { Clock } from '../../platform/clock';
import type { Log } from '../../platform/log';
import { endOrphan, signalGroup, spawnGroup, stopGroup, writePidFile } from '../../platform/process';

export interface EnvoyOptions {
  readonly binary: string;
  readonly bootstrapFile: string;
  readonly pidFile: string;
  readonly concurrency: number;
  readonly logLevel: string;
  readonly drainSeconds: number;
}
export interface EnvoyProcess {
  pid(): number | null;
  starts(): number;
  /** Resolves with how it ended when it has died by itself more than `giveUpAfter` times in a row without coming up; never otherwise. */
  readonly hopeless: Promise<string>;
  /** Called when it has proved to be up: the next death begins the back-off anew. */
  isUp(): void;
  stop(graceMs: number): Promise<void>;
}

const giveUpAfter = 5;
const longestBackOffMs = 10_000;

/** Starts it. stdout is its access log and goes to ours as it is; stderr is its own log, passed on line by line. */
export async function runEnvoy(
  options: EnvoyOptions,
  { clock, log, onLine }: { readonly clock: Clock; readonly log: Log; readonly onLine: (line: string) => void },
): Promise<EnvoyProcess> {
  if (await endOrphan(options.pidFile)) log.warn({ pidFile: options.pidFile }, 'ended the Envoy that an earlier agent left behind');
  for (const pid of await strays(options.bootstrapFile)) {
    log.warn({ pid }, 'ended an Envoy of this folder that no pid file names');
    signalGroup(pid, 'SIGKILL');
  }
  const args = [
    ...['-c', options.bootstrapFile],
    ...['--concurrency', String(options.concurrency)],
    ...['--drain-time-s', String(options.drainSeconds), '--drain-strategy', 'immediate'],
    ...['--file-flush-interval-msec', '500'], // the access log is read by people who wait for it; Envoy's own ten seconds are too long
    '--disable-hot-restart', // no shared memory, so no base id to clash over
    ...['--log-level', options.logLevel],
    ...['--log-format', '%l %n %v'],
  ];
  const stopping = new AbortController();
  let child: ChildProcess | null = null;
  let starts = 0;
  let failures = 0;
  let lastLines: string[] = [];
  let giveUp: (how: string) => void = () => undefined;
  const hopeless = new Promise<string>((resolve) => (giveUp = resolve));

  const startOnce = async (): Promise<string> => {
    starts += 1;
    lastLines = [];
    const started = spawnGroup(options.binary, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    child = started;
    const ended = new Promise<string>((resolve) => {
      started.once('error', (error) => resolve(error.message));
      started.once('exit', (code, signal) => resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`));
    });
    let rest = '';
    started.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        lastLines = [...lastLines.slice(-19), line];
        onLine(line);
      }
    });
    // An Envoy that could not be noted is one to look after all the same: `strays` finds it for who comes next.
    if (started.pid !== undefined)
      await writePidFile(options.pidFile, started.pid).catch((error: unknown) => log.error({ err: error }, "cannot note Envoy's process"));
    const how = await ended;
    child = null;
    return how;
  };
  const keepRunning = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const how = await startOnce();
      if (stopping.signal.aborted) break;
      failures += 1;
      const why = lastLines.findLast((line) => /^(critical|error)/.test(line)) ?? lastLines.at(-1) ?? '';
      log.error({ how, why, failures }, 'Envoy died');
      if (failures >= giveUpAfter) return giveUp(`${how}${why === '' ? '' : `: ${why}`}`);
      await clock.sleep(Math.min(100 * 2 ** failures, longestBackOffMs), { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const loop = keepRunning();
  return {
    pid: () => child?.pid ?? null,
    starts: () => starts,
    hopeless,
    isUp: () => void (failures = 0),
    async stop(graceMs) {
      stopping.abort(new Error('stopping'));
      if (child !== null) await stopGroup(child, { graceMs });
      await loop;
      await fs.rm(options.pidFile, { force: true });
    },
  };
}

/**
 * Envoys that run with our bootstrap file: an agent killed between starting one and noting its pid leaves such a one. Linux only; elsewhere none is found.
 * In every pod the path is the same, and a pod with `hostPID` sees them all: only in our own mount namespace it is our file.
 */
async function strays(bootstrapFile: string): Promise<readonly number[]> {
  const mountsOf = (pid: string): Promise<string | null> => fs.readlink(`/proc/${pid}/ns/mnt`).catch(() => null);
  const own = await mountsOf('self');
  const found: number[] = [];
  for (const name of await fs.readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const args = (await fs.readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (args[1] === '-c' && args[2] === bootstrapFile && (await mountsOf(name)) === own) found.push(Number(name));
  }
  return found;
}
