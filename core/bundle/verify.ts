/**
 * Decides whether a signed object or release may be believed. Everything is made anew from the content: the digest, and the very bytes that
 * must have been signed. A payload is only ever compared, never acted on. Only EdDSA over Ed25519 (RFC 8037) in one header form is accepted.
 */
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import type { Diagnostic, Outcome } from '../diagnostics/diagnostic';
import { sign } from '../diagnostics/sign';
import { digestOfJson, isDigest, type Digest } from '../lib/digest';
import { canonicalJson } from '../lib/json';
import type { MeshObject, Release, ReleaseSet, SignedObject } from './objects';
import { assertHolds, partDigest } from './packing';
import { describePart, partOf, partStatement, signedObjectIn, type ObjectPart } from './parts';
import { assertReleaseForm, FormError, members } from './release-form';
import { signedObjectMembers } from './signed-form';
import {
  describeObject,
  describeRelease,
  objectStatement,
  objectType,
  releaseStatement,
  releaseType,
  statementBytes,
  type Byproducts,
} from './statement';
import { thumbprint, type PublicJwk, type TrustRoot } from './trust';

/** `live`: may be put in force. `dry-run`: preview keys count too, and nothing may change because of it. */
export type Purpose = 'live' | 'dry-run';

/** What is live now, as far as a new release must follow from it. */
export interface Live {
  readonly generation: number;
  readonly digest: Digest;
  /** The set in force: the live release's candidate once it converged, its stable set when it was aborted. Absent: not compared. */
  readonly inForce?: ReleaseSet;
}
export interface ReleaseContext {
  readonly trust: TrustRoot;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** null: nothing is live; the trust root's generation floor decides. */
  readonly live: Live | null;
  readonly purpose?: Purpose;
}

/**
 * Verifies one object for an environment. `signed` is what came from outside: `{ object, digest, jws }`, unknown until verified.
 * @returns the object when everything holds; else one error (MW6001 to MW6008).
 */
export async function verifyObject(
  signed: unknown,
  environment: string,
  trust: TrustRoot,
  purpose: Purpose = 'live',
): Promise<Outcome<MeshObject>> {
  return guarded('the object', async () => {
    const { object, digest, jws, packed } = signedObjectMembers(signed);
    const what = describeObject(object);
    assertDigest(what, digest, digestOfJson(object));
    const payload = await verifiedPayload({ what, jws, type: objectType, environment, trust, purpose });
    const expected = objectStatement(object, environment, packed);
    if (!sameBytes(payload, statementBytes(expected)))
      throw new Refused(sign.otherStatement({ what, field: differingField(payload, expected) }));
    // Last: nothing is unpacked that nobody has signed.
    if (packed !== undefined) assertHolds(packed, object);
    return object;
  });
}

/**
 * Verifies one part of a packed object alone, as a resource of the Kubernetes API: that it was signed for this environment as this part of the object
 * it names. What the parts hold together is seen when they are joined: `joinParts`, then `verifyObject`.
 * @returns the part when everything holds; else one error (MW6001 to MW6008).
 */
export async function verifyPart(
  resource: unknown,
  environment: string,
  trust: TrustRoot,
  purpose: Purpose = 'live',
): Promise<Outcome<ObjectPart>> {
  return guarded('the part', async () => {
    const part = partOf(resource);
    if (part === null) throw new FormError('it has no `packed`');
    const what = describePart(part);
    if (part.environment !== environment) throw new Refused(sign.otherStatement({ what, field: 'environment' }));
    const payload = await verifiedPayload({ what, jws: part.jws, type: objectType, environment, trust, purpose });
    const digests = statedParts(payload);
    const expected = partStatement(part, digests);
    if (!sameBytes(payload, statementBytes(expected)))
      throw new Refused(sign.otherStatement({ what, field: differingField(payload, expected) }));
    if (digests.length !== part.parts || digests[part.part] !== partDigest(part.data))
      throw new Refused(sign.otherStatement({ what, field: 'part' }));
    return part;
  });
}

/**
 * The signed object of one group of resources (`groupResources`), verified whole. Each part is verified before anything is unpacked.
 * @returns the object with what it was signed with, null when it is of another environment; else one error (MW6001 to MW6008).
 */
