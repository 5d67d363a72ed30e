/** A mesh on a machine whose every address that counts is one of IPv6: servers that listen everywhere, proxies, applications. */
import * as net from 'node:net';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(120_000);
let mesh: RunningMesh;
beforeAll(async () => {
  mesh = await runMesh(
    [
      { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
      { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
    ],
    { loopback: '::1', host: '::' },
  );
  await Promise.all(['page-1', 'reviews-1'].map((id) => mesh.startAgent(id)));
  expect((await mesh.release(objectsOf(smallMesh()))).status).toBe(202);
});
afterAll(() => mesh?.stop());

const isOpen = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port }, () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });

test('is rolled out, and answers', async () => {
  await mesh.until('converged', ({ state }) => state === 'converged');
  expect(await mesh.call('page-1', 'reviews.shop:9080', '/reviews/7')).toMatchObject({ status: 200, body: 'reviews-1 /reviews/7' });
});
test('the control plane, at `::`, is reached by both families; a proxy by its own alone', async () => {
  const { port } = mesh.controlPlaneConfig.listen;
  expect([await isOpen('::1', port), await isOpen('127.0.0.1', port)]).toEqual([true, true]);
  const inbound = present(mesh.inventory.instances.find(({ id }) => id === 'reviews-1')?.inbound['web']);
  expect([await isOpen('::1', inbound.port), await isOpen('127.0.0.1', inbound.port)]).toEqual([true, false]);
});
