import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { readPidFile, writePidFile } from '../../platform/process';

/** Takes a state directory for this process alone. A dead owner's claim (its pid is gone, or belongs to a later process) counts for nothing. */
export async function lockState(dir: string): Promise<Outcome<{ release(): Promise<void> }>> {
  const file = join(dir, 'loop.pid');
  const owner = await readPidFile(file);
  if (owner && owner.pid !== process.pid) return { diagnostics: [gitops.stateLocked({ dir, pid: owner.pid })] };
  await writePidFile(file, process.pid);
  const now = await readPidFile(file);
  if (now && now.pid !== process.pid) return { diagnostics: [gitops.stateLocked({ dir, pid: now.pid })] };
  return { value: { release: () => rm(file, { force: true }) }, diagnostics: [] };
}
