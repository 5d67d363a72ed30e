/** The custom resource definitions on a real API server: what is signed comes back as it was, and what CEL can refuse is refused. */
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { declarations as betweenNetworks } from '../kit/between-networks';
import { lowered } from '../kit/layered-mesh';
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import { objectResource, plurals, releaseResource, signedObjectOf, signedReleaseOf } from '../../core/bundle/custom-resource';
import { apiVersion, type MeshObject, type SignedObject } from '../../core/bundle/objects';
import type { TrustRoot } from '../../core/bundle/trust';
import { joinParts, objectResources } from '../../core/bundle/parts';
import type { ReleaseStatusResource } from '../../core/bundle/release-status';
import { verifyObject, verifyPart, verifyReleaseSignature } from '../../core/bundle/verify';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { digestOf } from '../../core/lib/digest';
import type { RuleId } from '../../core/mesh/ids';
import { customResourceDefinitions } from '../../deploy/crds';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { createLog } from '../../platform/log';
import { followStore } from '../../runtime-proxy/kubernetes/store';
import { bookinfo } from '../kit/bookinfo-ir';
import { bigRelease, bigService } from '../kit/big-objects';
import { patientKube } from '../kit/patient-kube';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';

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
  const across = emitEnvoy(lowered(betweenNetworks)).value?.services.filter((service) => JSON.stringify(service).includes('across')) ?? [];
  expect(across.length).toBeGreaterThan(2);
  objects = [...(value?.services ?? []), ...(value?.proxies ?? []), ...across, rules];
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
});

type Fields = Record<string, unknown>;
/** A copy with one member changed: `spec.waves`. `undefined` takes it away. */
function changed(resource: object, path: string, value: unknown): Fields {
  const copy: Fields = JSON.parse(JSON.stringify(resource));
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  let here: unknown = copy;
  for (const step of steps) here = Reflect.get(Object(here), step);
  if (value === undefined) Reflect.deleteProperty(Object(here), last);
  else Reflect.set(Object(here), last, value);
  return copy;
}
const one = (kind: MeshObject['kind']): SignedObject => {
  const found = signed.find(({ object }) => object.kind === kind);
  if (!found) throw new Error(`no ${kind}`);
  return found;
};
const refused = async (verb: 'create' | 'replace', resource: object, message: string): Promise<void> => {
  const { code, stderr } = await send(verb, resource, '--dry-run=server');
  expect(stderr).toContain(message);
  expect(code).toBe(1);
};

test('what is not of the form is refused when it is created', async () => {
  const service = objectResource(one('ServiceConfig'), 'prod');
  const rules = objectResource(one('AdmissionRules'), 'prod');
  const other = digestOf('other');
  const packed = { parts: 2, part: 1, data: 'AAAA' };
  const part = (name: string): Fields => changed({ ...changed(service, 'spec', undefined), packed }, 'metadata.name', name);
  const base = service.metadata.name;
  const by = (...list: readonly object[]): Fields => changed(rules, 'spec.deploys.0.by', list);
  const cases: readonly (readonly [object, string])[] = [
    [changed(service, 'metadata.name', 'details.web'), 'an object is named by its content'],
    [changed(service, 'proof.digest', other), 'an object is named by its content'],
    [changed(service, 'proof.digest', 'sha256:1'), 'proof.digest in body should match'],
    [changed(service, 'proof', undefined), 'proof: Required value'],
    [changed(service, 'spec', undefined), 'an object has either spec or packed'],
    [{ ...service, packed: { parts: 1, part: 0, data: 'AAAA' } }, 'an object has either spec or packed'],
    [
      changed(service, 'spec.listeners', [{ name: 'x' }]),
      'a port has a virtualHost, where requests are routed, or listeners, where connections are, and never both',
    ],
    [changed(service, 'spec.virtualHost', 'x'), 'spec.virtualHost'],
    [changed(service, 'spec.more', 1), 'unknown field "spec.more"'],
    [part(base), 'has the first 12 digits of proof.digest and `.part-<i>` in its metadata.name'],
    [part(`${base}.part-0`), 'metadata.name of a further part ends with `.part-<i>`'],
    [changed(part(`${base}.part-1`), 'packed.parts', 1), 'part counts from 0 and is below parts'],
    [changed(part(`${base}.part-1`), 'packed.data', '*'), 'packed.data in body should match'],
    [changed(rules, 'spec.environment', 'dev'), 'spec.environment must be the environment it was signed for'],
    [by({ kind: 'group' }), 'kind group needs name and has no branch, environment, namespace, repository'],
    [by({ kind: 'account', name: 'a' }), 'kind account needs name, namespace'],
    [by({ kind: 'user', name: 'a', branch: 'main' }), 'kind user needs name and has no branch'],
    [by({ kind: 'robot', name: 'a' }), 'Unsupported value: "robot"'],
  ];
  for (const [resource, message] of cases) await refused('create', resource, message);
  expect((await send('create', part(`${base}.part-1`), '--dry-run=server')).stderr).toBe('');
});

