/**
 * What a change of endpoints costs a control plane: `npm run bench:endpoints`. A control plane in a process of its own with its file of instances, and clients
 * that speak delta ADS as Envoys do, each with a certificate of its own. Timed is from the changed file to the last client that has the new endpoints;
 * CPU is the control plane's, from /proc. Prints tables for docs/benchmarks.md.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { typeUrl } from '../core/wire/type-url';
import type { Instance } from '../runtime-proxy/inventory';
import { runMesh, type RunningMesh } from '../test/kit/running-mesh';
import { objectsOf } from '../test/kit/small-mesh';
import { starCaller, starEndpoint, starMesh, starPrincipal } from '../test/kit/star-mesh';
import { svidOf, xdsClient } from '../test/kit/xds-client';
import { exponent } from './exponent';
import { median } from './median';

const turns = 11;
const clients = 20;
const ticksPerMs = 0.1; // /proc counts in hundredths of a second
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

interface Mesh {
  /** Services, and as many workloads that call `fanOut` of them each. */
  readonly services: number;
  readonly endpoints: number;
  readonly fanOut: number;
}
interface Client {
  /** Messages of endpoints that came, and how many bytes of them. */
  messages: number;
  bytes: number;
  close(): void;
}
interface Run {
  readonly clients: readonly Client[];
  readonly pid: number;
  /** Writes an inventory in which the first endpoint of the first service has this weight. */
  change(weight: number): Promise<void>;
}

