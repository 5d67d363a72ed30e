import { meshNamespace, objectResource } from '../../core/bundle/custom-resource';
import { packObject, partDigests } from '../../core/bundle/packing';
import { objectResources } from '../../core/bundle/parts';
import { apiVersion, type MeshObject } from '../../core/bundle/objects';
import { objectStatement, objectType, statementBytes } from '../../core/bundle/statement';
import { digestOfJson } from '../../core/lib/digest';
import { reviewOf, testContext, testState } from '../../test/kit/admit';
import { newTestSigner, signTestObject, testJws, type TestSigner } from '../../test/kit/signing';
import type { Review } from '../review/review';
import { adjudicate } from './adjudicate';
import type { AdmitContext, LiveSets } from './context';
import { signatureCache } from './signatures';

let signer: TestSigner;
let preview: TestSigner;
let context: AdmitContext;
beforeAll(async () => {
  [signer, preview] = await Promise.all([newTestSigner(), newTestSigner()]);
  const root = { environments: { prod: { keys: [signer.jwk], previewKeys: [preview.jwk], generationFloor: 0 } } };
  context = testContext({ trust: { root, version: 1 } });
});

const object = (spec: object = { environment: 'prod', trustDomain: 'mesh.test' }): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: meshNamespace, name: 'rules' },
  spec: JSON.parse(JSON.stringify(spec)),
});
type Resource = Record<string, unknown> & {
  metadata: Record<string, unknown>;
  spec: Record<string, unknown>;
  proof: Record<string, string>;
};
const resourceOf = async (of = object(), by = signer, environment = 'prod'): Promise<Resource> =>
  JSON.parse(JSON.stringify(objectResource(await signTestObject(by, of, environment), environment)));
const judge = (resource: Record<string, unknown> | null, change: Partial<Review> = {}, by = context) =>
  adjudicate(reviewOf(resource, 'admissionrules', change), by);
const denial = async (resource: Record<string, unknown>, change: Partial<Review> = {}): Promise<string> => {
  const { allowed, causes } = await judge(resource, change);
  return allowed ? 'allowed' : causes.map(({ code, field }) => `${code} ${field}`).join();
};

