import { createLog } from '../../platform/log';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';
import { runMesh, type RunningMesh } from '../kit/running-mesh';

jest.setTimeout(120_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
];
const log = process.env['MESHWRIGHT_LOG'] === undefined ? {} : { log: createLog('e2e') };

describe('two real Envoys under one control plane', () => {
  let mesh: RunningMesh;
  beforeAll(async () => {
    mesh = await runMesh(workloads, log);
    await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  });
  afterAll(() => mesh?.stop());

  test('without a release every proxy denies everything; with one it becomes active and traffic flows', async () => {
    await mesh.until('both connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 2);
    await expect(mesh.call('page-1', 'reviews.shop:9080', '/reviews/7')).rejects.toThrow('ECONNREFUSED');
    const { status, json } = await mesh.release(objectsOf(smallMesh()));
    expect([status, json]).toMatchObject([202, { generation: 1 }]);
    await mesh.until('converged', (now) => now.state === 'converged' && now.generation === 1);
    expect(await mesh.call('page-1', 'reviews.shop:9080', '/reviews/7')).toEqual({ status: 200, body: 'reviews-1 /reviews/7' });
  });
});
