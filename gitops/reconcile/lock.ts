import { link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { readPidFile, writePidFile } from '../../platform/process';

/** Takes a state directory for this process alone. A dead owner's claim (its pid is gone, or belongs to a later process) counts for nothing. */
export async function lockState(dir: string): Promise<Outcome<{ release(): Promise<void> }>> {
  const file = join(dir, 'loop.pid');
  const owner = await readPidFile(file);
  if (owner && owner.pid !== process.pid) return { diagnostics: [gitops.stateLocked({ dir, pid: owner.pid })] };
  const mine = `${file}.${process.pid}`;
  await writePidFile(mine, process.pid);
  // What the dead left goes under a name of its own first; linking fails where another one was faster: taking is one step.
  if (!owner) await rename(file, `${mine}.stale`).catch(() => undefined);
  if ((await readPidFile(`${mine}.stale`)) !== null) await rename(`${mine}.stale`, file);
  await link(mine, file).catch(() => undefined);
  for (const left of [mine, `${mine}.stale`]) await rm(left, { force: true });
  const now = await readPidFile(file);
  if (now?.pid !== process.pid) return { diagnostics: [gitops.stateLocked({ dir, pid: now?.pid ?? 0 })] };
  return { value: { release: () => rm(file, { force: true }) }, diagnostics: [] };
}
