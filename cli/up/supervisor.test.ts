import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/kit/until';
import { supervise, type Supervisor } from './supervisor';

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
    await until('it runs', () => one.pid() !== null);
    const first = one.pid();
    one.signal('SIGKILL');
    await until('it runs again', () => one.starts() === 2 && one.pid() !== null && one.pid() !== first);
  });

  test('stops a process that does not listen, and does not start it again', async () => {
    const one = supervisor.start({
      name: 'deaf',
      arguments: ["process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)"],
      restart: true,
    });
    await until('it does not listen', () => one.tail().includes('deaf'));
    const pid = one.pid();
    if (pid === null) throw new Error('it does not run');
    await one.stop();
    expect(alive(pid)).toBe(false);
    expect(one.starts()).toBe(1);
  });

  test('keeps what a process wrote', async () => {
    const one = supervisor.start({ name: 'talker', arguments: ["console.log('one'); console.error('two')"], restart: false });
    await until('it has said both', () => ['one', 'two'].every((word) => one.tail().includes(word)));
    await one.stop();
    expect(readFileSync(join(directory, 'talker.log'), 'utf8')).toContain('one');
  });

  test('outlives what a process left behind, which still writes while it is stopped', async () => {
    const program = "require('node:child_process').spawn('sh', ['-c', process.argv[1]], { stdio: 'inherit' }); process.exit()";
    const enough = join(directory, 'enough');
    const script = `until [ -e '${enough}' ]; do echo more; done; echo done`;
    const one = supervisor.start({ name: 'parent', arguments: [program, script], restart: false });
    await until('it has ended, and what it started writes', () => one.pid() === null && one.tail().includes('more'));
    await one.stop();
    writeFileSync(enough, '');
    await until('that has ended too', () => one.tail().includes('done'));
  });

  test('refuses a second process of one name', () => {
    supervisor.start({ name: 'twice', arguments: [''], restart: false });
    expect(() => supervisor.start({ name: 'twice', arguments: [''], restart: false })).toThrow('`twice` runs already');
  });
});
