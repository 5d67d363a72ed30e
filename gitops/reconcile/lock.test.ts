import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePidFile } from '../../platform/process';
import { lockState } from './lock';

test('a living owner keeps the directory, a dead one does not', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'meshwright-lock-'));
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  try {
    await new Promise((resolve) => other.once('spawn', resolve));
    await writePidFile(join(dir, 'loop.pid'), other.pid ?? 0);
    expect(await lockState(dir)).toMatchObject({
      diagnostics: [{ code: 'MW7131', message: `\`${dir}\` is in use by process ${other.pid}` }],
    });
    other.kill('SIGKILL');
    await new Promise((resolve) => other.once('exit', resolve));
    const mine = await lockState(dir);
    expect(mine.diagnostics).toEqual([]);
    await mine.value?.release();
  } finally {
    other.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  }
});
