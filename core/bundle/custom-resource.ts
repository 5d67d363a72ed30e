/**
 * How signed things lie in the Kubernetes API: one custom resource for each, `<name>.<digest>` in the object's own namespace, and one Release for each
 * environment in the mesh's namespace. The form is chosen so that nothing on the way rewrites it: no null, and no empty list in our own fields;
 * both come back when it is read. What Envoy's messages hold is kept as it is (an empty message has a meaning there).
 *
 * `proof` is beside `spec` and says what is claimed; nothing in it is believed before the signature was checked over what `spec` holds.
 * Labels and annotations are nobody's claim and nothing reads them.
 */
import type { Diagnostic } from '../diagnostics/diagnostic';
import { sign } from '../diagnostics/sign';
import { isDigest, shortDigest, type Digest } from '../lib/digest';
import type { JsonObject } from '../lib/json';
import {
  apiVersion,
  type MeshObject,
  type ObjectKind,
  type Release,
  type ReleaseSet,
  type SignedObject,
  type SignedRelease,
} from './objects';
import { packAbove, packJson, unpackJson } from './packing';
import { assertObjectForm, assertReleaseForm, FormError, members } from './release-form';
import { describeRelease, releaseStatement, statementBytes, type Byproducts } from './statement';
import type { StoredProxyConfigSpec, StoredReleaseSpec, StoredServiceConfigSpec } from './stored';

/** The mesh's own namespace: releases, admission rules, the control plane and the webhook live in it. */
export const meshNamespace = 'meshwright';
export const plurals = {
  ServiceConfig: 'serviceconfigs',
  ProxyConfig: 'proxyconfigs',
  AdmissionRules: 'admissionrules',
  Release: 'releases',
} as const satisfies { readonly [kind in ObjectKind | 'Release']: string };

/** What an object claims: to be `name` of `environment`, with these bytes, signed by this. */
export interface ObjectProof {
  readonly environment: string;
  /** Without the digest: `reviews.web`. */
  readonly name: string;
  readonly digest: Digest;
  /** Compact JWS (EdDSA). */
  readonly jws: string;
}
export interface ObjectResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: ObjectKind;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: JsonObject;
  readonly proof: ObjectProof;
}
export interface ReleaseProof {
  readonly digest: Digest;
  /** The compact JWS without its payload (RFC 7515, appendix F): `<header>..<signature>`. The payload is made anew from `spec` and `byproducts`. */
  readonly signature: string;
  /** Digests of the files signed along with the release: path -> digest. */
  readonly byproducts: Byproducts;
}
interface PackedSets {
  readonly both: ReleaseSet;
  readonly stable: ReleaseSet;
  readonly candidate: ReleaseSet;
  readonly steps: Release['steps'];
}
export interface ReleaseResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'Release';
  readonly metadata: { readonly namespace: typeof meshNamespace; readonly name: string };
  readonly spec: JsonObject;
  readonly proof: ReleaseProof;
}

/** `reviews.web.3f2a90b1c4de`: a DNS subdomain. `+` of a caller's variant becomes `--`; the digest tells two names apart that would be one. */
export function resourceName(name: string, digest: Digest): string {
  const legal = name.replaceAll('+', '--').replaceAll('_', '-');
  return `${legal.slice(0, longestName).replace(/[.-]+$/, '')}.${shortDigest(digest)}`;
}
/** Of the 253 characters there are: room for the digest, and for `.part-127` behind it. */
const longestName = 253 - '.0123456789ab'.length - '.part-127'.length;

/** The custom resource of a signed object that is not packed; parts.ts has the resources of one that may be. */
export function objectResource({ object, digest, jws, packed }: SignedObject, environment: string): ObjectResource {
  if (packed !== undefined) throw new Error('internal: a packed object has several resources');
  const { namespace, name } = object.metadata;
  return {
    apiVersion,
    kind: object.kind,
    metadata: { namespace, name: resourceName(name, digest) },
    spec: bare(object),
    proof: { environment, name, digest, jws },
  };
}

/**
 * What a custom resource holds, its form checked and nothing verified: verify it with `verifyObject`. Throws FormError with one line for people. Metadata
 * beyond namespace and name is not looked at, but the name must be the one that content and digest give.
 */
export function signedObjectOf(resource: unknown): { readonly signed: SignedObject; readonly environment: string } {
  const { kind, metadata, spec, packed, proof } = recordOf(resource, 'the resource');
  if (packed !== undefined) throw new FormError('it is packed: the object is in its parts');
  const meta = recordOf(metadata, '`metadata`');
  const claims = members(proof, '`proof`', ['environment', 'name', 'digest', 'jws']);
  const { environment, name, digest, jws } = claims;
  if (typeof environment !== 'string' || typeof name !== 'string' || typeof jws !== 'string')
    throw new FormError('`proof` holds something that is not a text');
  if (typeof digest !== 'string' || !isDigest(digest)) throw new FormError('`proof.digest` is not a digest');
  const object = {
    apiVersion: recordOf(resource, 'the resource')['apiVersion'],
    kind,
    metadata: { namespace: meta['namespace'], name },
    spec: filled(kind, spec),
  };
  assertObjectForm(object);
  const expected = resourceName(name, digest);
  if (meta['name'] !== expected)
    throw new FormError(`\`metadata.name\` is \`${String(meta['name']).slice(0, 260)}\` and not \`${expected}\``);
  return { signed: { object, digest, jws }, environment };
}

