/**
 * Ranges of addresses outside the mesh, for an instance whose connections are captured: their filter chains in the receiver, each at the number of its port. What
 * is within a range of somebody else, or of the mesh, is no part of it: Envoy takes the narrowest prefix, so such a one leads to a chain that takes nothing.
 */
import type { ServiceConfig } from '../../core/bundle/objects';
import type { Json, JsonObject } from '../../core/lib/json';
import { canonicalNetwork, cidrRange, networkOf, networksAround, nowhere } from '../../core/lib/network';
import { sortedUnique } from '../../core/lib/order';
import type { Inventory } from '../inventory';
import { isList, isRecord } from './addresses';

interface RangeChain {
  readonly json: JsonObject;
  readonly match: JsonObject;
  readonly number: number;
  /** Canonical. */
  readonly networks: readonly string[];
  /** It takes nothing. */
  readonly isNobody: boolean;
}

/** Whether a listener is of ranges: nothing but the kernel's word says where a connection to it goes, so it is never one that somebody dials. */
export const isOfRanges = (listener: JsonObject): boolean => chainsOf(listener).length > 0;
/** Whether a caller may call something by range. */
export const callsRanges = ({ spec }: ServiceConfig): boolean =>
  (spec.listeners ?? []).some((listener) => chainsOf(listener).some(({ isNobody }) => !isNobody));

/** Every address that an inventory knows as one of the mesh, as networks; not what a gateway says of itself (discovery.ts). Sorted. */
export function addressesOfMesh({ instances, virtual = {}, alsoOfMesh = [] }: Inventory): readonly string[] {
  const hosts = new Set(alsoOfMesh);
  for (const { inbound } of instances) for (const { host } of Object.values(inbound)) hosts.add(host);
  for (const addresses of Object.values(virtual)) for (const { host } of addresses) hosts.add(host);
  return sortedUnique([...hosts].flatMap((host) => networkOf(host) ?? []));
}

/** The chains of all ranges that a caller may call; `taken`: numbers at which connections are known by name, where no range stands. */
export function rangeChains(
  services: readonly ServiceConfig[],
  taken: ReadonlySet<number>,
  ofMesh: readonly string[],
): readonly JsonObject[] {
  const all = services.flatMap(({ spec }) => (spec.listeners ?? []).flatMap(chainsOf)).filter(({ number }) => !taken.has(number));
  const numbers = [...new Set(all.map(({ number }) => number))].sort((a, b) => a - b);
  return numbers.flatMap((number) => {
    const here = all.filter((chain) => chain.number === number);
    const served = here.filter(({ isNobody }) => !isNobody);
    if (served.length === 0) return [];
    const ranges = new Set(served.flatMap(({ networks }) => networks));
    const own = new Set(within(ofMesh, ranges));
    const others = here.flatMap(({ isNobody, networks }) => (isNobody ? networks.filter((network) => !ranges.has(network)) : []));
    const refused = sortedUnique([...others, ...own]);
    return [
      ...served.flatMap(({ json, match, networks }) => {
        const left = networks.filter((network) => !own.has(network));
        return left.length === 0 ? [] : [chainAt(json, match, number, left)];
      }),
      ...(refused.length === 0 ? [] : [{ name: `nobody:${number}`, filterChainMatch: matchOf(fromNowhere, number, refused) }]),
    ];
  });
}
const fromNowhere: JsonObject = { sourcePrefixRanges: [nowhere] };

const chainAt = (json: JsonObject, match: JsonObject, number: number, networks: readonly string[]): JsonObject => ({
  ...json,
  filterChainMatch: matchOf(match, number, networks),
});
const matchOf = (match: JsonObject, destinationPort: number, networks: readonly string[]): JsonObject => ({
  ...match,
  destinationPort,
  prefixRanges: networks.map(cidrRange),
});

/** Chains of ranges have a number in their names, by which capture puts them. */
function chainsOf({ filterChains }: JsonObject): readonly RangeChain[] {
  return (isList(filterChains) ? filterChains.filter(isRecord) : []).flatMap((json): RangeChain[] => {
    const { filterChainMatch: match } = json;
    const [, number] = /:(\d{1,5})$/.exec(String(json['name'])) ?? [];
    if (!isRecord(match) || !isList(match['prefixRanges']) || number === undefined) return [];
    const networks = match['prefixRanges'].flatMap(networkIn);
    return [{ json, match, number: Number(number), networks, isNobody: match['sourcePrefixRanges'] !== undefined }];
  });
}
function networkIn(prefix: Json): readonly string[] {
  if (!isRecord(prefix)) return [];
  const canonical = canonicalNetwork(`${String(prefix['addressPrefix'])}/${String(prefix['prefixLen'])}`);
  return canonical === null ? [] : [canonical];
}

/** The same ranges are asked for by many callers, of one inventory. */
const known = new WeakMap<readonly string[], Map<string, readonly string[]>>();
function within(networks: readonly string[], ranges: ReadonlySet<string>): readonly string[] {
  let byRanges = known.get(networks);
  if (!byRanges) known.set(networks, (byRanges = new Map()));
  const key = [...ranges].sort().join();
  let found = byRanges.get(key);
  if (!found) {
    const around = networksAround(ranges);
    byRanges.set(key, (found = networks.filter((network) => around(network).length > 0)));
  }
  return found;
}
