/**
 * Ways past the admission webhook that go round the plain verbs: deletions of a whole collection, finalizers, subresources. On a real API server, with the
 * configuration that an installation has.
 */
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import { meshNamespace, objectResource, releaseResource, type ObjectResource } from '../../core/bundle/custom-resource';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import { principalOf, workloadKey, type RuleId } from '../../core/mesh/ids';
import { validatingConfiguration } from '../../deploy/install/admission';
import { defaultValues } from '../../deploy/install/values';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import type { CommandResult } from '../../platform/process';
import type { RunningWebhook } from '../../webhook/main';
import { bookinfo } from '../kit/bookinfo-ir';
import { convergedStatus } from '../kit/converged';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';
import { applied, installed, prepared, untilAsked, untilInForce, webhookFiles } from '../kit/webhook';

let dir: string;
let server: KubernetesServer;
let webhook: RunningWebhook;
let signer: TestSigner;
let objects: readonly MeshObject[];
let release: Release;
let team: string;
let someone: string;
let books: string;

const rules = (): MeshObject => {
  const spec: AdmissionRulesSpec = {
    environment: 'prod',
    trustDomain: 'shop.example',
    namespaces: ['bookinfo'],
    workloads: [
      {
        workload: workloadKey('bookinfo', 'reviews'),
        principal: principalOf('shop.example', 'bookinfo', 'bookinfo-reviews'),
        serviceAccount: 'bookinfo-reviews',
        versions: ['v1', 'v2'],
        injected: false,
      },
    ],
    deploys: [
      {
        id: 'books/deploys' as RuleId, // a fixture's own id
        mode: 'deny',
        namespace: 'bookinfo',
        by: [{ kind: 'group', name: 'books' }],
        images: { from: ['ghcr.io/acme/'], digest: 'required' },
      },
    ],
  };
  return {
    apiVersion,
    kind: 'AdmissionRules',
    metadata: { namespace: meshNamespace, name: 'rules' },
    spec: JSON.parse(JSON.stringify(spec)),
  };
};
const resourceOf = async (object: MeshObject): Promise<ObjectResource> =>
  objectResource(await signTestObject(signer, object, 'prod'), 'prod');
const send = (verb: string, object: object, kubeconfig?: string): Promise<CommandResult> =>
  server.kubectl([verb, '-f', '-'], { input: JSON.stringify(object), ...(kubeconfig === undefined ? {} : { kubeconfig }) });
const patch = (args: readonly string[], content: object, kubeconfig?: string): Promise<CommandResult> =>
  server.kubectl(['patch', ...args, '--type=merge', '-p', JSON.stringify(content)], kubeconfig === undefined ? {} : { kubeconfig });
const ok = (result: CommandResult): void =>
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: expect.any(String) });
const denied = (result: CommandResult, code: string): void => {
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 1, stderr: expect.stringContaining(code) });
};
const nextObjects = (): readonly MeshObject[] => [
  ...objects,
  ...objects.flatMap((object) =>
    object.kind === 'ServiceConfig' && object.metadata.name === 'reviews.web'
      ? [{ ...object, metadata: { ...object.metadata, name: 'reviews.other' } }]
      : [],
  ),
];
const converge = (content: Release): Promise<CommandResult> => {
  const status = convergedStatus(digestOfJson(content));
  return patch(['-n', meshNamespace, 'releases', 'prod', '--subresource=status'], { status }, controlPlane);
};
let controlPlane: string;
const image = `ghcr.io/acme/reviews:1.4.0@sha256:${'0123456789abcdef'.repeat(4)}`;
const pod = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'bookinfo', labels: { app: 'reviews', version: 'v1' } },
  spec: { serviceAccountName: 'bookinfo-reviews', containers: [{ name: 'app', image }] },
});

