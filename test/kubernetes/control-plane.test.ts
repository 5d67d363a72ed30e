/** The control plane on a real API server, with real Envoys: objects and Release come by the API, convergence goes back by it. */
import { createLog, silentLog } from '../../platform/log';
import { serveControlPlane, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { runKubernetesMesh, type KubernetesMesh, type PodSpec } from '../kit/kubernetes-mesh';
import { objectsOf, smallMesh } from '../kit/small-mesh';

jest.setTimeout(180_000);
const page: PodSpec = { name: 'page-1', namespace: 'shop', workload: 'page', serviceAccount: 'page', called: false };
const reviews = (n: number): PodSpec => ({
  ...{ name: `reviews-${n}`, namespace: 'shop', workload: 'reviews', serviceAccount: 'reviews' },
  version: `v${n}`,
  called: true,
});
const host = 'reviews.shop:9080';
const log = { log: process.env['MESHWRIGHT_LOG'] === undefined ? silentLog : createLog('e2e') };
let mesh: KubernetesMesh;
beforeAll(async () => {
  mesh = await runKubernetesMesh(log);
}, 600_000);
afterAll(() => mesh?.stop());

describe('one replica', () => {
  let controlPlane: RunningControlPlane;
  const answered = async (times: number): Promise<readonly string[]> => {
    const bodies: string[] = [];
    for (let turn = 0; turn < times; turn += 1) {
      const { status, body } = await mesh.call(page, host, '/x');
      bodies.push(status === 200 ? (body.split(' ')[0] ?? '') : `${status} ${body}`);
    }
    return [...new Set(bodies)].sort();
  };
  const untilAnswered = async (wanted: readonly string[]): Promise<void> => {
    let seen: readonly string[] = [];
    for (let turn = 0; turn < 100; turn += 1) {
      seen = await answered(10).catch((error: Error) => [error.message]);
      if (seen.join() === wanted.join()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(seen).toEqual(wanted);
  };
  beforeAll(async () => {
    const config = await mesh.controlPlaneConfig('control-plane-0');
    for (const pod of [page, reviews(1), reviews(2)]) await mesh.createPod(pod);
    controlPlane = await serveControlPlane(config, log);
    for (const pod of [page, reviews(1), reviews(2)]) await mesh.startAgent(pod, config.listen);
  });
  afterAll(() => controlPlane?.close());

  test('a Release waits for its objects, says which, and goes on to converged when they are there', async () => {
    const objects = objectsOf(smallMesh());
    const signed = await mesh.release(objects, {}, { putObjects: false });
    const waiting = await mesh.until('waits', ({ conditions }) => conditions?.[0]?.reason === 'ObjectsMissing');
    expect(waiting.message).toMatch(/^generation 1 waits for 3 of its objects: `(Service|Proxy)Config\/shop\//);
    expect(waiting).not.toHaveProperty('converged');
    for (const object of objects) await mesh.put(object);
    const done = await mesh.until('converged', ({ converged }) => converged === signed.digest);
    expect(done).toMatchObject({ state: 'converged', progress: { phase: { kind: 'converged' } } });
    expect(done.conditions?.map(({ type, status }) => [type, status])).toEqual([
      ['Accepted', 'True'],
      ['Converged', 'True'],
      ['Aborted', 'False'],
    ]);
    await mesh.until('all active', ({ proxies }) => proxies?.total === 3 && proxies.active === 3);
    await untilAnswered(['reviews-1', 'reviews-2']);
  });

  test('a pod that is not ready is not called, and is again when it is; nothing is compiled or released for it', async () => {
    await mesh.setReady(reviews(2), false);
    await untilAnswered(['reviews-1']);
    await mesh.setReady(reviews(2), true);
    await untilAnswered(['reviews-1', 'reviews-2']);
  });
});
