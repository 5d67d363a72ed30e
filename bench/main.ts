/**
 * What the compiler costs: `npm run bench`. The example mesh and generated ones; cold (no cache, a new process) and warm; medians of several runs.
 * Prints a table for docs/benchmarks.md. Figures are of this machine, now: compare two revisions on one machine, never two machines.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { objectName, type MeshObject } from '../core/bundle/objects';
import { canonicalJson } from '../core/lib/json';
import { sourceTree } from '../core/source';
import { compile } from '../compiler/pipeline';
import { temporaryFolder } from '../platform/files';
import { runCommand } from '../platform/process';
import { generatePolicies } from '../test/kit/policy-generator';
import { median } from './median';

const root = path.resolve(__dirname, '..', '..');
const program = path.join(root, 'bin', 'meshwright.js');

interface Measured {
  readonly seconds: number;
  readonly megabytes: number;
  /** Seconds of CPU, all threads, without the type checker's process. */
  readonly cpu: number;
}

/** One run of the program; wall time, and the peak of resident memory where /usr/bin/time can say it. */
async function once(args: readonly string[], cache: string): Promise<Measured> {
  const begun = performance.now();
  const { code, stderr } = await runCommand(process.execPath, ['--require', path.join(__dirname, 'peak.js'), program, ...args], {
    cwd: root,
    env: { ...process.env, XDG_CACHE_HOME: cache, MESHWRIGHT_PEAK: '1' },
    timeoutMs: 10 * 60_000,
  });
  const seconds = (performance.now() - begun) / 1000;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
  return {
    seconds,
    megabytes: Number(/peak (\d+)/.exec(stderr)?.[1] ?? Number.NaN),
    cpu: Number(/cpu ([\d.]+)/.exec(stderr)?.[1] ?? Number.NaN),
  };
}

async function measured(args: readonly string[], times: number, cold: boolean): Promise<Measured> {
  const cache = await temporaryFolder('bench-cache');
  try {
    if (!cold) await once(args, cache);
    const runs: Measured[] = [];
    for (let turn = 0; turn < times; turn += 1) {
      if (cold) await fs.rm(path.join(cache, 'meshwright'), { recursive: true, force: true });
      runs.push(await once(args, cache));
    }
    return {
      seconds: median(runs.map((run) => run.seconds)),
      megabytes: median(runs.map((run) => run.megabytes)),
      cpu: median(runs.map((run) => run.cpu)),
    };
  } finally {
    await fs.rm(cache, { recursive: true, force: true });
  }
}

const row = (name: string, { seconds, megabytes, cpu }: Measured): string =>
  `| ${name} | ${seconds.toFixed(2)} s | ${cpu.toFixed(2)} s | ${megabytes} MiB |\n`;

async function ofFolder(name: string, folder: string, times: number, environment: string): Promise<void> {
  const out = await temporaryFolder('bench-out');
  try {
    process.stdout.write(row(`${name}: check, cold`, await measured(['check', folder], times, true)));
    process.stdout.write(row(`${name}: check, warm`, await measured(['check', folder], times, false)));
    process.stdout.write(row(`${name}: build, cold`, await measured(['build', folder, '--env', environment, '--out', out], times, true)));
  } finally {
    await fs.rm(out, { recursive: true, force: true });
  }
}

/** How many objects, how large, and what one popular service's timeout changes. */
async function ofObjects(files: ReadonlyMap<string, string>, changed: ReadonlyMap<string, string>): Promise<void> {
  const objectsOf = async (tree: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> => {
    const compiled = await compile(sourceTree(tree), { asOf: '2026-11-22', typecheck: false });
    const [first = []]: Iterable<readonly MeshObject[]> = compiled.objects.values();
    return new Map(first.map((object) => [objectName(object), canonicalJson(object)]));
  };
  const before = await objectsOf(files);
  const sizes = [...before].map(([name, text]) => [name, Buffer.byteLength(text)] as const);
  for (const kind of ['ServiceConfig', 'ProxyConfig']) {
    const own = sizes.filter(([name]) => name.startsWith(kind)).map(([, bytes]) => bytes);
    process.stdout.write(`${kind}: ${own.length}, median ${median(own)} bytes, largest ${Math.max(...own)}\n`);
  }
  const after = await objectsOf(changed);
  process.stdout.write(
    `objects changed by one service's timeout: ${[...after].filter(([name, text]) => before.get(name) !== text).length}\n`,
  );
}

async function main(services: number): Promise<void> {
  process.stdout.write(
    `${os.cpus().length} x ${os.cpus()[0]?.model ?? '?'}, Node ${process.versions.node}\n\n| | wall | CPU | peak memory |\n|---|---|---|---|\n`,
  );
  await ofFolder('example mesh', path.join(root, 'policies'), 5, 'prod');
  const files = generatePolicies(services, 5);
  const folder = await temporaryFolder('bench-policies');
  try {
    for (const [name, text] of files) {
      await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await fs.writeFile(path.join(folder, name), text);
    }
    const { environments } = JSON.parse(
      (await runCommand(process.execPath, [program, 'check', folder, '--json'], { maxOutput: 1 << 28 })).stdout,
    );
    await ofFolder(`${services} services`, folder, 3, environments[0]);
    process.stdout.write('\n');
    await ofObjects(
      files,
      new Map([...files].map(([name, text]) => [name, text.replace(/(?<head>const routes0 = .*timeout: ')2s/, '$<head>3s')])),
    );
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

main(Number(process.argv[2] ?? 1000)).catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
