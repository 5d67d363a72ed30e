/**
 * One deployer at a time for a state folder, and nobody locked out by the dead. Two locks: our own file, which knows its owner's pid and start time,
 * and Pulumi's, which knows pid, host and time. A lock is broken only when its owner is known to be gone.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { deploy } from '../core/diagnostics/deploy';
import type { Diagnostic, Outcome } from '../core/diagnostics/diagnostic';
import type { Clock } from '../platform/clock';
import { isNotFound, readTextIfThere } from '../platform/files';
import { readPidFile, runCommand, startTimeOf } from '../platform/process';

/** Takes our own lock. Answers with its release, or with who holds it. */
export async function takeLock(file: string, stack: string, clock: Clock, waitMs: number): Promise<Outcome<() => Promise<void>>> {
  const started = await startTimeOf(process.pid);
  const mine = `${file}.${process.pid}.${Math.trunc(clock.monotonic() * 1000)}`;
  await fs.writeFile(mine, `${JSON.stringify({ pid: process.pid, started })}\n`, { mode: 0o600 });
  const until = clock.monotonic() + waitMs;
  try {
    for (;;) {
      try {
        await fs.link(mine, file); // fails when it is there: taking is one step
        return { value: () => fs.rm(file, { force: true }), diagnostics: [] };
      } catch (error) {
        if (!(typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST')) throw error;
      }
      const owner = await readPidFile(file);
      if (owner === null) await removeStale(file);
      else if (clock.monotonic() >= until) return { diagnostics: [deploy.stackLocked({ stack, owner: `process ${owner.pid}` })] };
      else await clock.sleep(50);
    }
  } finally {
    await fs.rm(mine, { force: true });
  }
}

/** Takes the file away under another name first: if it turns out to be a live one's after all, it goes back. */
async function removeStale(file: string): Promise<void> {
  const aside = `${file}.stale.${process.pid}`;
  try {
    await fs.rename(file, aside);
    if ((await readPidFile(aside)) !== null) await fs.link(aside, file).catch(() => undefined);
    await fs.rm(aside, { force: true });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

interface PulumiLock {
  readonly file: string;
  readonly pid: number;
  readonly hostname: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/**
 * Removes Pulumi's locks of a stack whose owners are gone. One whose owner lives is waited for (an engine whose deployer was killed ends by itself
 * soon), then reported. One of another host is reported: nobody here can tell.
 */
export async function breakStaleLocks(folder: string, stack: string, clock: Clock, waitMs: number): Promise<readonly Diagnostic[]> {
  const diagnostics: Diagnostic[] = [];
  const until = clock.monotonic() + waitMs;
  for (const file of await lockFiles(folder)) {
    for (;;) {
      const lock = await readLock(file);
      if (lock === 'gone') break;
      if (lock === 'unreadable') {
        diagnostics.push(deploy.stackLocked({ stack, owner: `a lock that cannot be read, ${file}` }));
        break;
      }
      const owner = `process ${lock.pid} on ${lock.hostname}`;
      if (lock.hostname === os.hostname() && !(await isOwnerAlive(lock))) {
        for (const part of [file, `${file}.attrs`]) await fs.rm(part, { force: true });
        diagnostics.push(deploy.staleLock({ stack, owner }));
        break;
      }
      if (clock.monotonic() >= until || lock.hostname !== os.hostname()) {
        diagnostics.push(deploy.stackLocked({ stack, owner }));
        break;
      }
      await clock.sleep(100);
    }
  }
  return diagnostics;
}

async function lockFiles(folder: string): Promise<readonly string[]> {
  try {
    return (await fs.readdir(folder)).filter((name) => name.endsWith('.json')).map((name) => path.join(folder, name));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

async function readLock(file: string): Promise<PulumiLock | 'gone' | 'unreadable'> {
  const text = await readTextIfThere(file);
  if (text === null) return 'gone';
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('hostname' in value) || !('timestamp' in value))
      return 'unreadable';
    const { pid, hostname, timestamp } = value;
    const since = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
    if (typeof pid !== 'number' || typeof hostname !== 'string' || Number.isNaN(since)) return 'unreadable';
    return { file, pid, hostname, since };
  } catch {
    return 'unreadable';
  }
}

/** The pid runs, is a Pulumi, and was started before the lock was taken. In doubt, it lives. */
async function isOwnerAlive({ pid, since }: PulumiLock): Promise<boolean> {
  if ((await startTimeOf(pid)) === null) return false;
  const name = await runCommand('ps', ['-o', 'comm=', '-p', String(pid)], { timeoutMs: 5_000 }).catch(() => null);
  if (name?.code === 0 && !path.basename(name.stdout.trim()).startsWith('pulumi')) return false;
  const started = await startedAt(pid);
  return started === null || started <= since + 2_000;
}

/** When a process was started, in milliseconds since the epoch, to about a second; null where the system does not say. */
async function startedAt(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const [ticks, stat] = [Number(await startTimeOf(pid)), await readTextIfThere('/proc/stat')];
  const boot = Number(/^btime (\d+)$/m.exec(stat ?? '')?.[1]);
  return Number.isFinite(ticks) && Number.isFinite(boot) ? (boot + ticks / 100) * 1000 : null;
}
