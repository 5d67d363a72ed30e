import { testAuthority } from '../../../test/kit/certificates';
import { newTestSigner } from '../../../test/kit/signing';
import { installObjects } from '../install';
import type { KubernetesObject } from '../object';
import { defaultValues } from '../values';
import { examine } from './doctor';
import type { ClusterSnapshot } from './snapshot';

const hour = 3_600_000;
let good: ClusterSnapshot;
let otherRoot: string;
const base64 = (text: string): string => Buffer.from(text).toString('base64');

beforeAll(async () => {
  const authority = await testAuthority('mesh.local');
  otherRoot = (await testAuthority('other.local')).trust;
  const served = await authority.serving(['webhook.meshwright.svc']);
  const signer = await newTestSigner();
  const installed = installObjects({
    ...defaultValues,
    trustRoot: { environments: { prod: { keys: [signer.jwk], generationFloor: 6 } } },
  });
  const meta = (name: string, namespace?: string, labels?: Record<string, string>): KubernetesObject['metadata'] => ({
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(labels === undefined ? {} : { labels }),
  });
  good = {
    live: true,
    now: Date.now(),
    serverVersion: 'v1.34.4',
    unread: [],
    objects: [
      ...installed.map((object) =>
        !object.kind.endsWith('WebhookConfiguration')
          ? object
          : edited(object, (copy) => {
              for (const webhook of list(copy['webhooks'])) record(webhook['clientConfig'])['caBundle'] = base64(authority.trust);
            }),
      ),
      { apiVersion: 'v1', kind: 'Namespace', metadata: meta('kube-system', undefined, { 'kubernetes.io/metadata.name': 'kube-system' }) },
      { apiVersion: 'v1', kind: 'Secret', metadata: meta('webhook-certificates', 'meshwright'), data: { 'tls.crt': base64(served.chain) } },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: meta('webhook-1', 'meshwright', { 'kubernetes.io/service-name': 'webhook' }),
        endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
      },
      {
        apiVersion: 'meshwright.dev/v1alpha1',
        kind: 'Release',
        metadata: meta('prod', 'meshwright'),
        spec: { generation: 7, candidate: { 'AdmissionRules/meshwright/rules': rulesDigest } },
        status: { message: 'all active', conditions: [{ type: 'Converged', status: 'True' }] },
      },
      {
        apiVersion: 'meshwright.dev/v1alpha1',
        kind: 'AdmissionRules',
        metadata: meta('rules.aaaa', 'meshwright'),
        spec: { environment: 'prod', trustDomain: defaultValues.trustDomain },
        proof: { name: 'rules', digest: rulesDigest },
      },
    ],
  };
});

const rulesDigest = `sha256:${'a'.repeat(64)}`;
type Editable = Record<string, unknown>;
const record = (value: unknown): Editable => value as Editable; // the test knows what it made
const list = (value: unknown): Editable[] => value as Editable[];
function edited(object: KubernetesObject, edit: (copy: Editable) => void): KubernetesObject {
  const copy = JSON.parse(JSON.stringify(object)) as KubernetesObject & Editable;
  edit(copy);
  return copy;
}
/** The good snapshot with one object of it changed, or (null) taken away. */
function withChange(kind: string, name: string, edit: ((copy: Editable) => void) | null): ClusterSnapshot {
  const found = good.objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return {
    ...good,
    objects: good.objects.flatMap((object) => (object !== found ? [object] : edit === null ? [] : [edited(object, edit)])),
  };
}
const withMore = (...objects: readonly KubernetesObject[]): ClusterSnapshot => ({ ...good, objects: [...good.objects, ...objects] });
const webhook = (copy: Editable, index: number): Editable => list(copy['webhooks'])[index] ?? {};
const validating = (index: number, edit: (entry: Editable) => void): ClusterSnapshot =>
  withChange('ValidatingWebhookConfiguration', 'meshwright', (copy) => edit(webhook(copy, index)));
const spec = (copy: Editable): Editable => record(copy['spec']);
const said = (snapshot: ClusterSnapshot): readonly string[] =>
  examine(snapshot).map(({ severity, code, message }) => `${severity} ${code} ${message}`);

it('finds nothing in a good installation', () => expect(said(good)).toEqual([]));