test('an object is immutable but for its metadata and a signature made anew', async () => {
  const service = objectResource(one('ServiceConfig'), 'prod');
  const proxy = objectResource(one('ProxyConfig'), 'prod');
  for (const [resource, path, value] of [
    [service, 'spec.port', 'bookinfo/other.web'],
    [service, 'spec.virtualHost.domains', ['*']],
    [service, 'spec.clusters.0.name', 'another'],
    [service, 'spec.endpoints', undefined],
    [proxy, 'spec.proved', false],
    [proxy, 'spec.inbound.routes.0.virtualHosts', []],
    [proxy, 'spec.outbound.services', ['bookinfo/ratings.web']],
    [proxy, 'spec.outbound.catchAll.domains', ['other']],
  ] as const)
    await refused('replace', changed(resource, path, value), 'spec is immutable: another content is another object');
  await refused('replace', changed(service, 'proof.environment', 'dev'), 'proof is immutable');
  await refused('replace', changed(service, 'proof.name', 'other'), 'proof is immutable');
  expect((await send('replace', changed(service, 'proof.jws', 'a.b.c'), '--dry-run=server')).stderr).toBe('');
  expect((await send('replace', changed(service, 'metadata.labels', { a: 'b' }), '--dry-run=server')).stderr).toBe('');
});

test('what our own fields do not know is refused, or dropped where the client does not ask; what Envoy has is kept', async () => {
  const fresh: MeshObject = JSON.parse(
    JSON.stringify({ ...one('ServiceConfig').object, metadata: { namespace: 'elsewhere', name: 'details.web' } }),
  );
  Object.assign(fresh.spec, {
    virtualHost: { name: 'x', typedPerFilterConfig: {}, routes: [], metadata: { empty: null, deep: { list: [] } } },
  });
  const strange = await signTestObject(signer, fresh, 'prod');
  const resource = objectResource(strange, 'prod');
  const { namespace, name } = resource.metadata;
  expect(await send('apply', changed(resource, 'spec.envoyRange.more', 1))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('.spec.envoyRange.more: field not declared in schema'),
  });
  expect(
    await send('create', { ...changed(resource, 'spec.envoyRange.more', 1), status: { state: 'idle' }, more: 1 }, '--validate=ignore'),
  ).toMatchObject({ code: 0 });
  const back = await read('ServiceConfig', namespace, name);
  expect(Object.keys(back).toSorted()).toEqual(['apiVersion', 'kind', 'metadata', 'proof', 'spec']);
  // What was dropped was never signed: the object is whole again.
  expect(signedObjectOf(back).signed).toEqual(strange);
  expect((await verifyObject(signedObjectOf(back).signed, 'prod', trust)).diagnostics).toEqual([]);
});

