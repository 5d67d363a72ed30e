import { emitEnvoy } from '../../compiler/emit/envoy';
import { declarations } from '../../test/kit/between-networks';
import { bookinfo } from '../../test/kit/bookinfo-ir';
import { lowered } from '../../test/kit/layered-mesh';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../../test/kit/signing';
import { digestOf, digestOfJson, type Digest } from '../lib/digest';
import { objectResource, releaseResource, resourceName, signedObjectOf, signedReleaseOf } from './custom-resource';
import { apiVersion, type MeshObject } from './objects';
import { FormError } from './release-form';
import { verifyObject, verifyReleaseSignature } from './verify';

const digest = digestOf('x');
const rules: MeshObject = {
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { environment: 'prod' },
};

/** Paths of what a server or a tool might rewrite: null anywhere, and an empty list or object outside Envoy's messages. */
function rewritable(value: unknown, path: string, inEnvoy = false): readonly string[] {
  if (value === null) return [path];
  if (typeof value !== 'object') return [];
  const entries = Object.entries(value);
  const envoy = inEnvoy || /\.(virtualHost|catchAll|locality|clusters\.\d+|listeners\.\d+|routes\.\d+)$/.test(path);
  return [
    ...(entries.length === 0 && !envoy ? [path] : []),
    ...entries.flatMap(([key, inner]) => rewritable(inner, `${path}.${key}`, envoy)),
  ];
}

describe('custom resources', () => {
  let signer: TestSigner;
  let objects: readonly MeshObject[];
  beforeAll(async () => {
    signer = await newTestSigner();
    const { value } = emitEnvoy(bookinfo());
    const between = emitEnvoy(lowered(declarations)).value;
    objects = [...[value, between].flatMap((one) => [...(one?.services ?? []), ...(one?.proxies ?? [])]), rules];
    expect(JSON.stringify(objects)).toContain('"across":[');
  });

  test('every object of the example comes back byte for byte and verifies, and nothing in it could be rewritten on the way', async () => {
    const trust = { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } };
    expect(objects.length).toBeGreaterThan(5);
    for (const object of objects) {
      const signed = await signTestObject(signer, object, 'prod');
      const resource = JSON.parse(JSON.stringify(objectResource(signed, 'prod')));
      expect(rewritable(resource.spec, 'spec')).toEqual([]);
      const back = signedObjectOf({ ...resource, metadata: { ...resource.metadata, uid: '1', labels: { a: 'b' } }, status: {} });
      expect(back).toEqual({ signed, environment: 'prod' });
      expect((await verifyObject(back.signed, 'prod', trust)).diagnostics).toEqual([]);
    }
  });

  test('a release comes back with its signature, though its payload is not stored', async () => {
    const trust = { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } };
    const first = testRelease(objects);
    for (const release of [first, testReleaseAfter(first, [], { steps: [{ parts: [], why: 'a' }] })]) {
      const signed = await signTestRelease(signer, release, { 'sources.json': digest });
      const resource = JSON.parse(JSON.stringify(releaseResource(signed)));
      expect(rewritable(resource.spec, 'spec')).toEqual([]);
      expect(JSON.stringify(resource).length).toBeLessThan(signed.jws.length + JSON.stringify(release).length);
      expect(signedReleaseOf(resource)).toEqual(signed);
      expect((await verifyReleaseSignature(signedReleaseOf(resource), trust)).diagnostics).toEqual([]);
      const other = { ...resource, spec: { ...resource.spec, holdMs: 1 } };
      expect((await verifyReleaseSignature(signedReleaseOf(other), trust)).value).toBeUndefined();
    }
  });

  test.each([
    ['reviews.web', 'reviews.web'],
    ['reviews.web+books.productpage', 'reviews.web--books.productpage'],
    ['a'.repeat(252), 'a'.repeat(231)],
    [`${'a'.repeat(230)}.b`, 'a'.repeat(230)],
  ])('the name %s is legal in Kubernetes', (name, legal) => {
    const made = resourceName(name, digest);
    expect(made).toBe(`${legal}.${digest.slice(7, 19)}`);
    expect(made.length).toBeLessThanOrEqual(253 - '.part-127'.length);
    expect(made).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/);
  });

  test('what is not of the form is refused in one line', async () => {
    const good = objectResource(await signTestObject(signer, rules, 'prod'), 'prod');
    const change = (with_: object): unknown => ({ ...good, ...with_ });
    const other = digestOfJson('other') as Digest;
    for (const bad of [
      null,
      [],
      change({ spec: [] }),
      change({ proof: { ...good.proof, more: 1 } }),
      change({ proof: { ...good.proof, digest: other } }),
      change({ metadata: { ...good.metadata, name: 'rules' } }),
      change({ kind: 'Secret' }),
      change({ proof: null }),
    ])
      expect(() => signedObjectOf(bad)).toThrow(FormError);
    const release = releaseResource(await signTestRelease(signer, testRelease([])));
    for (const bad of [
      { ...release, metadata: { ...release.metadata, name: 'dev' } },
      { ...release, metadata: { ...release.metadata, namespace: 'books' } },
      { ...release, proof: { ...release.proof, signature: 'a.b.c' } },
      { ...release, spec: { ...release.spec, more: 1 } },
    ])
      expect(() => signedReleaseOf(bad)).toThrow(FormError);
  });
});
