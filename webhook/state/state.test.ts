/** What is followed, from a stand-in for the API server: which rules are in force, and what is said when they cannot be had. */
import { meshNamespace, objectResource, releaseResource } from '../../core/bundle/custom-resource';
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import { kubeObject, resources, type KubeObject } from '../../platform/kube';
import { silentLog } from '../../platform/log';
import { kubeStub, type KubeStub } from '../../test/kit/kube-stub';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../../test/kit/signing';
import { until } from '../../test/kit/until';
import type { StateSnapshot, Trusted } from '../admit/context';
import { signatureCache } from '../admit/signatures';
import { failModesIn } from './fail-modes';
import { parseKeys } from './issuer-keys';
import { followState, type WebhookState } from './state';

let signer: TestSigner;
let kube: KubeStub;
let state: WebhookState;
let trusted: Trusted;
beforeEach(async () => {
  signer = await newTestSigner();
  kube = kubeStub();
  trusted = { root: { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }, version: 1 };
  state = followState({ kube, environment: 'prod', trust: () => trusted, signatures: signatureCache(), log: silentLog });
  await state.ready;
});
afterEach(() => state.close());

const rules = (spec: Partial<AdmissionRulesSpec> = {}): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: meshNamespace, name: 'rules' },
  spec: JSON.parse(JSON.stringify({ environment: 'prod', trustDomain: 'mesh.test', ...spec })),
});
const stored = async (object: MeshObject, by = signer): Promise<KubeObject> =>
  kubeObject(objectResource(await signTestObject(by, object, 'prod'), 'prod'));
const release = async (content: Release, phase: string | null): Promise<KubeObject> => ({
  ...kubeObject(releaseResource(await signTestRelease(signer, content))),
  ...(phase === null ? {} : { status: { progress: { release: digestOfJson(content), phase: { kind: phase } } } }),
});
const seen = async (holds: (snapshot: StateSnapshot) => boolean): Promise<StateSnapshot> => {
  await until(
    'it is seen',
    () => holds(state.snapshot()),
    () => state.snapshot().rules,
  );
  return state.snapshot();
};
const reason = ({ rules: now }: StateSnapshot): string => (now.kind === 'unknown' ? now.reason : now.kind);

test('rules are in force when the set in force names them: a candidate once it has converged, and not after an abort', async () => {
  const before = rules();
  const after = rules({ namespaces: ['shop'] });
  kube.set(resources.admissionRules, [await stored(before), await stored(after)]);
  expect(state.snapshot()).toMatchObject({ synced: true, live: null, rules: { kind: 'none' } });
  const first = testRelease([before]);
  kube.set(resources.releases, [await release(first, null)]);
  await seen(({ live }) => live !== null);
  expect(state.snapshot().rules.kind).toBe('none'); // nothing was in force before it
  kube.set(resources.releases, [await release(first, 'converged')]);
  await seen((snapshot) => snapshot.rules.kind === 'known');
  expect(state.rulesGeneration()).toBe(1);
  const size = (snapshot: StateSnapshot): number => (snapshot.rules.kind === 'known' ? snapshot.rules.index.size : -1);
  const next = testReleaseAfter(first, [rules({ deploys: [{ id: 'a/b' as never, mode: 'deny', namespace: 'shop', by: [] }] })]);
  kube.set(resources.releases, [await release(next, 'aborted')]);
  await seen(({ live }) => live !== null && live !== 'unreadable' && live.generation === 2);
  expect(size(state.snapshot())).toBe(0);
  kube.set(resources.releases, []);
  await seen(({ live }) => live === null);
  expect(state.snapshot().rules.kind).toBe('none');
});

test('a release that is seen before the rules it names: what was in force stays until they are fetched, and is never unknown', async () => {
  const [before, after] = [rules(), rules({ namespaces: ['shop'] })];
  const [first, second] = [testRelease([before]), testReleaseAfter(testRelease([before]), [after])];
  kube.set(resources.admissionRules, [await stored(before)]);
  kube.set(resources.releases, [await release(first, 'converged')]);
  await seen((snapshot) => snapshot.rules.kind === 'known');
  const kinds = new Set<string>();
  const watching = setInterval(() => kinds.add(state.snapshot().rules.kind), 0);
  kube.setUnseen(resources.admissionRules, [await stored(before), await stored(after)]);
  kube.set(resources.releases, [await release(second, 'rolling')]);
  await seen(({ live }) => live !== null && live !== 'unreadable' && live.generation === 2);
  expect(state.rulesGeneration()).toBe(1); // its own rules are not in force yet
  kube.set(resources.releases, [await release(second, 'converged')]);
  await seen(() => state.rulesGeneration() === 2);
  clearInterval(watching);
  expect([...kinds, state.snapshot().rules.kind]).not.toContain('unknown');
});