describe('an object that is created', () => {
  it('17: comes in with its proof, whatever the server adds to its metadata', async () => {
    const resource = await resourceOf();
    expect(await denial(resource)).toBe('allowed');
    const added = {
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      managedFields: [{}],
      creationTimestamp: 't',
      labels: { constructor: 'x' },
    };
    expect(await denial({ ...resource, metadata: { ...resource.metadata, ...added } })).toBe('allowed');
  });
  it('16, 18: with one field more, less or other is refused', async () => {
    for (const spec of [
      { environment: 'prod' },
      { environment: 'prod', trustDomain: 'mesh.tesT' },
      { environment: 'prod', trustDomain: 'mesh.test', deploys: [] },
    ])
      expect(await denial({ ...(await resourceOf()), spec })).toBe('MW8003 spec');
    const listed = await resourceOf(object({ environment: 'prod', trustDomain: 'mesh.test', namespaces: ['a'] }));
    expect(await denial({ ...listed, spec: { ...listed.spec, namespaces: ['a', 'b'] } })).toBe('MW8003 spec');
    expect(await denial({ ...(await resourceOf()), data: {} })).toBe('allowed'); // the server prunes what no schema has; nothing reads it
  });
  it('7: with an integer that is not kept exactly is refused', async () => {
    const exact = await resourceOf(object({ n: 9007199254740992 }));
    expect(await denial({ ...exact, spec: { n: 9007199254740993n } })).toMatch(/^MW800[23] /);
  });
  it('19: with the proof of another name, namespace, kind or environment is refused by that field', async () => {
    const resource = await resourceOf();
    const renamed = { ...resource, metadata: { ...resource.metadata, name: String(resource.metadata['name']).replace('rules', 'other') } };
    expect(await denial(renamed)).toBe('MW8002 metadata.name');
    expect(await denial({ ...renamed, proof: { ...resource.proof, name: 'other' } })).toBe('MW8003 proof.name');
    expect(await denial({ ...resource, metadata: { ...resource.metadata, namespace: 'shop' } })).toBe('MW8003 metadata.namespace');
    expect(await denial({ ...resource, kind: 'ProxyConfig' })).toMatch(/^MW8003 (kind|spec)$/);
    expect(await denial(await resourceOf(object(), signer, 'stage'))).toBe('MW8004 proof.environment');
    const stage = await resourceOf(object(), signer, 'stage');
    expect(await denial({ ...stage, proof: { ...stage.proof, environment: 'prod' } })).toBe('MW8003 proof.environment');
    expect(await denial(resource, { namespace: 'shop' })).toBe('MW8002 metadata.namespace');
    expect(await denial(resource, { kind: { group: 'meshwright.dev', version: 'v1alpha1', kind: 'ProxyConfig' } })).toBe('MW8002 kind');
  });
  it('unsigned or by a stranger is refused; a preview key counts on a dry run alone', async () => {
    const unsigned = await resourceOf();
    expect(await denial({ ...unsigned, proof: { ...unsigned.proof, jws: '' } })).toBe('MW8003 proof.jws');
    const stranger = await newTestSigner();
    for (const dryRun of [true, false]) expect(await denial(await resourceOf(object(), stranger), { dryRun })).toBe('MW8003 proof.jws');
    expect(await denial(await resourceOf(object(), preview), { dryRun: true })).toBe('allowed');
    expect(await denial(await resourceOf(object(), preview))).toBe('MW8003 proof.jws');
  });
  it('21: with a signature in any other form is refused', async () => {
    const resource = await resourceOf();
    const jws = resource.proof['jws'] ?? '';
    const [header = '', payload = '', signature = ''] = jws.split('.');
    const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const bytes = statementBytes(objectStatement(object(), 'prod'));
    const withHeader = (extra: Record<string, unknown>): Promise<string> => testJws(signer, bytes, { typ: objectType, ...extra });
    const last = signature.at(-1) ?? '';
    // The last digit of 64 bytes carries four bits that nobody reads: another digit, the same bytes.
    const tail = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const sibling = tail[tail.indexOf(last) ^ 1] ?? '';
    const forms: Record<string, string> = {
      none: `${encoded({ alg: 'none', kid: signer.jwk.kid, typ: objectType })}.${payload}.`,
      'none with a signature': `${encoded({ alg: 'none', kid: signer.jwk.kid, typ: objectType })}.${payload}.${signature}`,
      'HS256 by the public key': `${encoded({ alg: 'HS256', kid: signer.jwk.kid, typ: objectType })}.${payload}.${signature}`,
      jwk: await withHeader({ jwk: signer.jwk }),
      jku: await withHeader({ jku: 'https://evil.example/keys' }),
      x5u: await withHeader({ x5u: 'https://evil.example/cert' }),
      'another type': await withHeader({ typ: 'meshwright-release+jws' }),
      crit: `${encoded({ alg: 'EdDSA', kid: signer.jwk.kid, typ: objectType, crit: ['x'], x: 1 })}.${payload}.${signature}`,
      'b64 false': `${encoded({ alg: 'EdDSA', kid: signer.jwk.kid, typ: objectType, b64: false })}.${payload}.${signature}`,
      'a JWE': `${encoded({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2_000_000_000 })}.a.b.c.d`,
      'two signatures': JSON.stringify({
        payload,
        signatures: [
          { protected: header, signature },
          { protected: header, signature },
        ],
      }),
      'an extra dot': `${jws}.`,
      'a dot before': `.${jws}`,
      padding: `${header}.${payload}=.${signature}`,
      'another last digit': `${header}.${payload}.${signature.slice(0, -1)}${sibling}`,
      'white space': `${header}.${payload}.${signature}\n`,
      'no payload': `${header}..${signature}`,
      'another payload': `${header}.${encoded({ environment: 'prod' })}.${signature}`,
    };
    for (const [what, form] of Object.entries(forms)) {
      const verdict = await judge({ ...resource, proof: { ...resource.proof, jws: form } });
      expect({ what, allowed: verdict.allowed, code: verdict.causes[0]?.code }).toEqual({ what, allowed: false, code: 'MW8003' });
    }
    expect(await denial(resource)).toBe('allowed');
  });
  it('6, 14: of any other form is refused without a throw', async () => {
    const resource = await resourceOf();
    const bad: readonly Record<string, unknown>[] = [
      { ...resource, proof: undefined },
      { ...resource, proof: { ...resource.proof, extra: 1 } },
      { ...resource, proof: { ...resource.proof, digest: 'sha256:x' } },
      { ...resource, spec: undefined },
      { ...resource, spec: [] },
      { ...resource, apiVersion: 'meshwright.dev/v1' },
      { ...resource, metadata: { namespace: meshNamespace, generateName: 'rules.' } },
      { ...resource, metadata: 'x' },
      JSON.parse(`{"apiVersion":"${apiVersion}","kind":"AdmissionRules","__proto__":{"metadata":{}}}`),
    ];
    for (const one of bad) expect((await judge(one, { name: '', namespace: meshNamespace })).allowed).toBe(false);
    expect(
      (
        await judge(null, {
          kind: { group: 'meshwright.dev', version: 'v1alpha1', kind: 'AdmissionRules' },
          resource: { group: 'meshwright.dev', version: 'v1alpha1', resource: 'admissionrules' },
        })
      ).allowed,
    ).toBe(false);
  });
  it('in parts is judged part by part', async () => {
    const big = object({ environment: 'prod', noise: Array.from({ length: 90_000 }, (_, index) => digestOfJson(index)) });
    const packed = packObject(big);
    if (packed === undefined) throw new Error('not packed');
    const statement = objectStatement(big, 'prod', packed);
    const jws = await testJws(signer, statementBytes(statement), { typ: objectType });
    const parts = objectResources({ object: big, digest: digestOfJson(big), jws, packed }, 'prod').map((part): Record<string, unknown> =>
      JSON.parse(JSON.stringify(part)),
    );
    expect(parts.length).toBe(partDigests(packed).length);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(await denial(part)).toBe('allowed');
    const [first, second] = parts;
    if (!first || !second) throw new Error('no parts');
    const swapped = { ...first, packed: { ...Object(first['packed']), data: Object(second['packed']).data } };
    expect(await denial(swapped)).toBe('MW8003 packed');
  });
});