/**
 * The custom resource of a signed release: named as its environment; its sets and steps are packed when it is above 1 MB with them. Throws when the
 * JWS is not compact; an unsigned one has an empty signature. Whether it fits even so: `releaseFits`.
 */
export function releaseResource({ release, digest, jws }: SignedRelease): ReleaseResource {
  const { apiVersion: version, kind, parent, stable, candidate, steps, ...rest } = release;
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const head = { ...rest, ...(parent === null ? {} : { parent }) };
  const plain: StoredReleaseSpec = {
    ...head,
    ...unlessEmpty('stable', stable),
    ...unlessEmpty('candidate', candidate),
    ...(steps.length === 0 ? {} : { steps: steps.map(({ parts, why }) => ({ why, ...(parts.length === 0 ? {} : { parts }) })) }),
  };
  const resource = (spec: StoredReleaseSpec): ReleaseResource => ({
    apiVersion: version,
    kind,
    metadata: { namespace: meshNamespace, name: release.environment },
    spec: json(spec),
    proof: { digest, signature: jws === '' ? '' : `${header}..${signature}`, byproducts: byproductsIn(payload) },
  });
  const whole = resource(plain);
  return sizeOf(whole) <= packAbove ? whole : resource({ ...head, packed: packJson(packedSets(release)) });
}

/** Errors when a release is too big for the Kubernetes API, packed as it is; none when it fits. */
export function releaseFits(signed: SignedRelease): readonly Diagnostic[] {
  const size = sizeOf(releaseResource(signed));
  if (size <= packAbove) return [];
  const objects = Object.keys(signed.release.candidate).length;
  return [sign.releaseTooLarge({ release: describeRelease(signed.release), size, objects, most: packAbove })];
}

/** What both sets have is written once: a digest does not compress, and most are in both. */
function packedSets({ stable, candidate, steps }: Release): PackedSets {
  const isBoth = ([name, digest]: [string, Digest]): boolean => Object.hasOwn(candidate, name) && candidate[name] === digest;
  const both = Object.fromEntries(Object.entries(stable).filter(isBoth));
  const rest = (set: ReleaseSet): ReleaseSet => Object.fromEntries(Object.entries(set).filter(([name]) => !Object.hasOwn(both, name)));
  return { both, stable: rest(stable), candidate: rest(candidate), steps };
}

/** The signed release that a custom resource holds, its form checked and nothing verified: verify it with `verifyRelease`. Throws FormError. */
export function signedReleaseOf(resource: unknown): SignedRelease {
  const { apiVersion: version, kind, metadata, spec, proof } = recordOf(resource, 'the release');
  const meta = recordOf(metadata, '`metadata`');
  const claims = members(proof, '`proof`', ['digest', 'signature', 'byproducts']);
  const { digest, signature } = claims;
  if (typeof digest !== 'string' || !isDigest(digest)) throw new FormError('`proof.digest` is not a digest');
  if (typeof signature !== 'string') throw new FormError('`proof.signature` is not a text');
  const { packed, ...plain } = recordOf(spec, '`spec`');
  const given = packed === undefined ? plain : { ...plain, ...unpackedSets(packed, plain) };
  const steps = given['steps'] ?? [];
  const release: unknown = {
    ...given,
    apiVersion: version,
    kind,
    parent: given['parent'] ?? null,
    stable: given['stable'] ?? {},
    candidate: given['candidate'] ?? {},
    steps: Array.isArray(steps) ? steps.map((step: unknown) => ({ parts: [], ...recordOf(step, 'a step') })) : steps,
  };
  assertReleaseForm(release);
  if (meta['name'] !== release.environment || meta['namespace'] !== meshNamespace)
    throw new FormError(`a release of \`${release.environment}\` is named \`${meshNamespace}/${release.environment}\``);
  const byproducts = digests(claims['byproducts']);
  const [header = '', empty, tail = '', ...more] = signature.split('.');
  if (signature !== '' && (empty !== '' || more.length > 0)) throw new FormError('`proof.signature` is not `<header>..<signature>`');
  const payload = Buffer.from(statementBytes(releaseStatement(release, byproducts))).toString('base64url');
  return { release, digest, jws: signature === '' ? '' : `${header}.${payload}.${tail}` };
}