test('rules that are not there, not believed, not understood or not for here are unknown, and never none', async () => {
  const put = async (object: MeshObject, resource: KubeObject | null): Promise<string> => {
    kube.set(resources.releases, []);
    await seen(({ live }) => live === null);
    kube.set(resources.admissionRules, resource === null ? [] : [resource]);
    kube.set(resources.releases, [await release(testRelease([object]), 'converged')]);
    return reason(await seen((snapshot) => snapshot.rules.kind === 'unknown'));
  };
  expect(await put(rules(), null)).toContain('is not there');
  expect(await put(rules(), await stored(rules(), await newTestSigner()))).toContain('does not trust');
  const altered = await stored(rules());
  expect(await put(rules(), { ...altered, spec: { ...Object(altered['spec']), trustDomain: 'x' } })).toContain('digest');
  const newer = rules(JSON.parse('{"later":1}'));
  expect(await put(newer, await stored(newer))).toContain('`spec.later` is not known here');
  const elsewhere = rules({ environment: 'stage' });
  expect(await put(elsewhere, await stored(elsewhere))).toContain('about environment `stage`');
  kube.set(resources.releases, [{ metadata: { namespace: meshNamespace, name: 'prod' }, spec: {} }]);
  await seen(({ live }) => live === 'unreadable');
  expect(reason(state.snapshot())).toContain('cannot be read');
});

test('a key that leaves the trust root takes its rules along', async () => {
  kube.set(resources.admissionRules, [await stored(rules())]);
  kube.set(resources.releases, [await release(testRelease([rules()]), 'converged')]);
  await seen((snapshot) => snapshot.rules.kind === 'known');
  trusted = { root: { environments: { prod: { keys: [(await newTestSigner()).jwk], generationFloor: 0 } } }, version: 2 };
  state.refresh();
  expect(reason(await seen((snapshot) => snapshot.rules.kind === 'unknown'))).toContain('does not trust');
});

test('what runs is known once a rule asks for it', async () => {
  const asks = rules({ products: [{ id: 'a/p' as never, mode: 'deny', ranges: { istiod: { min: '1.0.0' } } }] });
  kube.set(resources.deployments, [
    {
      metadata: { namespace: 'istio-system', name: 'istiod' },
      spec: { template: { spec: { containers: [{ image: 'istio/pilot:1.24.3' }, { image: 'nginx:1.0.0' }] } } },
    },
  ]);
  kube.set(resources.customResourceDefinitions, [
    { metadata: { name: 'gateways.gateway.networking.k8s.io', annotations: { 'gateway.networking.k8s.io/bundle-version': 'v1.2.1' } } },
  ]);
  expect(state.snapshot().products).toBeNull();
  kube.set(resources.admissionRules, [await stored(asks)]);
  kube.set(resources.releases, [await release(testRelease([asks]), 'converged')]);
  const { products } = await seen((snapshot) => snapshot.products !== null);
  expect(Object.fromEntries(products ?? [])).toEqual({ kubernetes: ['1.34.4'], 'gateway-api': ['1.2.1'], istiod: ['1.24.3'] });
});

test('namespaces: which are terminating, and their labels', async () => {
  kube.set(resources.namespaces, [
    { metadata: { name: 'a', labels: { 'meshwright.dev/inject': 'true' } } },
    { metadata: { name: 'b', deletionTimestamp: '2026-11-23T00:00:00Z' } },
  ]);
  const { terminating, namespaceLabels } = state.snapshot();
  expect([...terminating]).toEqual(['b']);
  expect(namespaceLabels.get('a')).toEqual({ 'meshwright.dev/inject': 'true' });
});

test('one webhook that fails open is enough for its path to count as open', () => {
  const hook = (path: string, failurePolicy?: string): object => ({
    clientConfig: { service: { path } },
    ...(failurePolicy ? { failurePolicy } : {}),
  });
  const modes = failModesIn([
    { metadata: { name: 'm' }, webhooks: [hook('/a'), hook('/b', 'Fail'), hook('/b', 'Ignore'), hook('/b', 'Fail'), {}] },
  ]);
  expect(Object.fromEntries(modes)).toEqual({ '/a': true, '/b': false });
});

test("an issuer's keys are public ones", () => {
  const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: '1' };
  expect(parseKeys(JSON.stringify({ keys: [key] }))).toEqual({ keys: [key] });
  for (const bad of [
    'x',
    '{}',
    '{"keys":[]}',
    '{"keys":[1]}',
    JSON.stringify({ keys: [{ ...key, d: 'z' }] }),
    '{"keys":[{"kty":"oct","k":"AA"}]}',
  ])
    expect(() => parseKeys(bad)).toThrow();
});
