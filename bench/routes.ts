/**
 * A live change of very many routes under load: `npm run bench:routes [-- <routes> <requests a second> <delta|state-of-the-world>]`. A real control plane, three
 * real Envoys with their agents, and releases that each change every route, as rules of one service and as routes of as many services. Prints tables for docs/benchmarks.md.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { objectsOf } from '../test/kit/small-mesh';
import type { RoutedLoadReport } from '../test/kit/routed-load';
import { routesMesh, routesWorkloads, type Routes } from '../test/kit/routes-mesh';
import { runMesh } from '../test/kit/running-mesh';
import type { ToLoad } from './routed-load';

interface Plan {
  readonly kind: Routes;
  readonly routes: number;
  readonly perSecond: number;
  readonly xds: 'delta' | 'state-of-the-world';
}
interface Measured {
  readonly report: RoutedLoadReport;
  /** Of each change, until the last proxy was active. */
  readonly activeMs: readonly number[];
  /** Of the caller's routes, as JSON. */
  readonly bytes: number;
}
const changes = 5;

async function measure({ kind, routes, perSecond, xds }: Plan): Promise<Measured> {
  const mesh = await runMesh(routesWorkloads, { xds });
  // whoever asked is gone: proxies must not outlive it
  process.once('disconnect', () => void mesh.stop().finally(() => process.exit(1)));
  try {
    await Promise.all(routesWorkloads.map(({ id }) => mesh.startAgent(id)));
    await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3, 60_000);
    const both = [false, true].map((turned) => objectsOf(routesMesh(kind, routes, turned)));
    let generation = 0;
    /** Milliseconds from the release being taken until the last proxy is active. */
    const release = async (turned: boolean): Promise<number> => {
      generation += 1;
      const { status, json } = await mesh.release(both[turned ? 1 : 0] ?? []);
      if (status !== 202) throw new Error(`the release was refused: ${JSON.stringify(json)}`);
      const { startedAt, convergedAt } = await mesh.until(
        'converged',
        (now) => now.state === 'converged' && now.generation === generation,
        120_000,
      );
      return (convergedAt ?? Number.NaN) - (startedAt ?? Number.NaN);
    };
    await release(false);
    const proxy = mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound;
    if (!proxy) throw new Error('the caller has no outbound address');
    const load = fork(join(__dirname, 'routed-load.js'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const tell = (message: ToLoad): void => void load.send(message);
    process.once('disconnect', () => load.kill());
    const died = once(load, 'exit').then(([code]) => Promise.reject(new Error(`the load ended with ${code}`)));
    died.catch(() => undefined); // told to whoever waits
    const hear = async <T>(): Promise<T> => {
      const [message]: readonly unknown[] = await Promise.race([once(load, 'message'), died]);
      return message as T; // our own process answers as its messages say
    };
    tell({ kind: 'start', plan: { kind, routes, proxy, perSecond, freshEvery: 20, connections: 64 } });
    await sleep(3_000);
    const activeMs: number[] = [];
    for (let change = 0; change < changes; change += 1) {
      const turned = change % 2 === 0;
      tell({ kind: 'right', right: 'either' });
      await hear();
      activeMs.push(await release(turned));
      tell({ kind: 'right', right: turned ? 'turned' : 'plain' });
      await hear();
      await sleep(2_000);
    }
    tell({ kind: 'stop' });
    const report = await hear<RoutedLoadReport>();
    const config = await mesh.admin('GET', '/v1/proxies/page-1/config');
    return { report, activeMs, bytes: Buffer.byteLength(JSON.stringify((config.json as { readonly routes?: unknown }).routes)) }; // the admin API's own answer
  } finally {
    await mesh.stop();
  }
}

/** In a process of its own: proxies write their access logs where it writes. */
async function measured(plan: Plan): Promise<Measured> {
  const child = fork(__filename, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  child.send(plan);
  const answered = once(child, 'message');
  answered.catch(() => undefined);
  const [message]: readonly unknown[] = await Promise.race([answered, once(child, 'exit')]);
  if (typeof message !== 'object' || message === null) throw new Error(`the measurement ended with ${String(message)}`);
  return message as Measured; // our own process answers what `measure` gives
}

async function main(routes: number, perSecond: number, xds: Plan['xds']): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(`${routes} routes, ${perSecond} requests a second asked for, ${xds}; ${changes} releases, each of which changes every route\n`);
  say(
    '| routes of | requests | on connections of their own | a second | failed | wrong | p50 | p99 | slowest | release taken to last proxy active | routes, as JSON |',
  );
  say('|---|---|---|---|---|---|---|---|---|---|---|');
  let bad = 0;
  for (const kind of ['rules', 'services'] as const) {
    const { report, activeMs, bytes } = await measured({ kind, routes, perSecond, xds });
    const { sent, fresh, seconds, failed, wrong, latency } = report;
    bad += failed + wrong;
    const cells = [
      kind === 'rules' ? 'one service' : `${routes} services`,
      ...[sent, fresh, Math.round(sent / seconds), failed, wrong],
      ...[`${latency.p50.toFixed(1)} ms`, `${latency.p99.toFixed(1)} ms`, `${latency.max.toFixed(0)} ms`],
      activeMs.map((ms) => `${ms} ms`).join(', '),
      `${Math.round(bytes / 1024)} KiB`,
    ];
    say(`| ${cells.join(' | ')} |`);
    for (const line of [...report.failures, ...report.wrongs]) process.stderr.write(`${line}\n`);
  }
  process.exitCode = bad === 0 ? 0 : 1;
}

const fail = (error: unknown): void => {
  process.stderr.write(`bench: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
};
if (process.send) {
  process.once('message', (plan: Plan) => {
    measure(plan).then((result) => process.send?.(result, () => process.exit(0)), fail);
  });
} else {
  const [routes = '1000', perSecond = '2000', xds] = process.argv.slice(2);
  main(Number(routes), Number(perSecond), xds === 'state-of-the-world' ? xds : 'delta').catch(fail);
}
