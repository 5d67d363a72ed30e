import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { supervise, type Supervisor } from './supervisor';

const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; turn < 400 && !holds(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  if (!holds()) throw new Error('it never came to hold');
};
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('the supervisor', () => {
  let directory: string;
  let supervisor: Supervisor;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'meshwright-up-'));
    supervisor = supervise({ program: process.execPath, arguments: ['-e'] }, directory);
  });
  afterEach(async () => {
    await supervisor.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('starts a process that was killed again, under a new pid', async () => {
    const one = supervisor.start({ name: 'loop', arguments: ['setInterval(() => {}, 1000)'], restart: true });
    await until(() => one.pid() !== null);
    const first = one.pid();
    one.signal('SIGKILL');
    await until(() => one.starts() === 2 && one.pid() !== null && one.pid() !== first);
  });

  test('stops a process that does not listen, and does not start it again', async () => {
    const one = supervisor.start({
      name: 'deaf',
      arguments: ["process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)"],
      restart: true,
    });
    await until(() => one.tail().includes('deaf'));
    const pid = one.pid();
    if (pid === null) throw new Error('it does not run');
    await one.stop();
    expect(alive(pid)).toBe(false);
    expect(one.starts()).toBe(1);
  }, 20_000);

  test('keeps what a process wrote', async () => {
    const one = supervisor.start({ name: 'talker', arguments: ["console.log('one'); console.error('two')"], restart: false });
    await until(() => one.pid() === null && one.tail().includes('two'));
    await one.stop();
    expect(readFileSync(join(directory, 'talker.log'), 'utf8')).toContain('one');
  });

  test('refuses a second process of one name', () => {
    supervisor.start({ name: 'twice', arguments: [''], restart: false });
    expect(() => supervisor.start({ name: 'twice', arguments: [''], restart: false })).toThrow('`twice` runs already');
  });
});
