/** Endpoints come and go by file and by name while a real Envoy serves: nothing is compiled, nothing is released, and only endpoints move. */
import { silentLog } from '../../platform/log';
import { envoyAdmin } from '../../runtime-proxy/agent/envoy-admin';
import { serveControlPlane, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import type { Instance } from '../../runtime-proxy/inventory';
import { serveDns, type DnsServer } from '../kit/dns-server';
import { eventually } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviews, reviewsPrincipal, reviewsWeb, smallMesh } from '../kit/small-mesh';

let compiled = 0;
jest.mock('../../compiler/emit/envoy', () => {
  const real = jest.requireActual<typeof import('../../compiler/emit/envoy')>('../../compiler/emit/envoy');
  return { ...real, emitEnvoy: (...given: Parameters<typeof real.emitEnvoy>) => ((compiled += 1), real.emitEnvoy(...given)) };
});
jest.setTimeout(300_000);

let mesh: RunningMesh;
let dns: DnsServer;
let controlPlane: RunningControlPlane;
const settings = () => ({ servers: [dns.address], minTtlMs: 50, maxTtlMs: 1_000, timeoutMs: 30_000 });
const start = async (): Promise<void> => {
  controlPlane = await serveControlPlane({ ...mesh.controlPlaneConfig, dns: settings() }, { log: silentLog });
};

