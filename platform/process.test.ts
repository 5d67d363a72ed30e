import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { until } from '../test/kit/until';
import { temporaryFolder } from './files';
import { endOrphan, readPidFile, runCommand, spawnGroup, startTimeOf, stopGroup, writePidFile } from './process';

let folder: string;
beforeEach(async () => (folder = await temporaryFolder('process-test')));
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const firstLine = (child: ReturnType<typeof spawnGroup>): Promise<string> =>
  new Promise((resolve) => child.stdout?.once('data', (data) => resolve(String(data).trim())));

describe('processes', () => {
  it('runs a program without a shell and gives its output, input and exit code', async () => {
    const result = await runCommand(
      process.execPath,
      ['-e', 'process.stdin.on("data", (d) => process.stdout.write(d)); process.on("exit", () => (process.exitCode = 3))'],
      { input: '$(echo hi)' },
    );
    expect(result).toEqual({ code: 3, stdout: '$(echo hi)', stderr: '', timedOut: false });
  });
  it('rejects for a program that is not there', async () => {
    await expect(runCommand(path.join(folder, 'none'), [])).rejects.toMatchObject({ code: 'ENOENT' });
  });
  it('kills what outlives its time', async () => {
    const result = await runCommand(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 100 });
    expect(result).toMatchObject({ code: null, timedOut: true });
  });
  it('stops a child together with what the child started', async () => {
    const child = spawnGroup('/bin/sh', ['-c', 'sleep 60 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const grandchild = Number(await firstLine(child));
    expect(await startTimeOf(grandchild)).not.toBeNull();
    await stopGroup(child, { graceMs: 1_000 });
    await until('it has ended', async () => (await startTimeOf(grandchild)) === null);
  });
  it('a guarded child does not outlive whoever started it, not even kill -9', async () => {
    const module = path.join(process.cwd(), 'dist', 'platform', 'process.js');
    const program = `const { guardGroup, spawnGroup } = require(${JSON.stringify(module)});
      const child = spawnGroup('sleep', ['600'], { stdio: 'ignore' });
      guardGroup(child);
      console.log(child.pid);`;
    const parent = spawnGroup(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const child = Number(await firstLine(parent));
    expect(await startTimeOf(child)).not.toBeNull();
    parent.kill('SIGKILL');
    await until('it has ended', async () => (await startTimeOf(child)) === null);
  });
  it('the guard is gone with the child, and keeps nobody', async () => {
    const module = path.join(process.cwd(), 'dist', 'platform', 'process.js');
    const program = `const { guardGroup, spawnGroup, stopGroup } = require(${JSON.stringify(module)});
      const child = spawnGroup('sleep', ['600'], { stdio: 'ignore' });
      guardGroup(child);
      stopGroup(child, { signal: 'SIGKILL' }).then(() => console.log('stopped'));`;
    // Would not end by itself while a guard were waited for.
    expect(await runCommand(process.execPath, ['-e', program], { timeoutMs: 60_000 })).toMatchObject({ code: 0, stdout: 'stopped\n' });
  });
  it('ends an orphan by its pid file, and leaves alone a process that only has the same pid', async () => {
    const child = spawnGroup(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await firstLine(child);
    const file = path.join(folder, 'pid');
    await writePidFile(file, child.pid ?? 0);
    expect(await readPidFile(file)).toMatchObject({ pid: child.pid });
    await fs.writeFile(path.join(folder, 'stale'), JSON.stringify({ pid: child.pid, started: 'another time' }));
    expect(await endOrphan(path.join(folder, 'stale'))).toBe(false);
    expect(child.exitCode).toBeNull();
    const gone = new Promise((resolve) => child.once('exit', resolve));
    expect(await endOrphan(file, { graceMs: 1_000 })).toBe(true);
    await gone;
    expect(await fs.readdir(folder)).toEqual([]);
  });
  it('gives up on an orphan that no signal ends, and keeps its pid file', async () => {
    const child = spawnGroup('sleep', ['600'], { stdio: 'ignore' });
    const file = path.join(folder, 'pid');
    await writePidFile(file, child.pid ?? 0);
    const sent: string[] = [];
    const deaf = { graceMs: 1, killMs: 1, signal: (_pid: number, name: string) => void sent.push(name) };
    await expect(endOrphan(file, deaf)).rejects.toThrow(
      `process ${child.pid}, which ${file} names, cannot be ended: end it and start again`,
    );
    expect(sent).toEqual(['SIGTERM', 'SIGKILL']);
    expect(await endOrphan(file)).toBe(true);
  });
  it('says that a process that has ended has no start time', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await startTimeOf(child.pid ?? 0)).toBeNull();
  });
});
