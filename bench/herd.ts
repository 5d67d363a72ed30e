/**
 * What it costs a control plane when all proxies come at once: `npm run bench:herd [-- <sizes> <envoys>]` (`96,192`). The control plane is a process of its own; proxies are in others,
 * most of them clients that do what an agent and its Envoy do, with a certificate each. All join within a moment; a release changes something for everybody;
 * the control plane is killed and everybody comes back at once, while another release moves in two waves and a third of the proxies is killed in the midst
 * of it, and comes back. CPU and memory are the control plane's, from /proc. Prints a table for docs/benchmarks.md.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import { startHerd, type Herd, type HerdGroup } from '../test/kit/herd';
import { exponent } from './exponent';

const ticksPerMs = 0.1; // /proc counts in hundredths of a second
const limitMs = 240_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function cpuMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerMs;
}
/** The most it ever had resident. */
const peakMiB = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;

interface Step {
  readonly ms: number;
  readonly cpu: number;
  readonly memory: number;
}
async function timed(herd: Herd, what: string, run: () => Promise<void>): Promise<Step> {
  const [before, begun] = [herd.pid(), performance.now()];
  const cpu = before === 0 ? 0 : cpuMs(before);
  await run();
  const pid = herd.pid();
  process.stderr.write(`${herd.size} proxies: ${what}\n`);
  return { ms: performance.now() - begun, cpu: cpuMs(pid) - (pid === before ? cpu : 0), memory: peakMiB(pid) };
}

async function stampede(groups: readonly HerdGroup[]): Promise<readonly Step[]> {
  const herd = await startHerd(groups);
  const all = groups.map((_, index) => index);
  const third = all.slice(0, Math.ceil(all.length / 3));
  try {
    herd.startControlPlane();
    await herd.mesh.until('it is up', () => true);
    await herd.release(2_000);
    for (const index of all) await herd.prepare(index);
    const joined = await timed(herd, 'all have joined', async () => {
      all.forEach((index) => herd.join(index));
      await herd.untilActive(1, limitMs);
    });
    const changed = await timed(herd, 'all have the release', async () => {
      await herd.release(3_000);
      await herd.untilActive(2, limitMs);
    });
    await herd.killControlPlane();
    await sleep(3_000); // as long as it takes to be started anew
    const returned = await timed(herd, 'all are back', async () => {
      herd.startControlPlane();
      await herd.mesh.until('it is up', () => true);
      await herd.release(4_000, [50, 100]);
      await herd.mesh.until('the first wave moves', ({ state }) => state === 'rolling' || state === 'converged');
      for (const index of third) await herd.kill(index);
      for (const index of third) await herd.prepare(index);
      third.forEach((index) => herd.join(index));
      await herd.untilActive(3, limitMs);
    });
    return [joined, changed, returned];
  } finally {
    await herd.stop();
  }
}

async function main(sizes: readonly number[], envoys: number): Promise<void> {
  const load = os.loadavg()[0]?.toFixed(1) ?? '?';
  process.stdout.write(`${os.cpus().length} x ${os.cpus()[0]?.model ?? '?'}, Node ${process.versions.node}, load ${load}\n\n`);
  process.stdout.write(
    '| proxies | all join: CPU | for each | until all are active | a release for all: CPU | until active | killed, all come back, a third of them killed: CPU | until active | most memory |\n|---|---|---|---|---|---|---|---|---|\n',
  );
  const streams = (size: number): readonly HerdGroup[] => Array.from({ length: 6 }, () => ({ kind: 'stream', size: Math.ceil(size / 6) }));
  const rows: (readonly number[])[] = [];
  const row = (name: string, [joined, changed, returned]: readonly Step[], size: number): void => {
    const s = (value = 0): string => `${(value / 1_000).toFixed(1)} s`;
    const memory = Math.max(joined?.memory ?? 0, returned?.memory ?? 0);
    const cells = [
      s(joined?.cpu),
      `${((joined?.cpu ?? 0) / size).toFixed(1)} ms`,
      s(joined?.ms),
      s(changed?.cpu),
      s(changed?.ms),
      s(returned?.cpu),
      s(returned?.ms),
      `${memory.toFixed(0)} MiB`,
    ];
    rows.push([joined?.cpu ?? 0, changed?.cpu ?? 0, returned?.cpu ?? 0, memory]);
    process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
  };
  for (const size of sizes) row(String(size), await stampede(streams(size)), size);
  const slope = (column: number): string =>
    exponent(
      sizes,
      rows.map((cells) => cells[column] ?? Number.NaN),
    ).toFixed(2);
  process.stdout.write(`| exponent | ${slope(0)} | | | ${slope(1)} | | ${slope(2)} | | ${slope(3)} |\n`);
  if (envoys > 0) {
    const groups: readonly HerdGroup[] = [
      ...Array.from({ length: 3 }, () => ({ kind: 'envoy' as const, size: Math.ceil(envoys / 3) })),
      ...streams(300),
    ];
    row(`${envoys} real Envoys, 300 others`, await stampede(groups), envoys + 300);
  }
}

main((process.argv[2] ?? '96,192,384,768').split(',').map(Number), Number(process.argv[3] ?? 0)).then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
