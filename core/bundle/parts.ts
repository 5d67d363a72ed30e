/**
 * An object that is too big for one resource, as several: piece 0 under the object's own name, the others with `.part-<i>` behind. Each carries the
 * same proof, whose one signature lists the digest of every piece, so each can be judged alone and none can be swapped.
 */
import { isDigest, type Digest } from '../lib/digest';
import { objectResource, recordOf, resourceName, signedObjectOf, type ObjectProof, type ObjectResource } from './custom-resource';
import { apiVersion, type ObjectKind, type SignedObject } from './objects';
import { assertPartData, maxParts, partBytes, unpackText } from './packing';
import { assertObjectForm, FormError, members } from './release-form';
import type { ObjectStatement } from './statement';

export interface PartResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: ObjectKind;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly packed: { readonly parts: number; readonly part: number; readonly data: string };
  readonly proof: ObjectProof;
}
/** What a part's resource says, its form checked and nothing verified. */
export interface ObjectPart extends ObjectProof {
  readonly kind: ObjectKind;
  readonly namespace: string;
  readonly parts: number;
  /** From 0. */
  readonly part: number;
  /** Base64. */
  readonly data: string;
}

/** The name of a part's resource; part 0 has the object's own. */
export const partName = (name: string, digest: Digest, part: number): string =>
  `${resourceName(name, digest)}${part === 0 ? '' : `.part-${part}`}`;

/** The custom resources of a signed object: one, or one for each part of a packed one. */
export function objectResources(signed: SignedObject, environment: string): readonly (ObjectResource | PartResource)[] {
  const { object, digest, jws, packed } = signed;
  if (packed === undefined) return [objectResource(signed, environment)];
  const { namespace, name } = object.metadata;
  return packed.map((data, part) => ({
    apiVersion,
    kind: object.kind,
    metadata: { namespace, name: partName(name, digest, part) },
    packed: { parts: packed.length, part, data },
    proof: { environment, name, digest, jws },
  }));
}

/** The part that a resource is; null when it is a whole object. Throws FormError with one line for people. Verify it with `verifyPart`. */
export function partOf(resource: unknown): ObjectPart | null {
  const { apiVersion: version, kind, metadata, spec, packed, proof } = recordOf(resource, 'the resource');
  if (packed === undefined) return null;
  if (spec !== undefined) throw new FormError('it has both `spec` and `packed`');
  const { environment, name, digest, jws } = members(proof, '`proof`', ['environment', 'name', 'digest', 'jws']);
  if (typeof environment !== 'string' || typeof jws !== 'string') throw new FormError('`proof` holds something that is not a text');
  if (typeof digest !== 'string' || !isDigest(digest)) throw new FormError('`proof.digest` is not a digest');
  const { parts, part, data } = members(packed, '`packed`', ['parts', 'part', 'data']);
  if (!isCount(parts) || parts < 1 || parts > maxParts || !isCount(part) || part >= parts)
    throw new FormError(`\`packed\` is not one of at most ${maxParts} parts`);
  assertPartData(data);
  const { namespace, name: own } = recordOf(metadata, '`metadata`');
  const envelope: unknown = { apiVersion: version, kind, metadata: { namespace, name }, spec: {} };
  assertObjectForm(envelope);
  const expected = partName(envelope.metadata.name, digest, part);
  if (own !== expected) throw new FormError(`\`metadata.name\` is \`${String(own).slice(0, 260)}\` and not \`${expected}\``);
  return { kind: envelope.kind, ...envelope.metadata, environment, digest, jws, parts, part, data };
}

/**
 * The signed object that the parts of one object hold together, in whatever order they come; nothing is verified: verify it with `verifyObject`.
 * Throws FormError when one is missing, is of another object, or when they hold something else than an object.
 */
export function joinParts(resources: readonly unknown[]): SignedObject {
  const parts = resources.map((resource) => {
    const part = partOf(resource);
    if (part === null) throw new FormError('it is no part of an object');
    return part;
  });
  const [first] = parts;
  if (!first) throw new FormError('there are no parts');
  const same = ['kind', 'namespace', 'name', 'environment', 'digest', 'jws', 'parts'] as const;
  const stranger = parts.find((part) => same.some((key) => part[key] !== first[key]));
  if (stranger) throw new FormError(`${describePart(stranger)} is not of ${describePart(first)}`);
  const packed = Array.from({ length: first.parts }, (_, index) => {
    const [here, another] = parts.filter((part) => part.part === index);
    if (!here) throw new FormError(`part ${index} of ${first.parts} of ${describePart(first)} is missing`);
    if (another) throw new FormError(`part ${index} of ${describePart(first)} is there twice`);
    // All but the last are full: one content has one way to be cut.
    if (index < first.parts - 1 && here.data.length !== (partBytes / 3) * 4)
      throw new FormError(`part ${index} of ${describePart(first)} is short`);
    return here.data;
  });
  let object: unknown;
  try {
    object = JSON.parse(unpackText(packed));
  } catch (error) {
    throw error instanceof FormError ? error : new FormError('what is packed is not JSON');
  }
  assertObjectForm(object);
  if (object.kind !== first.kind || object.metadata.namespace !== first.namespace || object.metadata.name !== first.name)
    throw new FormError(`what is packed is not ${describePart(first)}`);
  return { object, digest: first.digest, jws: first.jws, packed };
}

/**
 * The resources of each object together: alone, or all the parts there are of one. For who lists or follows resources of one kind; what is not of the
 * form stands alone and is refused when it is read.
 */
export function groupResources<T>(resources: Iterable<T>): readonly (readonly T[])[] {
  const groups: T[][] = [];
  const packed = new Map<string, T[]>();
  for (const resource of resources) {
    const key = packedKey(resource);
    const group = key === null ? undefined : packed.get(key);
    if (group) group.push(resource);
    else {
      const started = [resource];
      groups.push(started);
      if (key !== null) packed.set(key, started);
    }
  }
  return groups;
}

/** Of a part: what it has in common with the other parts of its object. */
function packedKey(resource: unknown): string | null {
  try {
    const part = partOf(resource);
    return part === null ? null : `${describePart(part)} ${part.digest} ${part.jws}`;
  } catch (error) {
    if (error instanceof FormError) return null;
    throw error;
  }
}

/** What one group holds: `signedObjectOf` of a whole object, `joinParts` of a packed one. Nothing is verified. Throws FormError. */
export function signedObjectIn(group: readonly unknown[]): { readonly signed: SignedObject; readonly environment: string } {
  const [first] = group;
  const part = partOf(first);
  return part === null && group.length === 1 ? signedObjectOf(first) : { signed: joinParts(group), environment: part?.environment ?? '' };
}

/** What must have been signed for a part, given the digests that its signature lists. */
export const partStatement = (part: ObjectPart, digests: readonly string[]): ObjectStatement => ({
  environment: part.environment,
  kind: part.kind,
  namespace: part.namespace,
  name: part.name,
  sha256: part.digest.slice('sha256:'.length),
  parts: digests,
});

/** `ServiceConfig/bookinfo/reviews.web`: the object it is a part of. */
export const describePart = ({ kind, namespace, name }: ObjectPart): string => `${kind}/${namespace}/${name}`;

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
