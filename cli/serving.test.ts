import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../platform/files';
import { UsageError } from './command';
import { started } from './serving';

describe('a server that cannot start', () => {
  test('says why in one line', async () => {
    const refused = started(Promise.reject(new Error('port 80 is taken:\nchoose another')));
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    await expect(started(Promise.reject(new Error('port 80 is taken:\nchoose another')))).rejects.toThrow(
      'port 80 is taken: choose another',
    );
  });
  test('keeps the stack of a bug', async () => {
    await expect(started(Promise.reject(new TypeError('x is not a function')))).rejects.toBeInstanceOf(TypeError);
    await expect(started(Promise.reject(new Error('internal: no key')))).rejects.not.toBeInstanceOf(UsageError);
  });
});

test('a server closes in order when nobody reads what it says any more', async () => {
  const folder = await temporaryFolder('serving');
  try {
    const closed = path.join(folder, 'closed');
    const code = `
      const [serving, file] = process.argv.slice(1);
      const busy = setInterval(() => undefined, 1_000);
      const close = async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        require('node:fs').writeFileSync(file, 'in order');
        clearInterval(busy);
      };
      require(serving).serveUntilStopped({ out: { note: (text) => process.stderr.write(text) } }, { close }, {});`;
    const child = spawn(process.execPath, ['-e', code, path.resolve(__dirname, '..', 'dist', 'cli', 'serving.js'), closed]);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.stderr.destroy();
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await fs.readFile(closed, 'utf8')).toBe('in order');
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});
