/** Keeps the processes of one machine's mesh running: starts them, restarts one that dies, and leaves nothing behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../../core/lib/reason';

export interface ProcessSpec {
  /** Unique; names the log file. */
  readonly name: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether it is started again when it ends by itself. */
  readonly restart: boolean;
  /** Runs before each start: what must be fresh each time, such as a one-use join token. A failure is tried again like a death. */
  readonly before?: () => Promise<void>;
}
export interface Supervised {
  readonly name: string;
  pid(): number | null;
  /** How often it was started. */
  starts(): number;
  /** Sends a signal to the process that runs now. */
  signal(signal: NodeJS.Signals): void;
  /** The last lines it wrote, for an error message. */
  tail(): string;
  /** Asks it to end, insists after a while, and waits until it is gone. It is not started again. */
  stop(): Promise<void>;
}
export interface Supervisor {
  start(spec: ProcessSpec): Supervised;
  get(name: string): Supervised | undefined;
  /** Frees the name of a process that was stopped. */
  forget(name: string): void;
  /** All of them, the last started first. Nothing is started after it. */
  stop(): Promise<void>;
}

/** Longer than an agent needs that ends an Envoy which does not listen: killed before, it would leave that Envoy behind. */
const insistAfterMs = 20_000;
const restartAfterMs = 200;
const longestRestartMs = 5_000;
const tailLines = 20;

/** @param launcher the program and its first arguments, for example node and bin/meshwright.js. */
export function supervise(
  launcher: { readonly program: string; readonly arguments: readonly string[] },
  logDirectory: string,
  onExit: (name: string, how: string) => void = () => undefined,
): Supervisor {
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
  const running = new Map<string, Supervised>();
  let over = false;
  return {
    get: (name) => running.get(name),
    forget: (name) => void running.delete(name),
    start(spec) {
      if (over) throw new Error(`\`${spec.name}\` is not started any more: everything is being stopped`);
      if (running.has(spec.name)) throw new Error(`\`${spec.name}\` runs already`);
      const one = superviseOne(spec, launcher, join(logDirectory, `${spec.name}.log`), onExit);
      running.set(spec.name, one);
      return one;
    },
    async stop() {
      over = true;
      const all = [...running.values()].reverse();
      running.clear();
      await Promise.all(all.map((one) => one.stop()));
    },
  };
}

function superviseOne(
  spec: ProcessSpec,
  launcher: { readonly program: string; readonly arguments: readonly string[] },
  logFile: string,
  onExit: (name: string, how: string) => void,
): Supervised {
  const log: WriteStream = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
  let tail: string[] = [];
  let starts = 0;
  let stopping = false;
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let quickDeaths = 0;

  const keep = (part: Buffer): void => {
    if (!log.writableEnded) log.write(part); // what a process started may outlive it, and write
    tail = [...tail, ...part.toString('utf8').split('\n')].filter((line) => line !== '').slice(-tailLines);
  };
  const again = (startedAt: number): void => {
    if (stopping || !spec.restart) return;
    quickDeaths = process.uptime() - startedAt < 5 ? quickDeaths + 1 : 0;
    timer = setTimeout(begin, Math.min(restartAfterMs * 2 ** Math.min(quickDeaths, 6), longestRestartMs));
  };
  const begin = (): void => {
    timer = null;
    if (!spec.before) return launch();
    const startedAt = process.uptime();
    spec.before().then(
      () => {
        if (!stopping) launch();
      },
      (error: unknown) => {
        keep(Buffer.from(`${spec.name}: ${reasonOf(error)}\n`));
        onExit(spec.name, `could not be prepared: ${reasonOf(error)}`);
        again(startedAt);
      },
    );
  };
  const launch = (): void => {
    starts += 1;
    const startedAt = process.uptime();
    const started = spawn(launcher.program, [...launcher.arguments, ...spec.arguments], {
      stdio: ['pipe', 'pipe', 'pipe'], // stdin stays open as long as this process lives: see parent-guard
      env: { ...process.env, ...spec.environment },
    });
    child = started;
    started.stdin?.on('error', () => undefined); // the child may end first
    started.stdout?.on('data', keep);
    started.stderr?.on('data', keep);
    let over = false;
    const ended = (how: string): void => {
      if (over) return;
      over = true;
      if (child === started) child = null;
      onExit(spec.name, how);
      again(startedAt);
    };
    started.on('error', (error) => ended(error.message));
    started.on('exit', (code, signal) => ended(signal ? `signal ${signal}` : `exit ${code ?? '?'}`));
  };
  begin();
  return {
    name: spec.name,
    pid: () => child?.pid ?? null,
    starts: () => starts,
    signal: (signal) => void child?.kill(signal),
    tail: () => tail.join('\n'),
    stop: async () => {
      stopping = true;
      if (timer) clearTimeout(timer);
      const last = child;
      if (last && last.exitCode === null && last.signalCode === null) {
        await new Promise<void>((resolve) => {
          const insist = setTimeout(() => last.kill('SIGKILL'), insistAfterMs);
          last.once('exit', () => {
            clearTimeout(insist);
            resolve();
          });
          last.kill('SIGTERM');
        });
      }
      await new Promise((resolve) => log.end(resolve));
    },
  };
}
