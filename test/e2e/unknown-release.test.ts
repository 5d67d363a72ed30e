/**
 * A proxy that comes back to a control plane which knows nothing of the release that it serves: it gets what is in force now, in order, and loses nothing
 * before its routes have left it.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import { silentLog } from '../../platform/log';
import { serveControlPlane, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { testRelease } from '../kit/signing';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(300_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
];
let mesh: RunningMesh;
let controlPlane: RunningControlPlane;
const start = async (): Promise<void> => void (controlPlane = await serveControlPlane(mesh.controlPlaneConfig, { log: silentLog }));
afterEach(async () => {
  await mesh?.stop();
  await controlPlane?.close();
});

/** Requests one after another; what is not 200 is kept. */
function load(): { readonly count: () => number; stop(): Promise<readonly string[]> } {
  const bad: string[] = [];
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let [running, sent] = [true, 0];
  const loop = (async () => {
    while (running) {
      sent += 1;
      await mesh.call('page-1', 'reviews.shop:9080', `/load/${sent}`, { agent }).then(
        ({ status, body }) => status === 200 || bad.push(`${status} ${body}`),
        (error: Error) => bad.push(error.message),
      );
    }
  })();
  return {
    count: () => sent,
    async stop() {
      running = false;
      await loop;
      agent.destroy();
      return bad;
    },
  };
}

test.each(['delta', 'state-of-the-world'] as const)(
  '%s: no request fails, and what it serves in the end is the new release',
  async (xds) => {
    mesh = await runMesh(workloads, { external: true, xds });
    await start();
    await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
    expect((await mesh.release(objectsOf(smallMesh({ split: { v1: 100 } })))).status).toBe(202);
    await mesh.until('converged', ({ state }) => state === 'converged');
    const requests = load();
    await controlPlane.close();
    const { stateDir } = mesh.controlPlaneConfig;
    for (const name of await fs.readdir(stateDir)) if (name !== 'identity.json') await fs.rm(`${stateDir}/${name}`, { recursive: true });
    await start();
    await mesh.until('they are back', ({ proxies }) => proxies.filter(({ connected }) => connected).length === 3);
    // what is in force is another release, and so is the one before it
    const objects = objectsOf(smallMesh({ split: { v2: 100 } }));
    const { candidate } = testRelease(objects);
    expect((await mesh.release(objects, { generation: 1, parent: null, stable: candidate })).status).toBe(202);
    await mesh.until('converged', ({ state }) => state === 'converged');
    await mesh.until('all of it active', ({ proxies }) =>
      proxies.every(({ parts }) => parts.outbound.phase === 'active' && parts.inbound.phase === 'active'),
    );
    const before = requests.count();
    while (requests.count() < before + 50) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await requests.stop()).toEqual([]);
    expect((await mesh.call('page-1', 'reviews.shop:9080', '/x')).body).toBe('reviews-2 /x');
  },
);
