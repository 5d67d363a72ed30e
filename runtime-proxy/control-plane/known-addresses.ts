/** What of an inventory, beside an instance itself, is in its listeners. */
import { canonicalJson } from '../../core/lib/json';
import { addressesOfMesh } from '../bind/ranges';
import type { Inventory, VirtualAddresses } from '../inventory';

/** Each the same object as long as it says the same: what was bound by it stays good. */
export interface KnownAddresses {
  readonly virtual: VirtualAddresses;
  /** `addressesOfMesh`. */
  readonly ofMesh: readonly string[];
}
export const noAddresses: KnownAddresses = { virtual: {}, ofMesh: [] };

/** Those of an inventory, after others. */
export function knownAddresses(before: KnownAddresses, inventory: Inventory): KnownAddresses {
  const { virtual = noAddresses.virtual } = inventory;
  const ofMesh = addressesOfMesh(inventory);
  return {
    virtual: canonicalJson(before.virtual) === canonicalJson(virtual) ? before.virtual : virtual,
    ofMesh: before.ofMesh.join() === ofMesh.join() ? before.ofMesh : ofMesh,
  };
}
