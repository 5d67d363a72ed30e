import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { systemClock } from '../platform/clock';
import { temporaryFolder } from '../platform/files';
import { runCommand } from '../platform/process';
import { until } from '../test/kit/until';
import { breakStaleLocks, takeLock } from './lock';

describe('lock', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await temporaryFolder('lock');
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  const file = (): string => path.join(folder, 'deploy.lock');
  const codes = (diagnostics: readonly { code: string }[]): string[] => diagnostics.map((d) => d.code);

  test('one holder at a time; the next one takes it when it is given back', async () => {
    const first = await takeLock(file(), 'prod', systemClock, 0);
    const second = await takeLock(file(), 'prod', systemClock, 0);
    expect(second.diagnostics[0]).toMatchObject({ code: 'MW7007', message: `stack \`prod\` is locked by process ${process.pid}` });
    const waiting = takeLock(file(), 'prod', systemClock, 180_000);
    await first.value?.();
    const third = await waiting;
    expect(third.diagnostics).toEqual([]);
    await third.value?.();
    expect(await fs.readdir(folder)).toEqual([]);
  });

  test('of many takers at once, one at a time holds it', async () => {
    let holders = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const taken = await takeLock(file(), 'prod', systemClock, 180_000);
        most = Math.max(most, ++holders);
        await systemClock.sleep(5);
        holders--;
        await taken.value?.();
      }),
    );
    expect(most).toBe(1);
  });

  test("a dead owner's is taken over, also when its pid is in use again", async () => {
    for (const owner of [
      { pid: 2 ** 22 - 1, started: '1' },
      { pid: process.pid, started: 'another time' },
    ]) {
      await fs.writeFile(file(), JSON.stringify(owner));
      const taken = await takeLock(file(), 'prod', systemClock, 0);
      expect(taken.diagnostics).toEqual([]);
      await taken.value?.();
    }
  });

  test("Pulumi's lock: a live Pulumi keeps it, the dead and the mistaken do not, other hosts are believed", async () => {
    // A process that is called pulumi, as the lock's owner must be.
    const program = path.join(folder, 'pulumi');
    await fs.symlink('/bin/sleep', program);
    const child = spawn(program, ['600'], { stdio: 'ignore' });
    const locks = path.join(folder, 'locks');
    await fs.mkdir(locks);
    const write = (pid: number, hostname = os.hostname(), timestamp = new Date().toISOString()) =>
      fs.writeFile(path.join(locks, 'a.json'), JSON.stringify({ pid, username: 'x', hostname, timestamp }));
    try {
      await until(
        'it has its name',
        async () => (await runCommand('ps', ['-o', 'comm=', '-p', String(child.pid)])).stdout.trim() === 'pulumi',
      );
      await write(child.pid ?? 0);
      expect(codes(await breakStaleLocks(locks, 'prod', systemClock, 0))).toEqual(['MW7007']);
      await write(child.pid ?? 0, os.hostname(), '2001-01-01T00:00:00Z'); // taken long before this process began
      expect(codes(await breakStaleLocks(locks, 'prod', systemClock, 0))).toEqual(process.platform === 'linux' ? ['MW7008'] : ['MW7007']);
      await write(process.pid); // alive, but no Pulumi
      expect(codes(await breakStaleLocks(locks, 'prod', systemClock, 0))).toEqual(['MW7008']);
      await write(1, 'another-host');
      expect(codes(await breakStaleLocks(locks, 'prod', systemClock, 0))).toEqual(['MW7007']);
      await fs.writeFile(path.join(locks, 'a.json'), '{');
      expect(codes(await breakStaleLocks(locks, 'prod', systemClock, 0))).toEqual(['MW7007']);
      await write(child.pid ?? 0);
      const waiting = breakStaleLocks(locks, 'prod', systemClock, 180_000);
      child.kill('SIGKILL');
      expect(codes(await waiting)).toEqual(['MW7008']);
    } finally {
      child.kill('SIGKILL');
    }
    expect(await fs.readdir(locks)).toEqual([]);
    expect(await breakStaleLocks(path.join(folder, 'none'), 'prod', systemClock, 0)).toEqual([]);
  });
});
