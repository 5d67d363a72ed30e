/** The changes that are most dangerous for requests under way, with real Envoys: each under constant traffic that is legal before and after, on kept connections and on new ones. */
import * as fs from 'node:fs/promises';
import type { MeshObject } from '../../core/bundle/objects';
import type { MeshIr, ServicePort } from '../../core/ir/ir';
import type { Inventory } from '../../runtime-proxy/inventory';
import { eventually } from '../kit/layered-mesh';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { edgePrincipal, meshWithGateway, objectsOf, pagePrincipal, reviewsPrincipal } from '../kit/small-mesh';
import { meanwhile, traffic, type Traffic } from '../kit/traffic';

jest.setTimeout(600_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
  { id: 'edge-1', workload: 'shop/edge', principal: edgePrincipal, ports: [], listeners: ['https'] },
];
const base: MeshIr = meshWithGateway();
const withPort = (change: (port: ServicePort) => ServicePort): MeshIr => ({
  ...base,
  services: base.services.map((service) => ({ ...service, ports: service.ports.map(change) })),
});
const toVersions = (...versions: readonly string[]): MeshIr => ({
  ...base,
  routes: base.routes.map((table) => ({
    ...table,
    rules: table.rules.map((rule) => {
      if (rule.action.kind !== 'forward') return rule;
      const [target] = rule.action.to;
      const to = target ? versions.map((version, index) => ({ ...target, version, weight: index === 0 ? 101 - versions.length : 1 })) : [];
      return { ...rule, action: { ...rule.action, to } };
    }),
  })),
});
const withHost = (host: string): MeshIr => ({
  ...base,
  gateways: base.gateways.map((gateway) => ({
    ...gateway,
    listeners: gateway.listeners.map((listener) => ({
      ...listener,
      hosts: [...listener.hosts, { host, team: 'shop' }].sort((a, b) => (a.host < b.host ? -1 : 1)),
    })),
  })),
});

const renamed: MeshIr = JSON.parse(
  JSON.stringify(withPort((port) => ({ ...port, name: 'http' }))).replaceAll('shop/reviews.web', 'shop/reviews.http'),
);
/** The same places, each also under the port's other name. */
const underBothNames = (inventory: Inventory): Inventory => ({
  instances: inventory.instances.map((one) => {
    const [app, inbound] = [one.app['web'], one.inbound['web']];
    return app && inbound ? { ...one, app: { ...one.app, http: app }, inbound: { ...one.inbound, http: inbound } } : one;
  }),
});

let mesh: RunningMesh;
let inventory: Inventory;
let generation = 0;
const release = async (ir: MeshIr): Promise<void> => {
  const { status, json } = await mesh.release(objectsOf(ir));
  expect([status, json]).toMatchObject([202, {}]);
  generation += 1;
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === generation, 60_000);
};

const running = async (): Promise<Traffic> =>
  traffic(mesh, {
    ...{ perSecond: 120, trust: await fs.readFile(mesh.ca.trustFile), ask: (index) => ({ path: `/n/${index}` }) },
    isGood: (status, body) => status === 200 && /^reviews-[12] \/n\/\d+$/.test(body),
  });

beforeAll(async () => {
  mesh = await runMesh(workloads, {
    certificates: { 'shop/edge-cert': { hosts: ['shop.example', 'also.example'], principals: [edgePrincipal] } },
    // what is under way when a listener goes is cut off after it: no machine is that slow
    agent: { listenerDrainSeconds: 10 },
  });
  inventory = underBothNames(mesh.inventory);
  await mesh.writeInventory(inventory);
  await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 4);
  await release(base);
});
afterAll(() => mesh?.stop());

test.each<[string, MeshIr]>([
  [
    'settings of a cluster, so that it warms anew',
    withPort((port) => ({
      ...port,
      resilience: { ...port.resilience, connections: { ...port.resilience.connections, max: 500, connectTimeoutMs: 50_000 } },
    })),
  ],
  ['the number of a port', withPort((port) => ({ ...port, number: 9443 }))],
  ['the name of a port, which stays where it is', renamed],
  ['a version', toVersions('v1')],
  ['a split', toVersions('v1', 'v2')],
  ["a port's URL dialect, which is its listener's", withPort((port) => ({ ...port, urls: 'case-insensitive' }))],
  ["a port's encryption, so that its listener is another", withPort((port) => ({ ...port, mtls: 'permissive' }))],
  ["a gateway's hosts", withHost('also.example')],
])('%s is changed and changed back: no request fails', async (_, changed) => {
  const bad = await meanwhile(await running(), async ({ sent }) => {
    await release(changed);
    await sent(60);
    await release(base);
  });
  expect(bad).toEqual([]);
});

test('every endpoint is replaced by another: no request fails', async () => {
  const called = (): Promise<string> =>
    mesh.admin('GET', '/v1/proxies/page-1/config').then(({ json }) => JSON.stringify((json as { readonly endpoints: unknown }).endpoints)); // the admin API's own answer
  const portOf = (id: string): number => mesh.inventory.instances.find((one) => one.id === id)?.inbound['web']?.port ?? 0;
  const callersKnow = async (id: string, there: boolean): Promise<void> => {
    const known = async (): Promise<boolean> => (await called()).includes(`"portValue":${portOf(id)}`);
    expect(await eventually(known, (now) => now === there)).toBe(there);
  };
  const bad = await meanwhile(await running(), async ({ sent }) => {
    for (const id of ['reviews-2', 'reviews-1', 'reviews-2']) {
      await sent(30);
      await mesh.writeInventory({ instances: inventory.instances.filter((one) => one.id !== id) });
      await callersKnow(id, false);
      await sent(30);
      await mesh.writeInventory(inventory);
      await callersKnow(id, true);
    }
  });
  expect(bad).toEqual([]);
});

test('a host of a gateway whose routes Envoy refuses: everything is stable again, and nothing is left over', async () => {
  const spoilt = objectsOf(withHost('also.example')).map((object): MeshObject =>
    object.kind === 'ProxyConfig' && object.spec.workload === 'shop/edge'
      ? {
          ...object,
          spec: {
            ...object.spec,
            outbound: {
              ...object.spec.outbound,
              routes: object.spec.outbound.routes.map((routes) =>
                routes['name'] === 'gateway/https/also.example'
                  ? { ...routes, virtualHosts: [{ name: 'twice', domains: ['*', '*'], routes: [] }] }
                  : routes,
              ),
            },
          },
        }
      : object,
  );
  const bad = await meanwhile(await running(), async () => {
    expect((await mesh.release(spoilt)).status).toBe(202);
    generation += 1;
    await mesh.until('aborted', (now) => now.state === 'aborted' && now.generation === generation);
    await mesh.until('back', (now) =>
      now.proxies.every(({ parts }) => parts.outbound.phase === 'active' && parts.outbound.set === 'stable'),
    );
    await release(withHost('also.example'));
    await release(base);
  });
  expect(bad).toEqual([]);
});
