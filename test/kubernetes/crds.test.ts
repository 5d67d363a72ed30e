/** The custom resource definitions on a real API server: what is signed comes back as it was, and what CEL can refuse is refused. */
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import { objectResource, plurals, signedObjectOf } from '../../core/bundle/custom-resource';
import { apiVersion, type MeshObject, type SignedObject } from '../../core/bundle/objects';
import type { TrustRoot } from '../../core/bundle/trust';
import { verifyObject } from '../../core/bundle/verify';
import type { RuleId } from '../../core/mesh/ids';
import { customResourceDefinitions } from '../../deploy/crds';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { bookinfo } from '../kit/bookinfo-ir';
import { newTestSigner, signTestObject, type TestSigner } from '../kit/signing';

const rulesSpec: AdmissionRulesSpec = {
  environment: 'prod',
  trustDomain: 'shop.example',
  namespaces: ['bookinfo'],
  deploys: [
    {
      id: 'books/deploys' as RuleId,
      mode: 'deny',
      namespace: 'bookinfo',
      by: [
        { kind: 'group', name: 'books' },
        { kind: 'account', namespace: 'ci', name: 'deployer' },
        { kind: 'github', repository: 'acme/books', branch: 'main' },
      ],
      images: { from: ['ghcr.io/acme/'], digest: 'required' },
      version: { min: '1.2.0', downgrade: 'deny' },
    },
  ],
};

let dir: string;
let server: KubernetesServer;
let signer: TestSigner;
let trust: TrustRoot;
let objects: readonly MeshObject[];
let signed: readonly SignedObject[];

const read = async (kind: keyof typeof plurals, namespace: string, name: string): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await server.kubectl([
    '-n',
    namespace,
    'get',
    `${plurals[kind]}.meshwright.dev`,
    name,
    '-o',
    'json',
    '--show-managed-fields',
  ]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
};
const send = (
  verb: 'create' | 'apply' | 'replace',
  resource: unknown,
  ...flags: readonly string[]
): ReturnType<KubernetesServer['kubectl']> =>
  server.kubectl([verb, ...(verb === 'apply' ? ['--server-side'] : []), '-f', '-', ...flags], { input: JSON.stringify(resource) });
const resourceVersion = (resource: Record<string, unknown>): unknown => Reflect.get(Object(resource['metadata']), 'resourceVersion');

beforeAll(async () => {
  dir = await fs.mkdtemp(join(tmpdir(), 'mw-crds-'));
  server = await startKubernetes({ dir, controllers: false });
  signer = await newTestSigner();
  trust = { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } };
  const { value } = emitEnvoy(bookinfo());
  const rules: MeshObject = {
    apiVersion,
    kind: 'AdmissionRules',
    metadata: { namespace: 'meshwright', name: 'rules' },
    spec: JSON.parse(JSON.stringify(rulesSpec)),
  };
  objects = [...(value?.services ?? []), ...(value?.proxies ?? []), rules];
  signed = await Promise.all(objects.map((object) => signTestObject(signer, object, 'prod')));
  const applied = await send('apply', { apiVersion: 'v1', kind: 'List', items: customResourceDefinitions() });
  expect(applied).toMatchObject({ code: 0 });
  for (const namespace of new Set(['meshwright', 'elsewhere', ...objects.map((object) => object.metadata.namespace)]))
    expect((await server.kubectl(['create', 'namespace', namespace])).code).toBe(0);
}, 1_800_000);
afterAll(async () => {
  await server?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

test('the definitions are established and structural', async () => {
  for (const plural of Object.values(plurals)) {
    const name = `crd/${plural}.meshwright.dev`;
    expect(await server.kubectl(['wait', name, '--for=condition=Established', '--timeout=30s'])).toMatchObject({ code: 0 });
    const { status } = JSON.parse((await server.kubectl(['get', name, '-o', 'json'])).stdout);
    expect(status.conditions.map(({ type, status: is }: Record<string, string>) => `${type}=${is}`).toSorted()).toEqual([
      'Established=True',
      'NamesAccepted=True',
    ]);
  }
});

test('every object of the example, created or applied, comes back as it was signed, and applying it again changes nothing', async () => {
  for (const [index, one] of signed.entries()) {
    const resource = objectResource(one, 'prod');
    const { kind } = one.object;
    const { namespace, name } = resource.metadata;
    const first = await send(index % 2 === 0 ? 'create' : 'apply', resource);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const back = await read(kind, namespace, name);
    expect(signedObjectOf(back)).toEqual({ signed: one, environment: 'prod' });
    expect((await verifyObject(signedObjectOf(back).signed, 'prod', trust)).diagnostics).toEqual([]);
    const { apiVersion: version, spec, proof } = back;
    expect({ apiVersion: version, kind, spec, proof }).toEqual({ apiVersion, kind, spec: resource.spec, proof: resource.proof });
    // Owned by another manager after `create`, so the first apply there adds an owner; from then on nothing moves.
    const again = ['--force-conflicts', '--field-manager=kubectl'];
    expect(await send('apply', resource, ...again)).toMatchObject({ code: 0 });
    const before = resourceVersion(await read(kind, namespace, name));
    expect(await send('apply', resource, ...again)).toMatchObject({ code: 0 });
    expect(resourceVersion(await read(kind, namespace, name))).toBe(before);
    const managed = JSON.stringify(Reflect.get(Object(back['metadata']), 'managedFields')).length;
    expect(managed).toBeLessThan(600);
  }
}, 120_000);
