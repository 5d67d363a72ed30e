import { type ChildProcess, type SpawnOptions, execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { Socket } from 'node:net';
import { readTextIfThere, writeFileAtomic } from './files';

/** A child in a process group of its own, so that stopping it stops what it started too. `detached` and `windowsHide` are set here. */
export function spawnGroup(command: string, args: readonly string[], options: Omit<SpawnOptions, 'detached'> = {}): ChildProcess {
  return spawn(command, [...args], { ...options, detached: true, windowsHide: true });
}

/**
 * Whatever ends this process, even kill -9, kills the child's group too: for a program that cannot watch its parent itself. A pipe whose other end is ours
 * ends when we do. Nobody waits for the guard, and it is gone when the child is.
 */
export function guardGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const guard = spawn('/bin/sh', ['-c', 'read -r _; kill -s KILL -- "-$1"', 'guard', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    windowsHide: true,
  });
  guard.on('error', () => undefined);
  guard.stdin?.on('error', () => undefined);
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  const end = (): void => void guard.kill('SIGKILL');
  if (child.exitCode !== null || child.signalCode !== null) end();
  else child.once('exit', end);
}

/** SIGTERM to the child's whole group, SIGKILL after `graceMs` (5 s). Resolves when the child is gone; at once if it was. */
export async function stopGroup(
  child: ChildProcess,
  options: { readonly graceMs?: number; readonly signal?: NodeJS.Signals } = {},
): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  if (child.exitCode !== null || child.signalCode !== null) {
    signalGroup(pid, 'SIGKILL'); // the leader is gone; what it left behind goes too
    return;
  }
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  signalGroup(pid, options.signal ?? 'SIGTERM');
  const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), options.graceMs ?? 5_000);
  await gone;
  clearTimeout(timer);
  signalGroup(pid, 'SIGKILL');
}

/** Signals a process group by its leader's pid. False when there is no such group. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

export interface CommandResult {
  /** null when a signal or the time limit ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}
export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds; after it the whole group is killed. */
  readonly timeoutMs?: number;
  /** Written to its stdin, which is closed in any case. */
  readonly input?: string;
  /** Bytes kept of each stream (16 MiB); more is cut. */
  readonly maxOutput?: number;
}

/** Runs a program to its end, without a shell. Rejects only when it cannot be started (`ENOENT`); a bad exit is the caller's to judge. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawnGroup(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    const limit = options.maxOutput ?? 16 * 1024 * 1024;
    const stdout = gather(child.stdout, limit);
    const stderr = gather(child.stderr, limit);
    let timedOut = false;
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
          }, options.timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout: stdout(), stderr: stderr(), timedOut });
    });
    child.stdin?.on('error', () => undefined); // it may not read to the end
    child.stdin?.end(options.input ?? '');
  });
}

function gather(stream: NodeJS.ReadableStream | null, limit: number): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (size < limit) chunks.push(chunk);
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).subarray(0, limit).toString('utf8');
}

/** A process, told apart from a later one that got the same pid. */
export interface ProcessRecord {
  readonly pid: number;
  /** An opaque text that differs between two processes of one pid. */
  readonly started: string;
}

/** When a process was started, as an opaque text; null when it is not running (a zombie is not). */
export async function startTimeOf(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const stat = await readTextIfThere(`/proc/${pid}/stat`).catch(() => null);
    if (stat === null) return null;
    // The name in parentheses may hold anything, so count from the last ")": state is the first field after it, start time the 20th (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  }
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'lstart=', '-p', String(pid)], (error, stdout) => resolve(error || stdout.trim() === '' ? null : stdout.trim()));
  });
}

/** Notes a process of ours in a file, for a later start to end it if we cannot. */
export async function writePidFile(file: string, pid: number): Promise<ProcessRecord | null> {
  const started = await startTimeOf(pid);
  if (started === null) return null;
  const record = { pid, started };
  await writeFileAtomic(file, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  return record;
}

/** The process that a pid file names, if it is that very one and still runs. */
export async function readPidFile(file: string): Promise<ProcessRecord | null> {
  const text = await readTextIfThere(file);
  if (text === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null || !('pid' in parsed) || !('started' in parsed)) return null;
  const { pid, started } = parsed;
  if (typeof pid !== 'number' || typeof started !== 'string' || pid <= 1) return null;
  return (await startTimeOf(pid)) === started ? { pid, started } : null;
}

export interface EndOptions {
  /** How long it has after SIGTERM; 3 s. */
  readonly graceMs?: number;
  /** How long it has after SIGKILL: what is stuck in the kernel takes time, what is somebody else's never ends; 30 s. */
  readonly killMs?: number;
  readonly signal?: (pid: number, name: NodeJS.Signals) => void;
}

/**
 * Ends the orphan that a pid file names (its group, SIGTERM then SIGKILL) and removes the file. True when there was one. Another process that got the
 * pid since is left alone. Throws, and leaves the file, when it does not end.
 */
export async function endOrphan(file: string, options: EndOptions = {}): Promise<boolean> {
  const { graceMs = 3_000, killMs = 30_000, signal = signalGroupOrOne } = options;
  const record = await readPidFile(file);
  if (record) {
    const gone = async (withinMs: number): Promise<boolean> => {
      const until = performance.now() + withinMs;
      for (;;) {
        if ((await startTimeOf(record.pid)) !== record.started) return true;
        if (performance.now() >= until) return false;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    signal(record.pid, 'SIGTERM');
    if (!(await gone(graceMs))) {
      signal(record.pid, 'SIGKILL');
      if (!(await gone(killMs))) throw new Error(`process ${record.pid}, which ${file} names, cannot be ended: end it and start again`);
    }
  }
  await fs.rm(file, { force: true });
  return record !== null;
}

function signalGroupOrOne(pid: number, name: NodeJS.Signals): void {
  if (signalGroup(pid, name)) return;
  try {
    process.kill(pid, name);
  } catch {
    // gone between the look and the signal, or somebody else's
  }
}
