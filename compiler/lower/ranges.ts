/** Ranges of addresses outside the mesh: each in one spelling, of machines outside, and of one team at each port number. */
import { ir as messages } from '../../core/diagnostics/ir';
import { outside as words } from '../../core/diagnostics/outside';
import type { Service } from '../../core/ir/ir';
import { addressIn, canonicalNetwork, isWithinNetwork, networkOf, networksAround } from '../../core/lib/network';
import { sortedUnique } from '../../core/lib/order';
import { reservedAround, reservedNetworks } from '../../core/mesh/reserved-networks';
import { networksHeld, rangesOf } from '../../core/semantics/ranges';
import { type Context, type Declared, hasPlatformRole, type Place } from './context';

/** The ranges of an `external` that has no hosts: canonical, sorted. */
export function lowerRanges(context: Context, { id, team, value }: Declared<'external'>): readonly string[] {
  const at = { id, path: 'addresses' };
  const written = value.addresses ?? [];
  if (written.length === 0) context.report(messages.empty, { what: 'the list of addresses' }, at);
  if (value.hosts !== undefined)
    context.report(messages.unsupported, { feature: '`hosts` and `addresses` of one `external`' }, { id, path: 'hosts' });
  if (value.trust !== undefined)
    context.report(messages.unsupported, { feature: '`trust` of addresses (there is no name to verify)' }, { id, path: 'trust' });
  if (value.through !== undefined)
    context.report(
      messages.unsupported,
      { feature: '`through` to addresses (a gateway is not told which was dialled)' },
      { id, path: 'through' },
    );
  return sortedUnique(written.flatMap((range) => lowerRange(context, team, range, at) ?? []));
}

function lowerRange(context: Context, team: string, range: string, at: Place): string | null {
  const canonical = canonicalNetwork(range);
  const fault = faultOf(range, canonical);
  if (fault !== null) {
    context.report(words.badRange, { range, why: fault }, at);
    return null;
  }
  const within = canonical === null ? undefined : reservedAround(canonical);
  if (within?.kind === 'nowhere') context.report(words.badRange, { range, why: within.what }, at);
  else if (within && !hasPlatformRole(team)) context.report(words.rangeOfMachine, { range, why: within.what, team }, at);
  return canonical;
}
function faultOf(range: string, canonical: string | null): string | null {
  if (canonical === null) return 'it is not an address and the length of a prefix';
  const first = networkOf(addressIn(range));
  return first !== null && addressIn(first) === addressIn(canonical) ? null : `it begins at \`${addressIn(canonical)}\``;
}

interface Held {
  readonly network: string;
  readonly service: Service;
  /** A host that is written as the address. */
  readonly host: boolean;
}
/** At one port number an address is of one team; of one team the narrower range is, and no two are alike. */
export function checkOverlaps(context: Context, services: readonly Service[]): void {
  const numbers = new Set(
    services.filter((service) => rangesOf(service).length > 0).flatMap(({ ports }) => ports.map(({ number }) => number)),
  );
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const held = services.filter(({ ports }) => ports.some((port) => port.number === number)).flatMap(heldBy);
    const byNetwork = new Map<string, number[]>();
    for (const [index, { network, host }] of held.entries()) if (!host) byNetwork.set(network, [...(byNetwork.get(network) ?? []), index]);
    const around = networksAround(byNetwork.keys());
    const pairs = held.flatMap(({ network }, narrow) =>
      around(network).flatMap((wider) => (byNetwork.get(wider) ?? []).map((wide) => ({ wide, narrow }))),
    );
    for (const { wide, narrow } of pairs.sort((a, b) => a.wide - b.wide || a.narrow - b.narrow)) {
      const [inner, outer] = [held[narrow], held[wide]];
      if (inner && outer) compareHeld(context, inner, outer, number);
    }
  }
}
const heldBy = (service: Service): readonly Held[] => networksHeld(service).map((one) => ({ ...one, service }));
/** What is of a link or a cloud is none of a range around that, whoever opens it. */
const isReservedWithin = (narrow: Held, wide: Held): boolean =>
  reservedNetworks.some(({ network }) => isWithinNetwork(narrow.network, network) && !isWithinNetwork(wide.network, network));
/** `narrow` lies in `wide`. */
function compareHeld(context: Context, narrow: Held, wide: Held, number: number): void {
  if (narrow.service === wide.service || isReservedWithin(narrow, wide)) return;
  const alike = narrow.network === wide.network;
  // of two that are alike each lies in the other: once is enough
  if (alike && !narrow.host && narrow.service.id < wide.service.id) return;
  const at = { id: narrow.service.id, path: narrow.host ? 'hosts' : 'addresses' };
  const span = context.spanOf({ id: wide.service.id, path: 'addresses' });
  const related = span ? [{ message: 'the other one', span }] : [];
  if (narrow.service.team !== wide.service.team)
    context.report(
      words.rangesOverlap,
      {
        ...{ narrow: narrow.network, of: narrow.service.id, team: narrow.service.team, wide: wide.network, number },
        ...{ other: wide.service.id, owner: wide.service.team },
      },
      at,
      related,
    );
  else if (alike)
    context.report(messages.duplicate, { what: `range at port ${number}`, name: narrow.network, first: wide.service.id }, at, related);
}
