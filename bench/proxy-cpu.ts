/**
 * What our configuration costs a proxy: `npm run bench:proxy`. CPU seconds per request of a caller's and a destination's Envoy (from /proc) with the emitted
 * configuration, against the same two Envoys with one bare route, without TLS and with the same mutual TLS; the application is an Envoy that answers at once.
 * All in one run, turn by turn, so that only the ratios are to be read: latency on a shared machine says little.
 */
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as os from 'node:os';
import { compile } from '../compiler/pipeline';
import { emitEnvoy } from '../compiler/emit/envoy';
import type { Json, JsonObject } from '../core/lib/json';
import { sourceTree } from '../core/source';
import { freePorts } from '../platform/ports';
import { isList, isRecord } from '../runtime-proxy/bind/addresses';
import type { BoundProxy } from '../runtime-proxy/bind/bind';
import { staticBootstrap } from '../runtime-proxy/validate/static-bootstrap';
import { testAuthority } from '../test/kit/certificates';
import { constantArrival } from '../test/kit/constant-arrival';
import { startEnvoy, type RunningEnvoy } from '../test/kit/envoy';
import { generatePolicies } from '../test/kit/policy-generator';
import { layOut, wholeMesh, type EnvoySide } from '../test/kit/whole-mesh';
import { median } from './median';

const perSecond = 1_000;
const seconds = 10;
const turns = 3;
/** USER_HZ: the unit of /proc/<pid>/stat, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** CPU seconds of a process so far, all its threads (proc(5): utime and stime). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
async function residentMiB(pid: number): Promise<number> {
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

type Edit = (key: string, value: Json) => Json | undefined;
/** Every member as `edit` has it; undefined takes it away. */
function edited(value: Json, edit: Edit): Json {
  if (isList(value)) return value.map((inner) => edited(inner, edit));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const made = edit(key, inner);
      return made === undefined ? [] : [[key, made === inner ? edited(inner, edit) : made]];
    }),
  );
}
/** The same Envoys with one route to one cluster and no filter but the router. */
function bare(side: EnvoySide, cluster: string, encrypted: boolean): EnvoySide {
  const edit: Edit = (key, value) => {
    if (key === 'httpFilters' && isList(value)) return value.slice(-1);
    if (key === 'accessLog' || key === 'localReplyConfig' || (key === 'transportSocket' && !encrypted)) return undefined;
    if (key === 'virtualHosts')
      return [{ name: 'bare', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster, timeout: '15s' } }] }];
    return value;
  };
  const all = (resources: BoundProxy['listeners']): BoundProxy['listeners'] =>
    resources.map((resource) => {
      const json = edited(resource.json, edit);
      return isRecord(json) ? { ...resource, json } : resource;
    });
  const { listeners, routes, clusters, endpoints } = side.proxy;
  return { ...side, proxy: { listeners: all(listeners), routes: all(routes), clusters: all(clusters), endpoints } };
}

/** An application that answers at once, over HTTP/1.1. */
const application = (ports: readonly number[], adminPort: number): JsonObject => ({
  admin: { address: { socketAddress: { address: '127.0.0.1', portValue: adminPort } } },
  staticResources: {
    listeners: ports.map((port) => ({
      name: `app-${port}`,
      address: { socketAddress: { address: '127.0.0.1', portValue: port } },
      filterChains: [
        {
          filters: [
            {
              name: 'http',
              typedConfig: {
                '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                statPrefix: 'app',
                httpFilters: [
                  { name: 'router', typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } },
                ],
                routeConfig: {
                  virtualHosts: [
                    {
                      name: 'app',
                      domains: ['*'],
                      routes: [{ match: { prefix: '/' }, directResponse: { status: 200, body: { inlineString: 'x'.repeat(1_024) } } }],
                    },
                  ],
                },
              },
            },
          ],
        },
      ],
    })),
  },
});

