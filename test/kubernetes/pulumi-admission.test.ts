/**
 * A preview is green exactly when the update succeeds: ten bundles that are right and ten that are not, the admission webhook in front of a real API server,
 * Pulumi's real engine. The update of each is tried as well, whatever its preview said.
 */
import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { releaseResource } from '../../core/bundle/custom-resource';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { objectResources } from '../../core/bundle/parts';
import type { TrustRoot } from '../../core/bundle/trust';
import { digestOfJson } from '../../core/lib/digest';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { deploy, preview, type DeployTarget } from '../../deploy/automation';
import type { DeployReport } from '../../deploy/report';
import { kubeObject, resources } from '../../platform/kube';
import type { RunningWebhook } from '../../webhook/main';
import { fakeControlPlane, type FakeControlPlane } from '../kit/fake-control-plane';
import { patientKube } from '../kit/patient-kube';
import { startPulumiCluster, type PulumiCluster } from '../kit/pulumi-cluster';
import { newTestSigner, signTestBundle, signTestObject, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';
import { installed, webhookFiles } from '../kit/webhook';

jest.setTimeout(1_800_000);

const service = (port: string, timeout = '1s', namespace = 'shop'): MeshObject => ({
  apiVersion,
  kind: 'ServiceConfig',
  metadata: { namespace, name: `cart.${port}` },
  spec: {
    port: portKey(workloadKey(namespace, 'cart'), port),
    envoyRange: { min: '1.40.0', below: '2.0.0' },
    virtualHost: {
      name: `cart.${port}`,
      domains: [`cart.${namespace}`],
      routes: [{ match: { prefix: '/' }, route: { cluster: 'cart', timeout } }],
    },
    clusters: [{ name: 'cart', type: 'EDS' }],
    endpoints: [],
  },
});
const rules = (): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { environment: 'prod', trustDomain: 'shop.example', namespaces: ['shop'], deploys: [] },
});

let cluster: PulumiCluster;
let webhook: RunningWebhook;
let plane: FakeControlPlane;
let signer: TestSigner;
let stranger: TestSigner;
let previewSigner: TestSigner;
let target: DeployTarget & { readonly kind: 'kubernetes' };
let notDeployer: string;

beforeAll(async () => {
  cluster = await startPulumiCluster(['shop']);
  const { server, folder } = cluster;
  [signer, stranger, previewSigner] = await Promise.all([newTestSigner(), newTestSigner(), newTestSigner()]);
  const trust: TrustRoot = { environments: { prod: { keys: [signer.jwk], previewKeys: [previewSigner.jwk], generationFloor: 0 } } };
  webhook = await installed(server, await webhookFiles(folder, trust, server.kubeconfig));
  const masters = 'system:masters';
  const controlPlane = await server.kubeconfigFor('system:serviceaccount:meshwright:control-plane', [masters]);
  plane = fakeControlPlane(await patientKube(controlPlane));
  notDeployer = await server.kubeconfigFor('mallory', [masters]);
  target = {
    kind: 'kubernetes',
    kubeconfig: await server.kubeconfigFor('ann', ['release-team', masters]),
    stateDir: path.join(folder, 'state'),
    stack: 'prod',
  };
}, 20 * 60_000);
afterAll(async () => {
  plane?.close();
  await webhook?.close();
  await cluster?.close();
});

/** What is live: the last release that converged, and its objects. */
let live: { readonly release: Release; readonly objects: readonly MeshObject[] } | null = null;
const next = (objects: readonly MeshObject[], change: Partial<Release> = {}): Release =>
  live === null ? testRelease(objects, change) : testReleaseAfter(live.release, objects, change);

const errors = (report: DeployReport): readonly string[] =>
  report.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
const liveDigest = async (): Promise<unknown> => {
  const resource = await cluster.kube.get(resources.releases, { namespace: 'meshwright', name: 'prod' });
  const proof = resource?.['proof'];
  return typeof proof === 'object' && proof !== null && 'digest' in proof ? proof.digest : null;
};