function start(mesh: RunningMesh): ChildProcess {
  const main = path.join(__dirname, '../runtime-proxy/control-plane/main.js');
  const code = `require(${JSON.stringify(main)}).serveControlPlane(JSON.parse(process.argv[1]))`;
  return spawn(process.execPath, ['-e', code, JSON.stringify(mesh.controlPlaneConfig)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MESHWRIGHT_LOG: 'error' },
  });
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
async function until(holds: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 120_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not so after two minutes: ${what}`);
    await sleep(1);
  }
}
function cpuMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerMs;
}

/** A client that takes all that it is given. */
async function join(mesh: RunningMesh, { id, workload }: Instance): Promise<Client> {
  const xds = xdsClient(mesh, await svidOf(mesh, { instance: id, workload, principal: starPrincipal(workload) }));
  const stream = xds.delta();
  let open = true;
  const client: Client = { messages: 0, bytes: 0, close: () => ((open = false), xds.close()) };
  const follow = async (): Promise<void> => {
    while (open) {
      const response = await stream.next().catch(() => null);
      if (response === null || !open) continue; // nothing for a while
      stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
      if (response.typeUrl === typeUrl.cluster)
        stream.send({ typeUrl: typeUrl.endpoints, resourceNamesSubscribe: response.resources.map(({ name }) => name) });
      if (response.typeUrl !== typeUrl.endpoints) continue;
      client.messages += 1;
      client.bytes += response.resources.reduce((sum, { resource }) => sum + (resource?.value.length ?? 0), 0);
    }
  };
  stream.send({ typeUrl: typeUrl.cluster });
  void follow();
  return client;
}

async function withMesh<T>({ services, endpoints, fanOut }: Mesh, measure: (run: Run) => Promise<T>): Promise<T> {
  const mesh = await runMesh([], { external: true });
  const callers = upTo(clients).map((index): Instance => ({
    ...{ id: `c${index}`, workload: starCaller(index % services), app: {}, inbound: {} },
    outbound: { host: '127.0.0.1', port: 15_001 },
  }));
  const file = mesh.controlPlaneConfig.inventoryFile;
  const change = async (weight: number): Promise<void> => {
    const instances = [
      ...callers,
      ...upTo(services).flatMap((service) =>
        upTo(endpoints).map((index) => starEndpoint(service, index, service + index === 0 ? { weight } : {})),
      ),
    ];
    await fs.promises.writeFile(`${file}.next`, JSON.stringify({ instances }));
    await fs.promises.rename(`${file}.next`, file);
  };
  await change(1);
  const controlPlane = start(mesh);
  const joined: Client[] = [];
  try {
    await mesh.until('it is up', () => true);
    await mesh.release(objectsOf(starMesh(services, services, fanOut)));
    for (const caller of callers) joined.push(await join(mesh, caller));
    await until(() => joined.every(({ messages }) => messages > 0), 'everybody has endpoints');
    return await measure({ clients: joined, pid: controlPlane.pid ?? 0, change });
  } finally {
    for (const client of joined) client.close();
    controlPlane.kill('SIGKILL');
    await mesh.stop();
  }
}

/** One change after the other, each awaited at those who call the endpoint. */
async function oneByOne(mesh: Mesh): Promise<readonly number[]> {
  return withMesh(mesh, async ({ clients: all, pid, change }) => {
    const callers = all.filter((_, index) => index % mesh.services < mesh.fanOut);
    const times: number[] = [];
    await sleep(3_000); // what comes after the first endpoints
    const [bytes, others] = [callers[0]?.bytes ?? 0, all.filter((one) => !callers.includes(one)).map(({ messages }) => messages)];
    const cpu = cpuMs(pid);
    for (let turn = 0; turn < turns; turn += 1) {
      const before = callers.map(({ messages }) => messages);
      await change(2 + turn);
      const written = performance.now();
      await until(() => callers.every(({ messages }, index) => messages > (before[index] ?? 0)), 'the change is everywhere');
      times.push(performance.now() - written);
      await sleep(300);
    }
    const told = all.filter((one) => !callers.includes(one)).some(({ messages }, index) => messages !== others[index]);
    if (told) throw new Error('somebody was told who does not call it');
    return [median(times), (cpuMs(pid) - cpu) / turns, ((callers[0]?.bytes ?? 0) - bytes) / turns, memoryMiB(pid)];
  });
}
function memoryMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}

/** A hundred changes a second for five seconds. */
async function storm(mesh: Mesh): Promise<string> {
  return withMesh(mesh, async ({ clients: all, pid, change }) => {
    await sleep(3_000);
    const [before, cpu, begun] = [all[0]?.messages ?? 0, cpuMs(pid), performance.now()];
    for (let turn = 0; turn < 500; turn += 1) {
      await change(1 + ((turn * 7) % 1_000));
      await sleep(Math.max(0, begun + turn * 10 - performance.now()));
    }
    const seconds = (performance.now() - begun) / 1_000;
    await sleep(2_000);
    const messages = (all[0]?.messages ?? 0) - before;
    return `${mesh.endpoints.toLocaleString('en')} | ${(500 / seconds).toFixed(0)} | ${(messages / seconds).toFixed(0)} | ${((cpuMs(pid) - cpu) / seconds / 10).toFixed(0)}% | ${memoryMiB(pid).toFixed(0)} MiB`;
  });
}

async function table(title: string, meshes: readonly Mesh[], sizeOf: (mesh: Mesh) => number): Promise<void> {
  process.stdout.write(
    `\n| ${title} | changed file to last of its callers | CPU | bytes sent to a caller | memory, MiB |\n|---|---|---|---|---|\n`,
  );
  const rows: (readonly number[])[] = [];
  const row = (name: string, cells: readonly string[]): void => void process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
  for (const mesh of meshes) {
    const made = await oneByOne(mesh);
    rows.push(made);
    const [ms = 0, cpu = 0, bytes = 0, memory = 0] = made;
    row(sizeOf(mesh).toLocaleString('en'), [`${ms.toFixed(0)} ms`, `${cpu.toFixed(0)} ms`, bytes.toFixed(0), memory.toFixed(0)]);
  }
  const slopes = upTo(4).map((column) =>
    exponent(
      meshes.map(sizeOf),
      rows.map((cells) => cells[column] ?? Number.NaN),
    ).toFixed(2),
  );
  row('exponent', slopes);
}

async function main(): Promise<void> {
  const load = os.loadavg()[0]?.toFixed(1) ?? '?';
  process.stdout.write(
    `${os.cpus().length} x ${os.cpus()[0]?.model ?? '?'}, Node ${process.versions.node}, load ${load}, ${clients} clients\n`,
  );
  await table(
    'endpoints of the one service',
    [100, 1_000, 5_000].map((endpoints) => ({ services: 1, endpoints, fanOut: 1 })),
    ({ endpoints }) => endpoints,
  );
  await table(
    'services of 5 endpoints, 5 callers each',
    [20, 100, 1_000].map((services) => ({ services, endpoints: 5, fanOut: 5 })),
    ({ services }) => services,
  );
  process.stdout.write('\n| endpoints | changes a second | messages a second to each caller | CPU | memory |\n|---|---|---|---|---|\n');
  for (const endpoints of [100, 1_000]) process.stdout.write(`| ${await storm({ services: 1, endpoints, fanOut: 1 })} |\n`);
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