describe('the release', () => {
  const status: ReleaseStatusResource = {
    observedGeneration: 1,
    state: 'rolling',
    step: 0,
    wave: 0,
    steps: 1,
    message: 'waits for 1 of 5 proxies',
    proxies: { total: 6, concerned: 5, active: 4, pending: 1, rejected: 0, unknown: 0, unconfigured: 0 },
    trouble: [{ instance: 'reviews-v1-1', phase: 'acked' }],
    progress: {
      release: digestOf('x'),
      startedAt: 1_795_392_000_000,
      expected: [{ instance: 'reviews-v1-1', steps: [0] }],
      hurried: false,
      phase: { kind: 'holding', step: 0, wave: 0, until: 1_795_392_000_500 },
    },
    conditions: [
      {
        type: 'Accepted',
        status: 'True',
        reason: 'Verified',
        message: 'it is in force',
        lastTransitionTime: '2026-11-22T10:00:00Z',
        observedGeneration: 1,
      },
    ],
  };

  test('comes back as it was signed, rises, and has its status beside it', async () => {
    const first = testRelease(objects, { waves: [0.5, 10, 100], holdMs: 5_000 });
    const second = testReleaseAfter(first, objects, {
      steps: [
        { parts: [{ proxy: 'bookinfo/a', part: 'inbound' }], why: 'callees first' },
        { parts: [], why: 'rest' },
      ],
    });
    for (const release of [first, second]) {
      const one = await signTestRelease(signer, release, { 'sources.json': digestOf('y') });
      expect(await send('apply', releaseResource(one))).toMatchObject({ code: 0 });
      const back = await read('Release', 'meshwright', 'prod');
      expect(signedReleaseOf(back)).toEqual(one);
      expect((await verifyReleaseSignature(signedReleaseOf(back), trust)).diagnostics).toEqual([]);
      expect(await send('apply', releaseResource(one))).toMatchObject({ code: 0 });
      expect(resourceVersion(await read('Release', 'meshwright', 'prod'))).toBe(resourceVersion(back));
    }
    const resource = releaseResource(await signTestRelease(signer, second));
    const older = releaseResource(await signTestRelease(signer, testRelease([])));
    await refused('replace', older, 'generation must rise: going back is a new, higher release that names the old digests');
    await refused('replace', changed(resource, 'proof.digest', digestOf('z')), 'generation must rise');
    // Status is written on its subresource only, and takes nothing else along.
    const current = await read('Release', 'meshwright', 'prod');
    expect(await send('replace', { ...current, status })).toMatchObject({ code: 0 });
    expect(await read('Release', 'meshwright', 'prod')).not.toHaveProperty('status');
    expect(
      await send(
        'replace',
        changed({ ...(await read('Release', 'meshwright', 'prod')), status }, 'spec.holdMs', 1),
        '--subresource=status',
      ),
    ).toMatchObject({ code: 0, stderr: '' });
    const written = await read('Release', 'meshwright', 'prod');
    expect(written['status']).toEqual(status);
    expect(Reflect.get(Object(written['spec']), 'holdMs')).toBe(0);
    expect(signedReleaseOf(written).release).toEqual(second);
    const table = (await server.kubectl(['-n', 'meshwright', 'get', 'mwrel'])).stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect(table[0]).toEqual(['NAME', 'GENERATION', 'STATE', 'ACTIVE', 'OF', 'COMMIT', 'AGE']);
    expect(table[1]?.slice(0, 6)).toEqual(['prod', '2', 'rolling', '4', '5', 'c'.repeat(40)]);
  });

  test('is refused where it is not of the form', async () => {
    const resource = changed(
      releaseResource(await signTestRelease(signer, testRelease(objects, { environment: 'dev' }))),
      'metadata.name',
      'dev',
    );
    expect((await send('create', resource, '--dry-run=server')).stderr).toBe('');
    for (const [path, value, message] of [
      ['metadata.name', 'test', 'a release is named as its environment'],
      ['spec.waves', [10, 5, 100], 'waves must rise'],
      ['spec.waves', [10, 10, 100], 'waves must rise'],
      ['spec.waves', [10, 50], 'waves must end with 100'],
      ['spec.waves', [0, 100], 'should be greater than 0'],
      ['spec.waves', [], 'should have at least 1 items'],
      ['spec.holdMs', -1, 'should be greater than or equal to 0'],
      ['spec.holdMs', 86_400_001, 'should be less than or equal to 86400000'],
      ['spec.holdMs', 0.5, 'must be of type integer'],
      ['spec.notAfter', 'tomorrow', 'spec.notAfter'],
      ['spec.notAfter', '2026-13-41T10:00:00Z', 'must be of type date-time'],
      ['spec.notAfter', '2026-11-22T10:00:00+0', 'spec.notAfter in body should match'],
      ['spec.generation', 0, 'should be greater than or equal to 1'],
      ['spec.parent', 'x', 'spec.parent in body should match'],
      ['spec.candidate', { 'ServiceConfig/a/b': 'sha256:00' }, 'should match'],
      ['spec.packed', 'AAAA', 'stable, candidate and steps are in packed or beside it, not both'],
      ['spec.more', 1, 'unknown field "spec.more"'],
      ['proof.signature', 'a.b.c', 'proof.signature in body should match'],
    ] as const)
      await refused('create', changed(resource, path, value), message);
  });
});

