/**
 * How cost grows with the mesh: `npm run bench:growth`. Generated meshes of 10 to 5,000 services at fan-out 5 to 10, compiled and emitted from nothing in a
 * process each; for each column the exponent of its growth, the slope of a least-squares line through the logarithms (1: in proportion to the services).
 */
import * as os from 'node:os';
import * as path from 'node:path';
import { runCommand } from '../platform/process';
import { exponent } from './exponent';
import type { GrowthPoint } from './growth-one';
import { median } from './median';

const sizes = [10, 100, 1_000, 5_000];
const stages = ['typecheck', 'evaluate', 'lower', 'analyse', 'emit', 'objects', 'total'] as const;
type Column = { readonly name: string; readonly of: (point: GrowthPoint) => number };
const columns: readonly Column[] = [
  ...stages.map((stage): Column => ({ name: `${stage}, ms`, of: ({ ms }) => ms[stage] ?? Number.NaN })),
  { name: 'peak, MiB', of: ({ peakMiB }) => peakMiB },
  { name: 'objects', of: ({ objects }) => objects },
  { name: 'bytes a proxy holds', of: ({ bytesPerProxy }) => bytesPerProxy.median },
  { name: 'largest', of: ({ bytesPerProxy }) => bytesPerProxy.largest },
];

async function pointOf(services: number, times: number): Promise<readonly number[]> {
  const points: GrowthPoint[] = [];
  for (let turn = 0; turn < times; turn += 1) {
    const { code, stdout, stderr } = await runCommand(process.execPath, [path.join(__dirname, 'growth-one.js'), String(services)], {
      timeoutMs: 20 * 60_000,
      maxOutput: 1 << 20,
    });
    if (code !== 0) throw new Error(stderr);
    points.push(JSON.parse(stdout) as GrowthPoint);
  }
  return columns.map(({ of }) => median(points.map(of)));
}

async function main(): Promise<void> {
  process.stdout.write(`${os.cpus().length} x ${os.cpus()[0]?.model ?? '?'}, Node ${process.versions.node}\n\n`);
  process.stdout.write(`| services | ${columns.map(({ name }) => name).join(' | ')} |\n|---|${columns.map(() => '---|').join('')}\n`);
  const rows: (readonly number[])[] = [];
  for (const services of sizes) {
    const row = await pointOf(services, services > 1_000 ? 1 : 3);
    rows.push(row);
    process.stdout.write(
      `| ${services.toLocaleString('en')} | ${row.map((value) => Math.round(value).toLocaleString('en')).join(' | ')} |\n`,
    );
  }
  for (const [what, from] of [
    ['all sizes', 0],
    ['from 100 services', 1],
    ['from 1,000 to 5,000', 2],
  ] as const) {
    const exponents = columns.map((_, index) =>
      exponent(
        sizes.slice(from),
        rows.slice(from).map((row) => row[index] ?? Number.NaN),
      ),
    );
    process.stdout.write(`| exponent, ${what} | ${exponents.map((value) => value.toFixed(2)).join(' | ')} |\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