describe('an object that is there', () => {
  it('16: never changes, and the field that was changed is named', async () => {
    const old = await resourceOf();
    const update = (resource: Record<string, unknown>): Promise<string> => denial(resource, { operation: 'UPDATE', oldObject: old });
    expect(await update({ ...old, metadata: { ...old.metadata, labels: { a: 'b' }, annotations: { c: 'd' } } })).toBe('allowed');
    expect(await update({ ...old, spec: { ...old.spec, trustDomain: 'x' } })).toBe('MW8005 spec.trustDomain');
    expect(await update({ ...old, spec: { ...old.spec, deploys: [{}] } })).toBe('MW8005 spec.deploys');
    expect(await update({ ...old, proof: { ...old.proof, environment: 'stage' } })).toBe('MW8005 proof.environment');
  });
  it('takes a newer key over the same content, and no stranger', async () => {
    const next = await newTestSigner();
    const root = { environments: { prod: { keys: [signer.jwk, next.jwk], generationFloor: 0 } } };
    const rotated = { ...context, trust: { root, version: 2 } };
    const update = { operation: 'UPDATE' as const, oldObject: await resourceOf() };
    expect((await judge(await resourceOf(object(), next), update, rotated)).allowed).toBe(true);
    expect((await judge(await resourceOf(object(), next), update)).allowed).toBe(false);
  });
  it('15: is held to that on its way out too', async () => {
    const old = await resourceOf();
    const leaving = { ...old, metadata: { ...old.metadata, deletionTimestamp: 't' } };
    expect(await denial({ ...leaving, spec: {} }, { operation: 'UPDATE', oldObject: leaving })).toBe('MW8005 spec.environment');
  });
});