/** What the server says when the same is written to it without any preview: the first refusal. */
async function written(bundle: Bundle, kubeconfig: string): Promise<string | null> {
  const kube = await patientKube(kubeconfig);
  const kinds = { ServiceConfig: resources.serviceConfigs, ProxyConfig: resources.proxyConfigs, AdmissionRules: resources.admissionRules };
  try {
    for (const signed of bundle.objects) {
      for (const resource of objectResources(signed, 'prod'))
        await kube.apply(kinds[signed.object.kind], kubeObject(resource), { fieldManager: 'meshwright' });
    }
    await kube.apply(resources.releases, kubeObject(releaseResource(bundle.release)), { fieldManager: 'meshwright' });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Preview and update; both must agree. */
async function tried(bundle: Bundle, to: DeployTarget = target): Promise<{ readonly ok: boolean; readonly why: readonly string[] }> {
  const options = { pulumi: cluster.cli, timeoutMs: 300_000 };
  const before = await liveDigest();
  const planned = await preview(bundle, to, options);
  expect(await liveDigest()).toBe(before);
  const done = await deploy(bundle, to, options);
  expect({ preview: planned.ok, why: errors(planned) }).toEqual({ preview: done.ok, why: errors(done) });
  if (!done.ok) expect(await liveDigest()).toBe(before);
  return { ok: done.ok, why: errors(planned) };
}

const good: readonly (readonly [string, () => readonly MeshObject[]])[] = [
  ['a first release', () => [rules()]],
  ['an object more', () => [rules(), service('web')]],
  ['another object', () => [rules(), service('web'), service('admin')]],
  ['an object changed', () => [rules(), service('web', '2s'), service('admin')]],
  ['two changed', () => [rules(), service('web', '3s'), service('admin', '3s')]],
  ['an object less', () => [rules(), service('web', '3s')]],
  ['back to what was before', () => [rules(), service('web', '2s'), service('admin')]],
  ['only the objects of a namespace', () => [service('web', '2s'), service('admin')]],
  ['the same objects by another commit', () => [service('web', '2s'), service('admin')]],
  ['none but the rules', () => [rules()]],
];

test.each(good)('right: %s', async (_what, objects) => {
  const release = next(objects(), { commit: digestOfJson(`${_what}`).slice(7, 47) });
  const bundle = await signTestBundle(signer, release, objects());
  expect(await tried(bundle)).toEqual({ ok: true, why: [] });
  live = { release, objects: objects() };
});

const altered = (bundle: Bundle, edit: (object: MeshObject) => MeshObject): Bundle => ({
  ...bundle,
  objects: bundle.objects.map((signed) => (signed.object.kind === 'ServiceConfig' ? { ...signed, object: edit(signed.object) } : signed)),
});
const objects = (): readonly MeshObject[] => [rules(), service('web', '9s')];
interface Bad {
  readonly what: string;
  /** What the codes told begin with. */
  readonly code: string;
  readonly make: () => Promise<Bundle>;
  readonly as?: () => string;
}
const bundled = (change: Partial<Release> = {}, by = signer): Promise<Bundle> => signTestBundle(by, next(objects(), change), objects());
const bad: readonly Bad[] = [
  {
    what: 'a field altered after signing',
    code: 'MW8',
    make: async () => altered(await bundled(), () => service('web', '1000s')),
  },
  {
    what: 'objects that nobody signed',
    code: 'MW7024',
    make: async () => {
      const bundle = await bundled();
      return { ...bundle, objects: bundle.objects.map((signed) => ({ ...signed, jws: '' })) };
    },
  },
  { what: 'a key that nobody trusts', code: 'MW8', make: () => bundled({}, stranger) },
  { what: 'another parent', code: 'MW8', make: () => bundled({ parent: digestOfJson('else') }) },
  { what: 'a generation too many', code: 'MW8', make: () => bundled({ generation: 99 }) },
  { what: 'a release whose time is over', code: 'MW8', make: () => bundled({ notAfter: '2020-01-01T00:00:00Z' }) },
  {
    what: 'another environment',
    code: 'MW8',
    make: async () => ({
      ...(await bundled()),
      objects: await Promise.all(objects().map((object) => signTestObject(signer, object, 'staging'))),
    }),
  },
  { what: 'somebody who may not deploy', code: 'MW8', make: () => bundled(), as: () => notDeployer },
  {
    what: 'a namespace that is not there',
    code: 'MW7022',
    make: () => {
      const there = [...objects(), service('web', '1s', 'nowhere')];
      return signTestBundle(signer, next(there), there);
    },
  },
  {
    what: 'a stable set that is not what is in force',
    code: 'MW8',
    make: () => bundled({ stable: { 'ServiceConfig/shop/cart.web': digestOfJson('x') } }),
  },
];

test.each(bad)('wrong: $what', async ({ code, make, as }) => {
  const kubeconfig = as === undefined ? target.kubeconfig : as();
  const { ok, why } = await tried(await make(), { ...target, kubeconfig });
  expect({ ok, why }).toEqual({ ok: false, why: expect.arrayContaining([expect.stringContaining(code)]) });
  expect(await written(await make(), kubeconfig)).not.toBeNull();
});

test('a preview key is good for a preview and for nothing else', async () => {
  const options = { pulumi: cluster.cli, timeoutMs: 300_000 };
  const dry = await signTestBundle(previewSigner, next(objects()), objects());
  expect(await preview(dry, target, options)).toMatchObject({ ok: true });
  const before = await liveDigest();
  expect(await deploy(dry, target, options)).toMatchObject({ ok: false });
  expect(await liveDigest()).toBe(before);
});
