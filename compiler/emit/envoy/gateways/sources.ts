/**
 * Rules about where a connection comes from, as filter chains. Envoy gives a connection the chain of the longest prefix that its address has; of the
 * networks that rules speak of, those around that prefix are the ones that the address is in. So each prefix has the rules about the networks around it,
 * and prefixes with the same rules share a chain.
 */
import type { GatewayListener } from '../../../../core/ir/ir';
import { canonicalNetwork, cidrRange, holdsMapped, isWithinNetwork, mappedNetwork } from '../../../../core/lib/network';
import { sortedUnique } from '../../../../core/lib/order';

interface AboutSources {
  readonly match: { readonly sources: readonly string[] } | null;
}
export interface SourceClass {
  /** What chain and routes are called; null: everybody else. */
  readonly name: string | null;
  /** Prefixes; empty: whatever is in no other class, of both families. */
  readonly networks: readonly string[];
  /** Whether a rule may be about somebody of the class. */
  takes(rule: AboutSources): boolean;
}

/** All addresses of a family. To Envoy a chain that names no prefix stands for both, beside those that name one of them. */
const families = ['0.0.0.0/0', canonicalNetwork('::/0') ?? ''];

/** The classes that rules tell apart, the rest last: by name where rules speak of all addresses of a family, and nobody where they speak of both. */
export function sourceClasses(rules: readonly AboutSources[]): readonly SourceClass[] {
  const takes =
    (network: string | null) =>
    ({ match }: AboutSources): boolean =>
      match === null || match.sources.length === 0 || (network !== null && match.sources.some((wide) => isWithinNetwork(network, wide)));
  const groups = new Map<string, string[]>();
  for (const network of sortedUnique(rules.flatMap(({ match }) => match?.sources ?? []))) {
    const key = rules.map((rule) => (takes(network)(rule) ? '1' : '0')).join('');
    groups.set(key, [...(groups.get(key) ?? []), network]);
  }
  const named = [...groups.values()].map((networks): SourceClass => {
    const [name = ''] = networks;
    return { name, networks, takes: takes(name) };
  });
  const spoken = named.flatMap(({ networks }) => networks);
  const left = families.filter((family) => !spoken.includes(family));
  const isPlain = left.length === families.length && !spoken.some(holdsMapped);
  const rest: SourceClass = { name: null, networks: isPlain ? [] : left, takes: takes(null) };
  return [...named.sort((a, b) => ((a.name ?? '') < (b.name ?? '') ? -1 : 1)), ...(left.length > 0 ? [rest] : [])];
}

/**
 * For a filter chain's match; nothing for the rest. Behind a balancer a client of IPv4 may be said to come from `::ffff:192.0.2.1`, which is IPv6 to Envoy;
 * of a socket's own address it makes IPv4 by itself.
 */
export const prefixRanges = ({ networks }: SourceClass, { proxyProtocol }: Pick<GatewayListener, 'proxyProtocol'>) => ({
  sourcePrefixRanges: [...networks, ...(proxyProtocol ? networks.map(mappedNetwork).filter((one) => one !== null) : [])].map(cidrRange),
});

/**
 * For each chain of a host: all that takes connections away from it, the networks that its rules speak of and, of a wildcard, the entries below it. Envoy
 * drains a chain only if its bytes change; a client whose network or server name is spoken of from now on would keep its connection on a chain that stays
 * as it was. Nothing where there is neither.
 */
export function replacedWith(rules: readonly AboutSources[], narrower: readonly string[]) {
  const networks = sortedUnique(rules.flatMap(({ match }) => match?.sources ?? []));
  const filterMetadata = {
    ...(networks.length === 0 ? {} : { 'meshwright.sources': { networks } }),
    ...(narrower.length === 0 ? {} : { 'meshwright.narrower': { hosts: [...narrower] } }),
  };
  return networks.length + narrower.length === 0 ? {} : { metadata: { filterMetadata } };
}