test('kubectl shows what matters', async () => {
  const header = async (...args: readonly string[]): Promise<string> =>
    (await server.kubectl(['get', ...args])).stdout.split('\n')[0]?.trim().replace(/ {2,}/g, ' | ') ?? '';
  expect(await header('mwsc', '-n', 'bookinfo')).toBe('NAME | PORT | ENVIRONMENT | DIGEST | AGE');
  expect(await header('mwpc', '-n', 'bookinfo')).toBe('NAME | WORKLOAD | PRINCIPAL | PROVED | ENVIRONMENT | AGE');
  expect(await header('mwar', '-n', 'meshwright')).toBe('NAME | TRUST DOMAIN | ENVIRONMENT | AGE');
  const { stdout } = await server.kubectl(['get', 'meshwright', '-A', '-o', 'name']);
  expect(stdout.trim().split('\n').length).toBe(objects.length + 2); // the one elsewhere, and the release
  expect((await server.kubectl(['explain', 'proxyconfigs.spec.proved'])).stdout).toContain(
    'false where a raw patch outside the allow-list is in force',
  );
});

describe('what is too big for one resource', () => {
  test('a ServiceConfig of 3 MB lies in several, each verifies alone, and comes back whole', async () => {
    const big = await signTestObject(signer, bigService(3_000_000), 'prod');
    const resources = objectResources(big, 'prod');
    expect(resources.length).toBeGreaterThan(2);
    for (const resource of resources) expect(await send('apply', resource)).toMatchObject({ code: 0 });
    const back = await Promise.all(resources.map(({ metadata }) => read('ServiceConfig', metadata.namespace, metadata.name)));
    for (const part of back) {
      expect(JSON.stringify(part).length).toBeLessThan(1_000_000);
      expect((await verifyPart(part, 'prod', trust)).diagnostics).toEqual([]);
    }
    expect(joinParts(back)).toEqual(big);
    expect((await verifyObject(joinParts(back), 'prod', trust)).diagnostics).toEqual([]);
    const again = await send('apply', { apiVersion: 'v1', kind: 'List', items: resources });
    expect(again).toMatchObject({ code: 0 });
    const [, second] = resources;
    if (!second) throw new Error('no second part');
    expect(resourceVersion(await read('ServiceConfig', 'bookinfo', second.metadata.name))).toBe(resourceVersion(back[1] ?? {}));
    await refused('replace', changed(second, 'packed.data', 'AAAA'), 'packed is immutable');
    // What the control plane follows: the object is known as a whole.
    const kube = await patientKube(server.kubeconfig);
    const said: Diagnostic[] = [];
    const store = followStore(kube, {
      environment: 'prod',
      trust: () => Promise.resolve(trust),
      now: () => 0,
      writer: () => null,
      overtaken: () => undefined,
      say: (diagnostic) => said.push(diagnostic),
      log: createLog('control-plane', { level: 'silent' }),
    });
    await store.synced;
    expect(store.object(big.digest)).toEqual(big);
    expect(signed.map(({ digest }) => store.object(digest)?.digest)).toEqual(signed.map(({ digest }) => digest));
    expect(said.filter(({ message }) => message.includes('big.web'))).toEqual([]);
    await store.close();
    await refused('replace', changed(second, 'packed.part', 0), 'part is immutable');
    await refused(
      'replace',
      { ...changed(second, 'packed', undefined), spec: objectResource(one('ServiceConfig'), 'prod').spec },
      'an object stays packed or whole',
    );
  });

  test('a release of 10,000 objects is packed and comes back with its signature', async () => {
    const big = await signTestRelease(signer, bigRelease(10_000, { environment: 'big' }));
    const resource = releaseResource(big);
    expect(await send('apply', resource)).toMatchObject({ code: 0 });
    const back = await read('Release', 'meshwright', 'big');
    expect(JSON.stringify(back).length).toBeLessThan(1_000_000);
    expect(signedReleaseOf(back)).toEqual(big);
  });
});
