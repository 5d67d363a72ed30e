import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../../platform/files';
import { writePidFile } from '../../platform/process';
import { takeFolder } from './state-folder';

test('a folder is taken from the dead and never from the living', async () => {
  const folder = await temporaryFolder('state');
  const file = path.join(folder, 'ca.pid');
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  const gone = new Promise((resolve) => other.once('exit', resolve));
  try {
    await writePidFile(file, other.pid ?? 0);
    await expect(takeFolder(folder, 'ca')).rejects.toThrow(`a ca runs on ${folder} already: pid ${other.pid}`);
    other.kill('SIGKILL');
    await gone;
    const release = await takeFolder(folder, 'ca');
    expect(await fs.readdir(folder)).toEqual(['ca.pid']);
    await release();
    expect(await fs.readdir(folder)).toEqual([]);
  } finally {
    other.kill('SIGKILL');
    await fs.rm(folder, { recursive: true, force: true });
  }
});
