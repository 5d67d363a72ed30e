/** A state folder belongs to one process: two that write it would each forget what the other has decided, or bring a spent token back. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { readPidFile, writePidFile } from '../../platform/process';

/** Takes a folder for this process. A dead owner's claim counts for nothing. Rejects with one line that names a living one; answers how to give it back. */
export async function takeFolder(folder: string, name: string): Promise<() => Promise<void>> {
  const file = path.join(folder, `${name}.pid`);
  const mine = `${file}.${process.pid}`;
  await writePidFile(mine, process.pid);
  try {
    for (let tries = 0; tries < 5; tries += 1) {
      const owner = await readPidFile(file);
      if (owner?.pid === process.pid) return () => fs.rm(file, { force: true });
      if (owner !== null) throw new Error(`a ${name} runs on ${folder} already: pid ${owner.pid}`);
      await setAside(file, `${mine}.stale`);
      // Linking fails where another one was faster: taking is one step.
      if (
        await fs.link(mine, file).then(
          () => true,
          () => false,
        )
      )
        return () => fs.rm(file, { force: true });
    }
    throw new Error(`${folder} cannot be taken: others try as well`);
  } finally {
    await fs.rm(mine, { force: true });
  }
}

/** A dead owner's claim goes under another name first: if it turns out to be one that was made just now, it goes back. */
async function setAside(file: string, aside: string): Promise<void> {
  try {
    await fs.rename(file, aside);
  } catch {
    return; // nobody's
  }
  if ((await readPidFile(aside)) !== null) await fs.link(aside, file).catch(() => undefined);
  await fs.rm(aside, { force: true });
}