interface Spent {
  readonly caller: number;
  readonly destination: number;
}
/** CPU milliseconds per request of both proxies under one configuration. */
async function spent(sides: readonly [EnvoySide, EnvoySide], outbound: number, host: string): Promise<Spent & { readonly memory: number }> {
  const running: RunningEnvoy[] = [];
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  try {
    for (const side of sides) {
      const [adminPort = 0] = await freePorts(1);
      const { proxy, secrets, assignments } = side;
      running.push(await startEnvoy(staticBootstrap({ proxies: [proxy], adminPort, secrets, assignments }), adminPort));
    }
    const get = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const request = http.get({ agent, host: '127.0.0.1', port: outbound, path: '/items/7', headers: { host } }, (answer) => {
          answer.resume();
          answer.once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`answered ${answer.statusCode}`))));
        });
        request.once('error', reject);
      });
    await constantArrival(perSecond, get, { total: perSecond * 2 }).finished;
    const pids = running.map(({ pid }) => pid);
    const before = await Promise.all(pids.map(cpuSeconds));
    const requests = perSecond * seconds;
    await constantArrival(perSecond, get, { total: requests }).finished;
    const after = await Promise.all(pids.map(cpuSeconds));
    const [caller = Number.NaN, destination = Number.NaN] = pids.map(
      (_, index) => (((after[index] ?? 0) - (before[index] ?? 0)) * 1000) / requests,
    );
    return { caller, destination, memory: Math.max(...(await Promise.all(pids.map(residentMiB)))) };
  } finally {
    agent.destroy();
    for (const envoy of running) await envoy.stop();
  }
}

/** One destination with so many callers, and a rule for each. */
async function measure(callers: number): Promise<void> {
  const { irs } = await compile(sourceTree(generatePolicies(callers + 1, callers)), { asOf: '2026-11-22', typecheck: false });
  const ir = irs.get('prod');
  const objects = ir && emitEnvoy(ir).value;
  if (!ir || !objects) throw new Error('the generated mesh does not compile');
  const all = await layOut(ir);
  const instances = all.instances.filter(({ workload }) => workload === 'ns0/s0' || workload === 'ns0/s1');
  const mesh = await wholeMesh(ir, objects, { instances }, await testAuthority(ir.trustDomain));
  const caller = instances.find(({ workload }) => workload === 'ns0/s1');
  const own = (side: EnvoySide, ids: (name: string) => boolean): EnvoySide => ({
    ...side,
    proxy: { ...side.proxy, listeners: side.proxy.listeners.filter(({ name }) => ids(name)) },
  });
  const callerId = caller?.id ?? '';
  const client = own(mesh.client, (name) => name.startsWith(`${callerId}:`));
  const server = own(mesh.server, (name) => !name.startsWith('ns0-s1'));
  const toService = client.proxy.clusters.find(({ name }) => name.startsWith(`${callerId}:`) && name.includes('ns0/s0.web'))?.name ?? '';
  const toApp = server.proxy.clusters.find(({ name }) => name.endsWith(':app/web') && name.startsWith('ns0-s0'))?.name ?? '';
  const [adminPort = 0] = await freePorts(1);
  const app = await startEnvoy(application([...mesh.apps.keys()], adminPort), adminPort);
  const kinds = new Map<string, readonly [EnvoySide, EnvoySide]>([
    ['bare route, no TLS', [bare(client, toService, false), bare(server, toApp, false)]],
    ['bare route, mutual TLS', [bare(client, toService, true), bare(server, toApp, true)]],
    ['our configuration', [client, server]],
  ]);
  try {
    const found = new Map<string, (Spent & { readonly memory: number })[]>();
    for (let turn = 0; turn < turns; turn += 1)
      for (const [kind, sides] of kinds)
        found.set(kind, [...(found.get(kind) ?? []), await spent(sides, caller?.outbound?.port ?? 0, 's0.ns0:8080')]);
    const of = (kind: string, side: keyof Spent): number => median((found.get(kind) ?? []).map((one) => one[side]));
    const base = 'bare route, mutual TLS';
    for (const kind of kinds.keys()) {
      const cells = (['caller', 'destination'] as const).map(
        (side) => `${(of(kind, side) * 1000).toFixed(0)} µs | ${(of(kind, side) / of(base, side)).toFixed(2)}`,
      );
      const memory = median((found.get(kind) ?? []).map((one) => one.memory));
      process.stdout.write(`| ${callers} | ${kind} | ${cells.join(' | ')} | ${memory} MiB |\n`);
    }
  } finally {
    await app.stop();
  }
}

async function main(): Promise<void> {
  process.stdout.write(
    `${os.cpus().length} x ${os.cpus()[0]?.model ?? '?'}; ${perSecond} requests a second for ${seconds} s, median of ${turns}\n\n`,
  );
  process.stdout.write(
    '| callers with a rule each | configuration | CPU per request at the caller | ratio | at the destination | ratio | memory |\n',
  );
  process.stdout.write('|---|---|---|---|---|---|---|\n');
  for (const callers of [8, 64]) await measure(callers);
}

main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