export async function verifyResources(
  group: readonly unknown[],
  environment: string,
  trust: TrustRoot,
  purpose: Purpose = 'live',
): Promise<Outcome<SignedObject | null>> {
  return guarded('the object', async () => {
    const [first] = group;
    const part = partOf(first);
    const claimed = part ?? signedObjectIn(group);
    if (claimed.environment !== environment) return null;
    if (part !== null)
      for (const resource of group) {
        const { diagnostics } = await verifyPart(resource, environment, trust, purpose);
        if (diagnostics[0]) throw new Refused(diagnostics[0]);
      }
    const { signed } = signedObjectIn(group);
    const { diagnostics } = await verifyObject(signed, environment, trust, purpose);
    if (diagnostics[0]) throw new Refused(diagnostics[0]);
    return signed;
  });
}

/**
 * Verifies a release and that it may follow what is live: generation, parent, stable set, last moment. The live release presented again is
 * accepted, also after its last moment: one in force stays in force.
 * @returns the release when everything holds; else one error (MW6001 to MW6012).
 */
export async function verifyRelease(signed: unknown, context: ReleaseContext): Promise<Outcome<Release>> {
  return guarded('the release', async () => {
    const { release } = await verifySignedRelease(signed, context.trust, context.purpose ?? 'live');
    assertFollows(release, context);
    return release;
  });
}

/** The signature of a release alone, whatever is live; with the digests of the files that were signed along with it. */
export async function verifyReleaseSignature(
  signed: unknown,
  trust: TrustRoot,
  purpose: Purpose = 'live',
): Promise<Outcome<{ release: Release; byproducts: Byproducts }>> {
  return guarded('the release', () => verifySignedRelease(signed, trust, purpose));
}

class Refused extends Error {
  constructor(readonly diagnostic: Diagnostic) {
    super(diagnostic.message);
  }
}

async function guarded<T>(what: string, run: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await run(), diagnostics: [] };
  } catch (error) {
    if (error instanceof Refused) return { diagnostics: [error.diagnostic] };
    // Anything else that hostile content can make happen (nesting too deep, numbers JSON cannot hold) is a refusal too.
    const reason = error instanceof FormError ? error.message : 'it cannot be read';
    return { diagnostics: [sign.malformed({ what, reason })] };
  }
}

async function verifySignedRelease(
  signed: unknown,
  trust: TrustRoot,
  purpose: Purpose,
): Promise<{ release: Release; byproducts: Byproducts }> {
  const { release, digest, jws } = members(signed, 'the signed release', ['release', 'digest', 'jws']);
  assertReleaseForm(release);
  const what = describeRelease(release);
  assertDigest(what, digest, digestOfJson(release));
  const payload = await verifiedPayload({ what, jws, type: releaseType, environment: release.environment, trust, purpose });
  const byproducts = byproductsIn(payload);
  const expected = releaseStatement(release, byproducts);
  if (!sameBytes(payload, statementBytes(expected))) throw new Refused(sign.otherStatement({ what, field: 'release' }));
  return { release, byproducts };
}

function assertFollows(release: Release, { trust, now, live }: ReleaseContext): void {
  if (live !== null && digestOfJson(release) === live.digest) return;
  const { generation } = release;
  const floor = environmentOf(trust, release.environment)?.generationFloor ?? 0;
  if (live === null && generation <= floor) throw new Refused(sign.generation({ generation, expected: `one above the floor, ${floor}` }));
  if (live !== null) {
    if (generation !== live.generation + 1)
      throw new Refused(sign.generation({ generation, expected: `${live.generation + 1}, one above the live one` }));
    if (release.parent !== live.digest) throw new Refused(sign.parent({ parent: release.parent ?? 'nothing', live: live.digest }));
    const first = live.inForce && firstDifference(release.stable, live.inForce);
    if (first !== undefined) throw new Refused(sign.otherStable({ first }));
  }
  if (Date.parse(release.notAfter) < now) {
    throw new Refused(sign.expired({ notAfter: release.notAfter, now: new Date(now).toISOString() }));
  }
}

interface Check {
  readonly what: string;
  readonly jws: unknown;
  readonly type: string;
  readonly environment: string;
  readonly trust: TrustRoot;
  readonly purpose: Purpose;
}

