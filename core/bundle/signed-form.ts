/** The form of a signed object as it comes from outside: every member there, none unknown; nothing in it is believed yet. */
import type { MeshObject } from './objects';
import { assertPackedForm } from './packing';
import { assertObjectForm, members } from './release-form';

export interface SignedObjectMembers {
  readonly object: MeshObject;
  readonly digest: unknown;
  readonly jws: unknown;
  readonly packed: readonly string[] | undefined;
}

/** Throws FormError. */
export function signedObjectMembers(value: unknown, what = 'the signed object'): SignedObjectMembers {
  const isPacked = typeof value === 'object' && value !== null && Object.hasOwn(value, 'packed');
  const { object, digest, jws, packed } = members(value, what, ['object', 'digest', 'jws', ...(isPacked ? ['packed'] : [])]);
  assertObjectForm(object);
  if (!isPacked) return { object, digest, jws, packed: undefined };
  assertPackedForm(packed);
  return { object, digest, jws, packed };
}
