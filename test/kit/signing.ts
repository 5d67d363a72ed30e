/** Keys and signatures for tests, made in memory. */
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey } from 'jose';
import { byproductsOf, type Bundle } from '../../core/bundle/bundle';
import { apiVersion, objectName, type MeshObject, type Release, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { packObject } from '../../core/bundle/packing';
import { objectStatement, objectType, releaseStatement, releaseType, statementBytes, type Byproducts } from '../../core/bundle/statement';
import { thumbprint, type PublicJwk } from '../../core/bundle/trust';
import { digestOfJson } from '../../core/lib/digest';

export interface TestSigner {
  readonly key: CryptoKey;
  readonly jwk: PublicJwk;
}

export async function newTestSigner(): Promise<TestSigner> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const x = (await exportJWK(publicKey)).x ?? '';
  const base = { kty: 'OKP', crv: 'Ed25519', x } as const;
  return { key: privateKey, jwk: { ...base, kid: thumbprint(base) } };
}

/** A compact JWS with any header: also those that must be refused. */
export const testJws = (signer: TestSigner, payload: Uint8Array, header: Record<string, unknown>): Promise<string> =>
  new CompactSign(payload).setProtectedHeader({ alg: 'EdDSA', kid: signer.jwk.kid, ...header }).sign(signer.key);

export async function signTestObject(
  signer: TestSigner,
  object: MeshObject,
  environment: string,
  header: Record<string, unknown> = {},
): Promise<SignedObject> {
  const packed = packObject(object);
  const jws = await testJws(signer, statementBytes(objectStatement(object, environment, packed)), { typ: objectType, ...header });
  return { object, digest: digestOfJson(object), jws, ...(packed === undefined ? {} : { packed }) };
}

export async function signTestRelease(signer: TestSigner, release: Release, byproducts: Byproducts = {}): Promise<SignedRelease> {
  const jws = await testJws(signer, statementBytes(releaseStatement(release, byproducts)), { typ: releaseType });
  return { release, digest: digestOfJson(release), jws };
}

/** A first release of some objects, with everything in one wave; give what matters to the test. */
export function testRelease(objects: readonly MeshObject[], change: Partial<Release> = {}): Release {
  return {
    apiVersion,
    kind: 'Release',
    environment: 'prod',
    generation: 1,
    parent: null,
    commit: 'c'.repeat(40),
    repository: 'https://git.example/policies.git',
    compiler: '0.1.0',
    asOf: '2026-11-22',
    notAfter: '2099-01-01T00:00:00Z',
    stable: {},
    candidate: Object.fromEntries(objects.map((object) => [objectName(object), digestOfJson(object)])),
    steps: [],
    waves: [100],
    holdMs: 0,
    ...change,
  };
}

/** The release that follows another with new objects. */
export const testReleaseAfter = (before: Release, objects: readonly MeshObject[], change: Partial<Release> = {}): Release =>
  testRelease(objects, {
    environment: before.environment,
    generation: before.generation + 1,
    parent: digestOfJson(before),
    stable: before.candidate,
    ...change,
  });

/** A whole signed bundle of a release. */
export async function signTestBundle(
  signer: TestSigner,
  release: Release,
  objects: readonly MeshObject[],
  sources: Bundle['sources'] = {},
): Promise<Bundle> {
  return {
    release: await signTestRelease(signer, release, byproductsOf({ sources })),
    objects: await Promise.all(objects.map((object) => signTestObject(signer, object, release.environment))),
    sources,
  };
}