beforeAll(async () => {
  dir = await fs.mkdtemp(join(tmpdir(), 'mw-ways-in-'));
  server = await startKubernetes({ dir, controllers: false, flags: ['--feature-gates=ImageVolume=true'] });
  signer = await newTestSigner();
  const { value } = emitEnvoy(bookinfo());
  objects = [...(value?.services ?? []), ...(value?.proxies ?? []), rules()];
  await prepared(server, ['bookinfo', 'platform']);
  const place = { host: 'control-plane.meshwright.svc', port: 15010 };
  const files = await webhookFiles(dir, { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }, server.kubeconfig, {
    injection: { image: 'meshwright:0.1.0', imagePullPolicy: 'Always', trustDomain: 'shop.example', controlPlane: place, ca: place },
  });
  webhook = await installed(server, files);
  // As it is installed, conditions included; only the address is another.
  const configuration = JSON.parse(JSON.stringify(validatingConfiguration(defaultValues)));
  const clientConfig = { url: `${webhook.url}/validate`, caBundle: Buffer.from(files.authority.ca).toString('base64') };
  await applied(server, {
    ...configuration,
    webhooks: configuration.webhooks.map((entry: object) => ({ ...entry, clientConfig, timeoutSeconds: 30 })),
  });
  await untilAsked(server);
  const masters = 'system:masters';
  team = await server.kubeconfigFor('ann', ['release-team', masters]);
  someone = await server.kubeconfigFor('mallory', [masters]);
  books = await server.kubeconfigFor('bob', ['books', masters]);
  controlPlane = await server.kubeconfigFor('system:serviceaccount:meshwright:control-plane', [masters]);
  for (const object of objects) ok(await send('create', await resourceOf(object)));
  release = testRelease(objects);
  ok(await send('create', releaseResource(await signTestRelease(signer, release)), team));
  ok(await converge(release));
  await untilInForce(webhook, release.generation);
  ok(await send('create', pod('reviews'), books));
}, 1_800_000);
afterAll(async () => {
  await webhook?.close();
  await server?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

const collection = (namespace: string, plural: string): string => `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;

test('a deletion of the whole collection takes neither the live release nor what it names', async () => {
  denied(await server.kubectl(['delete', '--raw', collection('bookinfo', 'serviceconfigs')], { kubeconfig: someone }), 'MW8006');
  denied(await server.kubectl(['delete', '--raw', collection(meshNamespace, 'releases')], { kubeconfig: someone }), 'MW8007');
  ok(await server.kubectl(['-n', meshNamespace, 'get', 'release', 'prod']));
});

test('nor does the deletion of a kind, alone or with all others', async () => {
  const kinds = ['serviceconfigs', 'proxyconfigs', 'admissionrules', 'releases'].map((plural) => `${plural}.meshwright.dev`);
  for (const kind of kinds) denied(await server.kubectl(['delete', 'crd', kind, '--wait=false'], { kubeconfig: someone }), 'MW8014');
  const all = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  denied(await server.kubectl(['delete', '--raw', all], { kubeconfig: someone }), 'MW8014');
  const { stdout } = await server.kubectl([
    'get',
    'crd',
    '-o',
    'jsonpath={.items[*].metadata.name} {.items[*].metadata.deletionTimestamp}',
  ]);
  expect(stdout.trim().split(' ').toSorted()).toEqual(kinds.toSorted());
});

test('a kind of somebody else goes as ever', async () => {
  const other = {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'others.example.com' } },
    spec: {
      ...{ group: 'example.com', scope: 'Namespaced', names: { plural: 'others', kind: 'Other' } },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  };
  ok(await send('create', other));
  ok(await server.kubectl(['delete', 'crd', 'others.example.com', '--wait=false'], { kubeconfig: someone }));
});

test('what was deleted before it was released does not go once it is in force', async () => {
  const next = nextObjects();
  const added = next[next.length - 1];
  if (added === undefined) throw new Error('nothing added');
  const resource = await resourceOf(added);
  const { name } = resource.metadata;
  ok(await send('create', { ...resource, metadata: { ...resource.metadata, finalizers: ['example.com/wait'] } }, someone));
  ok(await server.kubectl(['-n', resource.metadata.namespace, 'delete', 'serviceconfigs', name, '--wait=false'], { kubeconfig: someone }));
  const following = testReleaseAfter(release, next);
  ok(await send('replace', releaseResource(await signTestRelease(signer, following)), team));
  ok(await converge(following));
  await untilInForce(webhook, following.generation);
  release = following;
  denied(await patch(['-n', 'bookinfo', 'serviceconfig', name], { metadata: { finalizers: null } }, someone), 'MW8006');
  ok(await server.kubectl(['-n', 'bookinfo', 'get', 'serviceconfig', name]));
});

test('a pod is not relabelled by way of its status', async () => {
  const relabel = { metadata: { labels: { app: 'stranger', 'meshwright.dev/workload': 'stranger' } } };
  denied(await patch(['-n', 'bookinfo', 'pod', 'reviews'], relabel, someone), 'MW8020');
  denied(await patch(['-n', 'bookinfo', 'pod', 'reviews', '--subresource=status'], relabel, someone), 'MW8020');
});

test('notes of others on pods are not deployments', async () => {
  const cni = await server.kubeconfigFor('system:serviceaccount:kube-system:calico-cni-plugin', ['system:masters']);
  const podIp = { metadata: { annotations: { 'cni.projectcalico.org/podIP': '10.1.2.3/32' } } };
  ok(await patch(['-n', 'bookinfo', 'pod', 'reviews', '--subresource=status'], podIp, cni));
  ok(
    await patch(['-n', 'bookinfo', 'pod', 'reviews'], { metadata: { annotations: { 'cni.projectcalico.org/podIP': '10.1.2.4/32' } } }, cni),
  );
  const own = await server.kubeconfigFor('system:serviceaccount:bookinfo:bookinfo-reviews', ['system:masters']);
  ok(await patch(['-n', 'bookinfo', 'pod', 'reviews'], { metadata: { labels: { role: 'master' } } }, own));
});

test('the image of the mesh is no way round a rule about images', async () => {
  const { spec, ...rest } = JSON.parse(JSON.stringify(pod('own')));
  const command = ['node', '-e', '0'];
  const own = { name: 'app', image: 'meshwright:0.1.0', command };
  denied(await send('create', { ...rest, spec: { ...spec, containers: [own] } }, books), 'MW8021');
  const named = { ...own, name: 'meshwright-proxy' };
  denied(await send('create', { ...rest, spec: { ...spec, initContainers: [named] } }, books), 'MW8021');
});

test('the image of a volume is an image', async () => {
  const { spec, ...rest } = JSON.parse(JSON.stringify(pod('volume')));
  const result = await send(
    'create',
    { ...rest, spec: { ...spec, volumes: [{ name: 'tools', image: { reference: 'evil.example/tools:latest' } }] } },
    books,
  );
  denied(result, 'MW8021');
});
