/** All routes of a mesh changed in one release under load: no request fails, and each is answered as before the change or as after it. `npm run bench:routes` is the long form. */
import { objectsOf } from '../kit/small-mesh';
import { routedLoad } from '../kit/routed-load';
import { routesMesh, routesWorkloads, type Routes } from '../kit/routes-mesh';
import { runMesh } from '../kit/running-mesh';

jest.setTimeout(1_800_000);

test.each<[Routes, number, 'delta' | 'state-of-the-world']>([
  ['rules', 200, 'delta'],
  ['services', 100, 'delta'],
  ['rules', 200, 'state-of-the-world'],
])('%s: %i routes at once, %s', async (kind, routes, xds) => {
  const mesh = await runMesh(routesWorkloads, { xds });
  try {
    await Promise.all(routesWorkloads.map(({ id }) => mesh.startAgent(id)));
    await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3);
    const release = async (turned: boolean, generation: number): Promise<void> => {
      const { status, json } = await mesh.release(objectsOf(routesMesh(kind, routes, turned)));
      expect([status, json]).toMatchObject([202, {}]);
      await mesh.until('converged', (now) => now.state === 'converged' && now.generation === generation, 120_000);
    };
    await release(false, 1);
    const proxy = mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound;
    if (!proxy) throw new Error('the caller has no outbound address');
    const load = routedLoad({ kind, routes, proxy, perSecond: 200, freshEvery: 4, connections: 16, mostUnderWay: 64 });
    const sentBy = async (count: number): Promise<void> => {
      const until = load.sent() + count;
      while (load.sent() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    let generation = 1;
    for (const turned of [true, false, true]) {
      await sentBy(routes);
      load.set('either');
      await release(turned, (generation += 1));
      load.set(turned ? 'turned' : 'plain');
    }
    await sentBy(routes);
    const report = await load.stop();
    expect(report).toMatchObject({ failed: 0, failures: [], wrong: 0, wrongs: [] });
    expect(report.sent).toBeGreaterThan(4 * routes);
  } finally {
    await mesh.stop();
  }
});
