/** Pulumi's real engine, the real control plane on a real API server, and a real Envoy for each pod; only the Kubernetes provider's plugin is stood in for. */
import * as path from 'node:path';
import type { MeshObject, Release } from '../../core/bundle/objects';
import { deploy, preview, refresh, type DeployTarget } from '../../deploy/automation';
import { resources } from '../../platform/kube';
import { silentLog } from '../../platform/log';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { serveControlPlane, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { runKubernetesMesh, type KubernetesMesh, type PodSpec } from '../kit/kubernetes-mesh';
import { standInPlugins, type StandInPlugins } from '../kit/pulumi-plugins';
import { signTestBundle, testRelease, testReleaseAfter } from '../kit/signing';
import { objectsOf, smallMesh } from '../kit/small-mesh';
import { until } from '../kit/until';

jest.setTimeout(1_800_000);
const page: PodSpec = { name: 'page-1', namespace: 'shop', workload: 'page', serviceAccount: 'page', called: false };
const reviews: PodSpec = {
  name: 'reviews-1',
  namespace: 'shop',
  workload: 'reviews',
  serviceAccount: 'reviews',
  version: 'v1',
  called: true,
};
const host = 'reviews.shop:9080';

/** What Envoy refuses though it can be parsed: every cluster of the service waits less than no time. */
function poisoned(objects: readonly MeshObject[]): readonly MeshObject[] {
  return objects.map((object) =>
    object.kind !== 'ServiceConfig'
      ? object
      : { ...object, spec: { ...object.spec, clusters: object.spec.clusters.map((cluster) => ({ ...cluster, connectTimeout: '-1s' })) } },
  );
}

let mesh: KubernetesMesh;
let controlPlane: RunningControlPlane;
let plugins: StandInPlugins;
let target: DeployTarget;
let live: Release;
const before = process.env['PATH'] ?? '';
const options = { pulumi: '', timeoutMs: 600_000 };

beforeAll(async () => {
  options.pulumi = await obtainPulumi();
  plugins = await standInPlugins();
  process.env['PATH'] = `${plugins.path}${path.delimiter}${before}`;
  mesh = await runKubernetesMesh({ log: silentLog });
  const config = await mesh.controlPlaneConfig('control-plane-0');
  for (const pod of [page, reviews]) await mesh.createPod(pod);
  controlPlane = await serveControlPlane(config, { log: silentLog });
  for (const pod of [page, reviews]) await mesh.startAgent(pod, { addresses: [`${config.listen.host}:${config.listen.port}`] });
  target = {
    kind: 'kubernetes',
    kubeconfig: mesh.server.kubeconfig,
    trustFile: config.trustFile,
    stateDir: path.join(mesh.folder, 'pulumi'),
    stack: 'prod',
  };
}, 25 * 60_000);
afterAll(async () => {
  process.env['PATH'] = before;
  await controlPlane?.close();
  await mesh?.stop();
  await plugins?.close();
});

const put = async (release: Release, objects: readonly MeshObject[]) =>
  deploy(await signTestBundle(mesh.signer, release, objects), target, options);

/** What Envoy's main thread has, its workers have a moment later. */
const untilAnswered = (status: number): Promise<void> =>
  until(`it is answered by ${status}`, async () => (await mesh.call(page, host, '/a').catch(() => null))?.status === status);

test('an update ends when every Envoy is active, and traffic flows', async () => {
  const objects = objectsOf(smallMesh());
  live = testRelease(objects);
  const bundle = await signTestBundle(mesh.signer, live, objects);
  expect(await preview(bundle, target, options)).toMatchObject({ ok: true, empty: false, diagnostics: [] });
  expect(await mesh.kube.get(resources.releases, { namespace: 'meshwright', name: 'prod' })).toBeNull();
  expect(await deploy(bundle, target, options)).toMatchObject({ ok: true, diagnostics: [] });
  expect(await mesh.status()).toMatchObject({ state: 'converged', converged: bundle.release.digest, proxies: { total: 2, active: 2 } });
  await untilAnswered(200);
  expect(await preview(bundle, target, options)).toMatchObject({ ok: true, empty: true });
  expect(await refresh(target, options)).toMatchObject({ ok: true, empty: true });
  expect(await preview(bundle, target, options)).toMatchObject({ ok: true, empty: true });
});

test('what Envoy rejects fails the update in its words, and stable stays in force', async () => {
  const objects = poisoned(objectsOf(smallMesh()));
  const next = testReleaseAfter(live, objects);
  const report = await put(next, objects);
  expect(report.diagnostics).toEqual([
    expect.objectContaining({ code: 'MW7003', message: expect.stringMatching(/page-1.* rejected its outbound configuration/) }),
  ]);
  expect(await mesh.call(page, host, '/b')).toMatchObject({ status: 200 });
  live = next;
});

test('the release after an aborted one converges, and what nobody names any more is gone', async () => {
  const objects = objectsOf(smallMesh({ allowed: false }));
  const next = testReleaseAfter(live, objects, { stable: live.stable });
  expect(await put(next, objects)).toMatchObject({ ok: true, diagnostics: [] });
  expect(await mesh.call(page, host, '/c')).toMatchObject({ status: 403 }); // what is taken away is, by the time an update has ended
  const named = new Set(Object.values({ ...next.stable }).concat(Object.values(next.candidate)));
  for (const resource of [resources.serviceConfigs, resources.proxyConfigs]) {
    for (const { proof } of (await mesh.kube.list(resource)).items)
      expect([...named]).toContain(typeof proof === 'object' && proof !== null && 'digest' in proof ? proof.digest : null);
  }
});
