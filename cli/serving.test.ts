import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../platform/files';
import { UsageError } from './command';
import { onStop, started } from './serving';

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

test('Ctrl-C in a terminal, which a supervisor hears too, closes in order; another Ctrl-C later ends at once', () => {
  const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
  const clock = jest.spyOn(performance, 'now').mockReturnValue(5_000);
  const heard: string[] = [];
  const before = ['SIGINT', 'SIGTERM'].map((name) => process.listenerCount(name));
  const done = onStop((signal) => heard.push(signal));
  try {
    process.emit('SIGINT', 'SIGINT'); // the terminal's
    process.emit('SIGINT', 'SIGINT'); // passed on by who started it
    clock.mockReturnValue(60_000);
    process.emit('SIGTERM', 'SIGTERM'); // the supervisor's
    expect(exit).not.toHaveBeenCalled();
    process.emit('SIGINT', 'SIGINT');
    expect(exit).toHaveBeenCalledWith(2);
    expect(heard).toEqual(['SIGINT']);
  } finally {
    done();
    exit.mockRestore();
    clock.mockRestore();
  }
  expect(['SIGINT', 'SIGTERM'].map((name) => process.listenerCount(name))).toEqual(before);
});

test('a server closes in order when its terminal, and then its supervisor, end it, and nobody reads what it says any more', async () => {
  const folder = await temporaryFolder('serving');
  try {
    const closed = path.join(folder, 'closed');
    const code = `
      const [serving, file] = process.argv.slice(1);
      const busy = setInterval(() => undefined, 1_000);
      const asked = new Promise((resolve) => process.once('SIGTERM', resolve));
      const close = async () => {
        await asked;
        require('node:fs').writeFileSync(file, 'in order');
        clearInterval(busy);
      };
      require(serving).serveUntilStopped({ out: { note: (text) => process.stderr.write(text) } }, { close }, {});`;
    const child = spawn(process.execPath, ['-e', code, path.resolve(__dirname, '..', 'dist', 'cli', 'serving.js'), closed]);
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    child.kill('SIGINT');
    await once(child.stderr, 'data');
    child.stderr.destroy();
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(await fs.readFile(closed, 'utf8')).toBe('in order');
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});
