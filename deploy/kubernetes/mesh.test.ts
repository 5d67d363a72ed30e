/** The components as the engine is told of them, by Pulumi's own mocks: no engine, no provider. */
import * as pulumi from '@pulumi/pulumi';
import type { RegisterResourceRequest } from '@pulumi/pulumi/proto/resource_pb';
import { getMonitor } from '@pulumi/pulumi/runtime/settings';
import { newTestSigner, signTestBundle, testRelease, testReleaseAfter, type TestSigner } from '../../test/kit/signing';
import { bigService } from '../../test/kit/big-objects';
import { until } from '../../test/kit/until';
import { apiVersion, objectName, type MeshObject } from '../../core/bundle/objects';
import { shortDigest } from '../../core/lib/digest';
import { Mesh } from './mesh';
import { Webhook, type WebhookArgs } from './webhook';

interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly dependsOn: readonly string[];
  readonly ignored: readonly string[];
  readonly retained: boolean;
}
let registered: Registered[];
const named = (name: string): Registered | undefined => registered.find((one) => one.name === name && one.type.startsWith('kubernetes:'));
const kubernetes = (): readonly Registered[] => registered.filter(({ type }) => type.startsWith('kubernetes:'));

const rules = (value: string): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { value },
});

let signer: TestSigner;
beforeAll(async () => {
  signer = await newTestSigner();
});
beforeEach(async () => {
  registered = [];
  await pulumi.runtime.setMocks(
    { newResource: ({ name, inputs }) => ({ id: `${name}-id`, state: inputs }), call: () => ({}) },
    'meshwright',
    'prod',
    false,
  );
  // The mocks are not told of options: those are in the request.
  const monitor = getMonitor();
  if (!monitor) throw new Error('there are no mocks');
  const original = monitor.registerResource.bind(monitor) as (request: RegisterResourceRequest, answer: unknown) => unknown;
  Object.assign(monitor, {
    registerResource: (request: RegisterResourceRequest, answer: unknown) => {
      registered.push({
        type: request.getType(),
        name: request.getName(),
        inputs: request.getObject()?.toJavaScript() ?? {},
        dependsOn: request.getDependenciesList().map((urn) => urn.split('::').at(-1) ?? ''),
        ignored: request.getIgnorechangesList(),
        retained: request.getRetainondelete() ?? false,
      });
      return original(request, answer);
    },
  });
});

const settled = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));

test('objects come first, and the release waits for its own digest', async () => {
  const release = testRelease([rules('one')]);
  const bundle = await signTestBundle(signer, release, [rules('one')]);
  const mesh = new Mesh('prod', { bundle, timeoutMs: 90_000, deployerToken: 'a.b.c' });
  expect(await settled(mesh.digest)).toBe(bundle.release.digest);
  const [object, live] = kubernetes();
  expect(object).toMatchObject({ type: 'kubernetes:meshwright.dev/v1alpha1:AdmissionRules', ignored: [] });
  expect(live).toMatchObject({ type: 'kubernetes:meshwright.dev/v1alpha1:Release', name: 'prod' });
  expect(live?.dependsOn).toContain(object?.name);
  expect(live?.inputs['metadata']).toMatchObject({
    namespace: 'meshwright',
    name: 'prod',
    annotations: {
      'pulumi.com/waitFor': `jsonpath={.status.converged}=${bundle.release.digest}`,
      'pulumi.com/patchFieldManager': 'meshwright',
    },
  });
});

test('what is in force and not in the bundle stays, with the content that the state has', async () => {
  const one = testRelease([rules('one')]);
  const two = testReleaseAfter(one, [rules('two')]);
  const bundle = await signTestBundle(signer, two, [rules('two')]);
  await settled(new Mesh('prod', { bundle }).digest);
  const old = `${objectName(rules('one'))}.${shortDigest(Object.values(one.candidate)[0] ?? bundle.release.digest)}`;
  expect(named(old)).toMatchObject({ ignored: ['spec', 'proof'] });
  expect(named(old)?.inputs).not.toHaveProperty('spec');
});

test('what the cluster does not hold any more is not declared, and what it holds has its content', async () => {
  const one = testRelease([rules('one')]);
  const two = testReleaseAfter(one, [rules('two')]);
  const bundle = await signTestBundle(signer, two, [rules('two')]);
  await settled(new Mesh('gone', { bundle, carried: [] }).digest);
  expect(kubernetes()).toHaveLength(2);
  registered = [];
  const { objects } = await signTestBundle(signer, one, [rules('one')]);
  await settled(new Mesh('there', { bundle, carried: objects }).digest);
  expect(kubernetes().map(({ inputs }) => inputs['spec'])).toEqual(expect.arrayContaining([{ value: 'one' }, { value: 'two' }]));
});

test('a big object is several resources, and the release waits for all of them', async () => {
  const big = bigService(3_000_000);
  const bundle = await signTestBundle(signer, testRelease([big]), [big]);
  await settled(new Mesh('prod', { bundle }).digest);
  const parts = kubernetes().filter(({ type }) => type.endsWith(':ServiceConfig'));
  expect(parts.length).toBeGreaterThan(2);
  expect(named('prod')?.dependsOn).toEqual(expect.arrayContaining(parts.map(({ name }) => name)));
});

test('a bundle without one of its objects is refused in one line', async () => {
  const bundle = { ...(await signTestBundle(signer, testRelease([rules('one')]), [rules('one')])), objects: [] };
  expect(() => new Mesh('prod', { bundle })).toThrow(/the bundle does not hold `AdmissionRules\/meshwright\/rules`/);
});

describe('Webhook', () => {
  const args = (): WebhookArgs => ({
    environment: 'prod',
    trustDomain: 'shop.example',
    image: 'registry.example/meshwright:0.1.0',
    trustRoot: { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } },
    deployers: [{ kind: 'group', name: 'release-team' }],
  });

  test('what is asked comes last and depends on all the rest; the namespace stays', async () => {
    const component = new Webhook('meshwright', args());
    await settled(component.urn);
    await until('all are registered', () => kubernetes().some(({ type }) => type.endsWith(':ValidatingWebhookConfiguration')));
    const all = kubernetes();
    const asking = all.find(({ type }) => type.endsWith(':ValidatingWebhookConfiguration'));
    expect(all.find(({ type }) => type === 'kubernetes:core/v1:Namespace')).toMatchObject({ retained: true, dependsOn: [] });
    expect(all.find(({ type }) => type === 'kubernetes:apps/v1:Deployment')?.dependsOn).toEqual(['Namespace/meshwright']);
    expect([...(asking?.dependsOn ?? [])].sort()).toEqual(
      all
        .filter(({ name }) => name !== asking?.name)
        .map(({ name }) => name)
        .sort(),
    );
  });

  test('values that are wrong are all named', () => {
    expect(() => new Webhook('meshwright', { ...args(), environment: 'Prod!', deployers: [] })).toThrow(/environment/);
  });
});