function unpackedSets(packed: unknown, beside: object): { readonly [name: string]: unknown } {
  const twice = ['stable', 'candidate', 'steps'].find((name) => Object.hasOwn(beside, name));
  if (twice !== undefined) throw new FormError(`\`spec.${twice}\` is there beside \`spec.packed\``);
  if (typeof packed !== 'string') throw new FormError('`spec.packed` is not a text');
  const { both, stable, candidate, steps } = members(unpackJson(packed), '`spec.packed`', ['both', 'stable', 'candidate', 'steps']);
  const whole = (set: unknown, name: string): object => {
    const own = recordOf(set, `\`${name}\` in \`spec.packed\``);
    const shared = recordOf(both, '`both` in `spec.packed`');
    if (Object.keys(own).some((key) => Object.hasOwn(shared, key)))
      throw new FormError(`\`spec.packed\` gives something of \`${name}\` twice`);
    return Object.fromEntries([...Object.entries(shared), ...Object.entries(own)]);
  };
  return { stable: whole(stable, 'stable'), candidate: whole(candidate, 'candidate'), steps };
}

/** Our own fields that may be null or empty, by kind: left out when they are, and given back when it is read. */
function bare(object: MeshObject): JsonObject {
  switch (object.kind) {
    case 'ServiceConfig': {
      const { clusters, endpoints, virtualHost, ...rest } = object.spec;
      const stored: StoredServiceConfigSpec = {
        ...rest,
        ...(virtualHost === null ? {} : { virtualHost }),
        ...unlessEmpty('clusters', clusters),
        ...unlessEmpty(
          'endpoints',
          endpoints.map(({ version, ...selector }) => (version === null ? selector : { ...selector, version })),
        ),
      };
      return json(stored);
    }
    case 'ProxyConfig': {
      const { inbound, outbound, ...rest } = object.spec;
      const { catchAll, ...lists } = outbound;
      const stored: StoredProxyConfigSpec = {
        ...rest,
        ...unlessBare('inbound', listsOf(inbound)),
        ...unlessBare('outbound', { ...listsOf(lists), ...(catchAll === null ? {} : { catchAll }) }),
      };
      return json(stored);
    }
    case 'AdmissionRules':
      return object.spec;
  }
}

function filled(kind: unknown, spec: unknown): unknown {
  const given = recordOf(spec, '`spec`');
  switch (kind) {
    case 'ServiceConfig': {
      const endpoints = given['endpoints'] ?? [];
      return {
        ...given,
        virtualHost: given['virtualHost'] ?? null,
        clusters: given['clusters'] ?? [],
        endpoints: Array.isArray(endpoints)
          ? endpoints.map((selector: unknown) => ({ version: null, ...recordOf(selector, 'an endpoint selector') }))
          : endpoints,
      };
    }
    case 'ProxyConfig':
      return {
        ...given,
        inbound: { listeners: [], routes: [], clusters: [], ...recordOf(given['inbound'] ?? {}, '`spec.inbound`') },
        outbound: { listeners: [], routes: [], services: [], catchAll: null, ...recordOf(given['outbound'] ?? {}, '`spec.outbound`') },
      };
    default:
      return given;
  }
}

/** Bytes of a resource as it is sent. */
const sizeOf = (resource: object): number => Buffer.byteLength(JSON.stringify(resource));
const listsOf = (lists: Readonly<Record<string, readonly unknown[]>>): Record<string, readonly unknown[]> =>
  Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
const unlessBare = (name: string, value: object): object => (Object.keys(value).length === 0 ? {} : { [name]: value });
const unlessEmpty = <T extends readonly unknown[] | ReleaseSet>(name: string, value: T): Record<string, T> =>
  (Array.isArray(value) ? value.length : Object.keys(value).length) === 0 ? {} : { [name]: value };

/** Typed data is JSON by construction; said here once. */
const json = (value: object): JsonObject => value as JsonObject;

/** A value that must be a record, whatever its members. Throws FormError. */
export function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FormError(`${what} is not an object`);
  return Object.fromEntries(Object.entries(value));
}

function digests(value: unknown): Byproducts {
  const result: [string, Digest][] = [];
  for (const [path, digest] of Object.entries(recordOf(value, '`proof.byproducts`'))) {
    if (typeof digest !== 'string' || !isDigest(digest)) throw new FormError('`proof.byproducts` gives something that is not a digest');
    result.push([path, digest]);
  }
  return Object.fromEntries(result);
}

/** The byproducts that a release's payload names; none for an unsigned one. */
function byproductsIn(payload: string): Byproducts {
  if (payload === '') return {};
  const statement = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as {
    readonly predicate: { readonly runDetails: { readonly byproducts: readonly { name: string; digest: { sha256: string } }[] } };
  };
  return digests(
    Object.fromEntries(statement.predicate.runDetails.byproducts.map(({ name, digest }) => [name, `sha256:${digest.sha256}`])),
  );
}
