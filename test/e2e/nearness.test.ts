/** Nearness as the control plane binds it: two callers in two zones, each sent its own priorities; a change of places needs no release. */
import type { Inventory } from '../../runtime-proxy/inventory';
import { eventually } from '../kit/layered-mesh';
import { resilienceIr } from '../kit/resilience-mesh';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviewsPrincipal } from '../kit/small-mesh';

jest.setTimeout(600_000);
const places: { readonly [id: string]: { readonly region: string; readonly zone: string } } = {
  'page-a': { region: 'eu', zone: 'a' },
  'page-b': { region: 'eu', zone: 'b' },
  'reviews-a': { region: 'eu', zone: 'a' },
  'reviews-b': { region: 'eu', zone: 'b' },
};
let mesh: RunningMesh;
const placed = (change: (id: string) => object = () => ({})): Inventory => ({
  instances: mesh.inventory.instances.map((one) => ({ ...one, ...places[one.id], ...change(one.id) })),
});
beforeAll(async () => {
  mesh = await runMesh([
    { id: 'page-a', workload: 'shop/page', principal: pagePrincipal, ports: [] },
    { id: 'page-b', workload: 'shop/page', principal: pagePrincipal, ports: [] },
    { id: 'reviews-a', workload: 'shop/reviews', principal: reviewsPrincipal, ports: ['web'] },
    { id: 'reviews-b', workload: 'shop/reviews', principal: reviewsPrincipal, ports: ['web'] },
  ]);
  await mesh.writeInventory(placed());
  await Promise.all(Object.keys(places).map((id) => mesh.startAgent(id)));
  const ir = resilienceIr({ resilience: { locality: { kind: 'prefer', nearness: 'zone', failover: [] } } });
  expect((await mesh.release(objectsOf(ir))).status).toBe(202);
  await mesh.until('converged', ({ state }) => state === 'converged');
});
afterAll(() => mesh?.stop());

const answers = async (from: string): Promise<readonly string[]> => {
  const bodies = await Promise.all(Array.from({ length: 10 }, async () => (await mesh.call(from, 'reviews.shop:9080', '/x')).body));
  return [...new Set(bodies)];
};
async function until(from: string, wanted: readonly string[]): Promise<void> {
  const seen = await eventually(
    () => answers(from).catch(() => []),
    (bodies) => bodies.join() === wanted.join(),
  );
  expect([from, seen]).toEqual([from, wanted]);
}

test('each caller stays in its zone, goes on where its endpoint is not well, and comes back', async () => {
  await until('page-a', ['reviews-a /x']);
  await until('page-b', ['reviews-b /x']);
  const { generation } = await mesh.status();
  await mesh.writeInventory(placed((id) => (id === 'reviews-a' ? { health: 'unhealthy' } : {})));
  await until('page-a', ['reviews-b /x']);
  expect(await answers('page-b')).toEqual(['reviews-b /x']);
  await mesh.writeInventory(placed());
  await until('page-a', ['reviews-a /x']);
  // a caller that moves is sent other priorities, though no endpoint moved
  await mesh.writeInventory(placed((id) => (id === 'page-a' ? { zone: 'b' } : {})));
  await until('page-a', ['reviews-b /x']);
  expect((await mesh.status()).generation).toBe(generation);
});