beforeAll(async () => {
  dns = await serveDns();
  mesh = await runMesh(
    [
      { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
      { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
    ],
    { external: true },
  );
  await start();
  await Promise.all(['page-1', 'reviews-1'].map((id) => mesh.startAgent(id)));
  expect((await mesh.release(objectsOf(smallMesh()))).status).toBe(202);
  await mesh.until('converged', ({ state }) => state === 'converged');
});
afterAll(async () => {
  await mesh?.stop();
  await controlPlane?.close();
  await dns?.close();
});

/** What Envoy itself has in the cluster of `reviews`. */
async function hosts(): Promise<number> {
  const { hosts: byCluster } = await envoyAdmin(present(mesh.agents.get('page-1')).adminSocket).activity();
  return byCluster[reviewsWeb] ?? 0;
}
async function untilHosts(wanted: number): Promise<void> {
  // on a busy machine Envoy's admin may be asked in vain
  const look = (): Promise<number> => hosts().catch(() => -1);
  expect(await eventually(look, (seen) => seen === wanted)).toBe(wanted);
}
type Versions = { readonly [type: string]: readonly { readonly name: string; readonly version: string }[] };
/** Name and version of all that the control plane has for a proxy. */
async function versions(id: string): Promise<Versions> {
  const { json } = await mesh.admin('GET', `/v1/proxies/${id}/config`);
  const config = json as Versions; // decoding: the product's own answer
  return Object.fromEntries(
    ['listeners', 'routes', 'clusters', 'endpoints'].map((type) => [
      type,
      present(config[type]).map(({ name, version }) => ({ name, version })),
    ]),
  );
}
/** What must not move when endpoints do. */
async function still() {
  const { endpoints: _moving, ...rest } = await versions('page-1');
  const status = await mesh.status();
  const proxies = status.proxies.filter(({ instance }) => instance === 'reviews-1').map(({ responses }) => responses);
  return { compiled, rest, callee: await versions('reviews-1'), generation: status.generation, state: status.state, proxies };
}
const only = (index: number): Instance => ({
  id: `vm-${index}`,
  workload: reviews,
  version: 'v1',
  zone: `z${index % 3}`,
  app: {},
  inbound: { web: { host: `127.1.${index >> 8}.${index & 255}`, port: 9080 } },
  endpointOnly: true,
});

test('hundreds of endpoints by file: one EDS version moves, and nothing else does', async () => {
  const before = await still();
  const { endpoints: old } = await versions('page-1');
  await mesh.writeInventory({ instances: [...mesh.inventory.instances, ...Array.from({ length: 400 }, (_, index) => only(index))] });
  await untilHosts(401);
  const { endpoints: grown } = await versions('page-1');
  expect(present(grown).map(({ name }) => name)).toEqual(present(old).map(({ name }) => name));
  expect(grown).not.toEqual(old);
  await mesh.writeInventory({ instances: [...mesh.inventory.instances, ...Array.from({ length: 150 }, (_, index) => only(2 * index))] });
  await untilHosts(151);
  await mesh.writeInventory(mesh.inventory);
  await untilHosts(1);
  expect((await versions('page-1'))['endpoints']).toEqual(old);
  expect(await still()).toEqual(before);
  expect((await mesh.call('page-1', 'reviews.shop:9080', '/reviews/7')).status).toBe(200);
});

test('who is on its way out is away first: it still listens, and nobody is sent there', async () => {
  const before = await still();
  await mesh.writeInventory({
    instances: mesh.inventory.instances.map((one) => (one.id === 'reviews-1' ? { ...one, away: ['web'] } : one)),
  });
  await untilHosts(0);
  expect(await still()).toEqual(before);
  await mesh.writeInventory(mesh.inventory);
  await untilHosts(1);
});

test('by name: what the name servers say moves endpoints; what they cannot say does not, not even over a restart', async () => {
  const before = await still();
  const name = 'reviews.internal.example';
  const addresses = (...list: readonly string[]) => list.map((address) => ({ type: 'A', ttl: 0, address }) as const);
  dns.zone.set(name, addresses('127.2.0.1', '127.2.0.2'));
  const file = { ...mesh.inventory, dns: [{ workload: reviews, version: 'v1', name, ports: { web: 9080 } }] };
  await mesh.writeInventory(file);
  await untilHosts(3);
  dns.zone.set(name, addresses('127.2.0.2', '127.2.0.3', '127.2.0.4'));
  await untilHosts(4);
  dns.zone.set(name, 'SERVFAIL');
  const asked = (): number => dns.asked.get(`A ${name}`) ?? 0;
  const askedAgain = async (from = asked()): Promise<void> => {
    const most = await eventually(asked, (now) => now >= from + 3);
    expect(most).toBeGreaterThanOrEqual(from + 3);
  };
  await askedAgain();
  await untilHosts(4);
  expect(await still()).toEqual(before);
  await controlPlane.close();
  await start();
  await mesh.until('both are back', ({ proxies }) => proxies.filter(({ connected }) => connected).length === 2);
  await askedAgain();
  await untilHosts(4);
  dns.zone.set(name, 'NXDOMAIN');
  await untilHosts(1);
  expect(compiled).toBe(1);
});

test('by SRV, of both families of addresses: Envoy has each at its own port', async () => {
  const target = (name: string, port: number) => ({ type: 'SRV', ttl: 0, priority: 0, weight: 1, port, target: name }) as const;
  dns.zone.set('_web._tcp.reviews.example', [target('four.example', 9081), target('six.example', 9082)]);
  dns.zone.set('four.example', [{ type: 'A', ttl: 0, address: '127.3.0.1' }]);
  dns.zone.set('six.example', [{ type: 'AAAA', ttl: 0, address: '2001:db8:0:0:0:0:0:1' }]);
  const file = { ...mesh.inventory, dns: [{ workload: reviews, version: 'v1', srv: { web: '_web._tcp.reviews.example' } }] };
  await mesh.writeInventory(file);
  await untilHosts(3);
  const { json } = await mesh.admin('GET', '/v1/proxies/page-1/config');
  const [assignment] = (json as { readonly endpoints: readonly unknown[] }).endpoints; // decoding: the product's own answer
  const text = JSON.stringify(assignment);
  expect(text).toContain('{"address":"127.3.0.1","portValue":9081}');
  expect(text).toContain('{"address":"2001:db8:0:0:0:0:0:1","portValue":9082}');
  await mesh.writeInventory(mesh.inventory);
  await untilHosts(1);
});