const broken: readonly [string, () => ClusterSnapshot, RegExp][] = [
  [
    'a namespace selector without the exemptions',
    () => validating(1, (entry) => (entry['namespaceSelector'] = {})),
    /^error MW7302 .*`workloads\.meshwright\.dev`.*`meshwright`[^]*error MW7302 .*`kube-system`/,
  ],
  [
    'a rule for everything',
    () =>
      validating(0, (entry) => (list(entry['rules'])[0] = { apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], operations: ['*'] })),
    /error MW7302 .*`objects/,
  ],
  [
    'a service that is gone',
    () => withChange('Service', 'webhook', null),
    /error MW7303 `validatingwebhookconfiguration\/meshwright` calls service `meshwright\/webhook`/,
  ],
  [
    'no ready replica',
    () => withChange('EndpointSlice', 'webhook-1', (copy) => (record(list(copy['endpoints'])[0])['conditions'] = { ready: false })),
    /error MW7304 .*`meshwright\/webhook` is ready/,
  ],
  [
    'one replica',
    () => withChange('Deployment', 'webhook', (copy) => (spec(copy)['replicas'] = 1)),
    /^warning MW7305 `deployment\/meshwright\/webhook` has one replica/,
  ],
  ['no disruption budget', () => withChange('PodDisruptionBudget', 'webhook', null), /^warning MW7306 .*is not there/],
  [
    'a budget that holds every drain',
    () => withChange('PodDisruptionBudget', 'ca', (copy) => (copy['spec'] = { minAvailable: '100%', selector: spec(copy)['selector'] })),
    /^warning MW7306 .*keeps 2 of 2/,
  ],
  ['a long timeout', () => validating(0, (entry) => (entry['timeoutSeconds'] = 30)), /^warning MW7307 .*30 s/],
  ['no CA bundle', () => validating(0, (entry) => delete record(entry['clientConfig'])['caBundle']), /^error MW7308 .*has no CA bundle/],
  [
    'a bundle that is no certificate',
    () => validating(0, (entry) => (record(entry['clientConfig'])['caBundle'] = base64('x'))),
    /^error MW7308 .*holds no certificate/,
  ],
  [
    'the bundle of another CA',
    () => validating(1, (entry) => (record(entry['clientConfig'])['caBundle'] = base64(otherRoot))),
    /^error MW7308 .*workloads.*is not issued by a CA of its bundle/,
  ],
  ['a certificate that has lapsed', () => ({ ...good, now: good.now + 2 * hour }), /^error MW7309 .*lapsed at /],
  ['a certificate that was not renewed', () => ({ ...good, now: good.now + 0.95 * hour }), /^error MW7309 .*should have been renewed/],
  [
    'a second installation',
    () =>
      withMore({
        ...(good.objects.find(({ kind }) => kind === 'ValidatingWebhookConfiguration') as KubernetesObject),
        metadata: { name: 'older' },
      }),
    /^error MW7310 .*`validatingwebhookconfiguration\/meshwright`, `validatingwebhookconfiguration\/older`/,
  ],
  [
    'a webhook that fails open',
    () => validating(0, (entry) => (entry['failurePolicy'] = 'Ignore')),
    /^warning MW7311 .*everything that it covers is admitted unseen/,
  ],
  [
    'injection that fails open',
    () => withChange('MutatingWebhookConfiguration', 'meshwright', (copy) => (webhook(copy, 1)['failurePolicy'] = 'Ignore')),
    /^warning MW7311 .*pods start without their proxy/,
  ],
  [
    'an older sidecar',
    () =>
      withMore({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace: 'shop' },
        spec: { initContainers: [{ name: 'meshwright-proxy', image: 'meshwright:0.0.9' }] },
      }),
    /^warning MW7312 .*`meshwright:0\.0\.9` \(sidecars of shop\)/,
  ],
  [
    'an aborted release',
    () =>
      withChange(
        'Release',
        'prod',
        (copy) => (copy['status'] = { message: 'a proxy refused it', conditions: [{ type: 'Aborted', status: 'True' }] }),
      ),
    /^warning MW7313 .*was aborted: a proxy refused it/,
  ],
  ['no release', () => withChange('Release', 'prod', null), /^warning MW7313 .*nothing was deployed yet/],
  [
    'a floor above the live generation',
    () => withChange('Release', 'prod', (copy) => (copy['spec'] = { generation: 3 })),
    /^warning MW7314 .*floor 6 is not below the live generation 3/,
  ],
  [
    'a floor far below',
    () => withChange('Release', 'prod', (copy) => (copy['spec'] = { generation: 300 })),
    /^warning MW7314 .*far below the live generation 300/,
  ],
  [
    'a trust root without keys',
    () => withChange('ConfigMap', 'trust-root', (copy) => (copy['data'] = { 'trust.json': '{"environments":{}}' })),
    /^warning MW7314 .*knows no key/,
  ],
  [
    'the webhook bound to cluster-admin',
    () =>
      withMore(
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { name: 'cluster-admin' },
          rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
        },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: 'oops' },
          roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
          subjects: [
            { kind: 'ServiceAccount', name: 'webhook', namespace: 'meshwright' },
            { kind: 'User', name: 'eve' },
          ],
        },
      ),
    /^warning MW7315 .*`meshwright\/webhook`.*`\* \*\.\*` by `ClusterRole\/cluster-admin`\ninfo MW7316 .*User `eve` \(cluster-admin\)$/,
  ],
  [
    'a role that was widened',
    () =>
      withChange('Role', 'webhook', (copy) => void list(copy['rules']).push({ apiGroups: [''], resources: ['secrets'], verbs: ['list'] })),
    /^warning MW7315 .*`list secrets` by `Role\/webhook`/,
  ],
  ['an old API server', () => ({ ...good, serverVersion: 'v1.29.8-eks-1' }), /^error MW7317 .*v1\.29\.8/],
  [
    'a kind that is not there',
    () => withChange('CustomResourceDefinition', 'releases.meshwright.dev', null),
    /^error MW7318 `customresourcedefinition\/releases\.meshwright\.dev`/,
  ],
  [
    'no webhook configuration',
    () => withChange('ValidatingWebhookConfiguration', 'meshwright', null),
    /error MW7318 `validatingwebhookconfiguration\/meshwright`[^]*error MW7319/,
  ],
  [
    'a kind that is not reviewed',
    () => validating(0, (entry) => (record(list(entry['rules'])[0])['operations'] = ['CREATE', 'UPDATE'])),
    /^error MW7319 `\w+\.meshwright\.dev` is not reviewed: no entry/,
  ],
  [
    'kinds that may be deleted unseen',
    () => validating(2, (entry) => (record(list(entry['rules'])[0])['operations'] = ['UPDATE'])),
    /^error MW7319 the deletion of the kinds, .*no entry/,
  ],
  [
    'an exemption by label',
    () => validating(0, (entry) => (entry['objectSelector'] = { matchLabels: { reviewed: 'yes' } })),
    /^error MW7319 .*leaves some out by a selector/,
  ],
  [
    'policies of another trust domain',
    () => withChange('AdmissionRules', 'rules.aaaa', (copy) => (record(copy['spec'])['trustDomain'] = 'acme.example')),
    /^error MW7321 .*`acme.example`.*`mesh.local`$/,
  ],
  [
    'something that may not be read',
    () => ({ ...good, unread: [{ kind: 'Secret', reason: 'forbidden' }] }),
    /^info MW7320 `Secret` could not be read: forbidden/,
  ],
];
it.each(broken)('says of %s what is wrong', (_name, snapshot, wanted) => {
  expect(said(snapshot()).join('\n')).toMatch(wanted);
});
it('has a broken installation for each of its findings', () => {
  const found = new Set(broken.flatMap(([, snapshot]) => examine(snapshot()).map(({ code }) => code)));
  const all = Array.from({ length: 20 }, (_unused, index) => `MW${7302 + index}`);
  expect([...found].sort()).toEqual(all);
});
it('examines values without a cluster', () => {
  const objects = installObjects({ ...defaultValues, replicas: { ...defaultValues.replicas, webhook: 1 } });
  const found = said({ live: false, now: 0, serverVersion: null, objects, unread: [] });
  expect(found).toEqual([expect.stringMatching(/MW7305.*webhook/), expect.stringMatching(/MW7314/)]);
});