async function verifiedPayload({ what, jws, type, environment, trust, purpose }: Check): Promise<Uint8Array> {
  if (jws === '') throw new Refused(sign.unsigned({ what }));
  const refuse = (reason: string): Refused => new Refused(sign.badSignature({ what, reason }));
  if (typeof jws !== 'string') throw refuse('it is not a text');
  const parts = jws.split('.');
  // Base64url has several spellings of the same bytes; only one is accepted, so that no byte of a signed thing can change unnoticed.
  if (parts.length !== 3 || parts.some((part) => part === '' || !isCanonicalBase64Url(part))) throw refuse('it is not a compact JWS');
  let header: Record<string, unknown>;
  try {
    header = { ...decodeProtectedHeader(jws) };
  } catch {
    throw refuse('its header cannot be read');
  }
  if (Object.hasOwn(header, 'crit')) throw refuse('its header has `crit`');
  if (Object.keys(header).sort().join() !== 'alg,kid,typ') throw refuse('its header has other members than `alg`, `kid` and `typ`');
  if (header['alg'] !== 'EdDSA') throw refuse('its algorithm is not EdDSA');
  if (header['typ'] !== type) throw refuse(`its type is not \`${type}\``);
  const kid = header['kid'];
  if (typeof kid !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(kid)) throw refuse('its key id is not a thumbprint');
  const key = trustedKey(what, environment, trust, kid, purpose);
  try {
    const { payload } = await compactVerify(jws, await importJWK({ ...key, alg: 'EdDSA' }), { algorithms: ['EdDSA'] });
    return payload;
  } catch {
    throw refuse('it was not made by that key over this content');
  }
}

function trustedKey(what: string, environment: string, trust: TrustRoot, kid: string, purpose: Purpose): PublicJwk {
  const trusted = environmentOf(trust, environment);
  if (!trusted) throw new Refused(sign.unknownEnvironment({ what, environment, known: Object.keys(trust.environments).sort() }));
  const byKid = (key: PublicJwk): boolean => key.kid === kid && thumbprint(key) === kid;
  const live = trusted.keys.find(byKid);
  if (live) return live;
  const preview = trusted.previewKeys?.find(byKid);
  if (!preview) throw new Refused(sign.unknownKey({ what, kid, environment }));
  if (purpose === 'live') throw new Refused(sign.previewKey({ what, kid }));
  return preview;
}

const environmentOf = (trust: TrustRoot, name: string): TrustRoot['environments'][string] | undefined =>
  Object.hasOwn(trust.environments, name) ? trust.environments[name] : undefined;

function assertDigest(what: string, stated: unknown, actual: Digest): void {
  if (typeof stated !== 'string' || !isDigest(stated)) throw new FormError('`digest` is not a digest');
  if (stated !== actual) throw new Refused(sign.digestMismatch({ what, stated, actual }));
}

/** The byproducts a payload names. Whether the rest of it is right is seen when the whole is made anew and compared. */
function byproductsIn(payload: Uint8Array): Byproducts {
  const byproducts: Record<string, Digest> = {};
  const list = at(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)), 'predicate', 'runDetails', 'byproducts');
  if (!Array.isArray(list)) throw new FormError('the statement lists no byproducts');
  for (const item of list) {
    const name = at(item, 'name');
    const digest = `sha256:${String(at(item, 'digest', 'sha256'))}`;
    if (typeof name !== 'string' || !isDigest(digest)) throw new FormError('a byproduct has no name or digest');
    Object.defineProperty(byproducts, name, { value: digest, enumerable: true });
  }
  return byproducts;
}

/** The digests of parts a payload names; compared as a whole like everything in it. */
function statedParts(payload: Uint8Array): readonly string[] {
  const list = at(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)), 'parts');
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) throw new FormError('its signature covers no parts');
  return list;
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = Object.fromEntries(Object.entries(here))[key];
  }
  return here;
}

function differingField(payload: Uint8Array, expected: ReturnType<typeof objectStatement>): string {
  try {
    const stated: unknown = JSON.parse(new TextDecoder().decode(payload));
    const different = ([name, value]: [string, unknown]): boolean => canonicalJson(at(stated, name) ?? null) !== canonicalJson(value);
    const field = Object.entries(expected).find(different)?.[0];
    return field === 'sha256' ? 'content' : (field ?? 'form');
  } catch {
    return 'form';
  }
}

function firstDifference(a: ReleaseSet, b: ReleaseSet): string | undefined {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .sort()
    .find((name) => canonicalJson(a[name] ?? null) !== canonicalJson(b[name] ?? null));
}

const isCanonicalBase64Url = (text: string): boolean => Buffer.from(text, 'base64url').toString('base64url') === text;
const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