describe('11: an object that is deleted', () => {
  const live = (set: 'stable' | 'candidate', name: string): LiveSets => ({
    digest: digestOfJson(1),
    generation: 1,
    stable: {},
    candidate: {},
    stableResources: new Set(set === 'stable' ? [name] : []),
    candidateResources: new Set(set === 'candidate' ? [name] : []),
  });
  const remove = async (state: Parameters<typeof testState>[0], change: Partial<Review> = {}) =>
    judge(null, { operation: 'DELETE', ...(await target()), ...change }, { ...context, state: testState(state) });
  const target = async (): Promise<Partial<Review>> => {
    const oldObject = await resourceOf();
    const { kind, resource, name, namespace } = reviewOf(oldObject, 'admissionrules');
    return { oldObject, kind, resource, name, namespace };
  };
  const named = async (): Promise<string> => `AdmissionRules/${meshNamespace}/${String((await resourceOf()).metadata['name'])}`;

  it('goes when no set names it, stays while one does', async () => {
    expect((await remove({ live: null })).allowed).toBe(true);
    expect((await remove({ live: live('stable', 'AdmissionRules/meshwright/other') })).allowed).toBe(true);
    for (const set of ['stable', 'candidate'] as const) {
      const verdict = await remove({ live: live(set, await named()) });
      expect(verdict.causes[0]?.code).toBe('MW8006');
      expect(verdict.message).toContain(`${set} set`);
    }
  });
  it('deleted before it was named, stays once it is: its last finalizer is its end', async () => {
    const old = await resourceOf();
    const leaving = { ...old, metadata: { ...old.metadata, deletionTimestamp: 't', finalizers: ['a', 'b'] } };
    const after = (finalizers?: readonly string[]): typeof old => ({
      ...old,
      metadata: { ...old.metadata, deletionTimestamp: 't', ...(finalizers === undefined ? {} : { finalizers }) },
    });
    const update = async (object: typeof old, state: Parameters<typeof testState>[0], before = leaving): Promise<boolean> =>
      (await judge(object, { operation: 'UPDATE', oldObject: before }, { ...context, state: testState(state) })).allowed;
    const inForce = { live: live('candidate', await named()) };
    expect(await update(after(), inForce)).toBe(false);
    expect(await update(after([]), inForce)).toBe(false);
    expect(await update(after(['a']), inForce)).toBe(true);
    expect(await update(after(), { live: null })).toBe(true);
    expect(await update(after(), { live: null, stale: true })).toBe(false);
    expect(await update(after(), { ...inForce, terminating: new Set([meshNamespace]) })).toBe(true);
    const staying = { ...old, metadata: { ...old.metadata, finalizers: ['a'] } };
    expect((await judge(old, { operation: 'UPDATE', oldObject: staying }, { ...context, state: testState(inForce) })).allowed).toBe(true);
  });
  it('stays in all its parts, also when its old form is not shown', async () => {
    const name = await named();
    const part = `${String((await resourceOf()).metadata['name'])}.part-3`;
    expect((await remove({ live: live('stable', name) }, { name: part })).allowed).toBe(false);
    expect((await remove({ live: live('stable', name) }, { oldObject: null })).allowed).toBe(false);
    expect((await remove({ live: live('stable', name) }, { name: '' })).allowed).toBe(false);
  });
  it('stays while nobody knows what is live', async () => {
    for (const state of [{ synced: false }, { stale: true }, { live: 'unreadable' as const }])
      expect(await remove(state)).toMatchObject({ allowed: false, undecided: true });
  });
  it('goes with its namespace, by the namespace controller alone', async () => {
    const state = { live: live('stable', await named()), terminating: new Set([meshNamespace]) };
    const controller = { username: 'system:serviceaccount:kube-system:namespace-controller', groups: [] };
    expect((await remove(state, { user: controller })).allowed).toBe(true);
    expect((await remove(state)).allowed).toBe(false);
    expect((await remove({ ...state, terminating: new Set() }, { user: controller })).allowed).toBe(false);
    expect((await remove({ ...state, terminating: new Set(['other']) }, { user: controller })).allowed).toBe(false);
  });
});

test('a signature is verified once for each content, environment and trust root, and remembered within bounds', async () => {
  const cache = signatureCache(2);
  const signed = await Promise.all(['a', 'b', 'c'].map((text) => signTestObject(signer, object({ text }), 'prod')));
  for (const one of signed) expect((await cache.verify(one, 'prod', context.trust, 'live')).value).toBeDefined();
  expect(cache.size).toBe(2);
  const [first] = signed;
  if (!first) throw new Error('none');
  expect((await cache.verify(first, 'prod', context.trust, 'live')).value).toBeDefined();
  expect((await cache.verify({ ...first, object: object({ text: 'x' }) }, 'prod', context.trust, 'live')).value).toBeUndefined();
  expect((await cache.verify({ ...first, digest: digestOfJson(2) }, 'prod', context.trust, 'live')).value).toBeUndefined();
  expect((await cache.verify(first, 'stage', context.trust, 'live')).value).toBeUndefined();
  const emptied = { root: { environments: { prod: { keys: [], generationFloor: 0 } } }, version: 2 };
  expect((await cache.verify(first, 'prod', emptied, 'live')).value).toBeUndefined();
});
