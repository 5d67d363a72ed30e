/** What one proxy is to have, put together from its two parts. */
import type { Part } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import type { Json, JsonObject } from '../../core/lib/json';
import type { AgentReport } from '../agent/protocol';
import type { Endpoints } from './endpoint-table';
import type { Target } from './proxy-link';
import { encode, type Encoded, type EncodedByName, type PartResources } from './resources';
import type { ResourceType } from './sequence';

interface TargetParts {
  readonly parts: { readonly [part in Part]: PartResources };
  readonly sets: Target['sets'];
  /** Of the selectors of both parts. */
  readonly endpoints: Endpoints;
  readonly other: Target['other'];
}

export function targetOf({ parts: { inbound, outbound }, sets, endpoints, other }: TargetParts): Target {
  const merge = (type: 'routes' | 'clusters'): EncodedByName => new Map([...inbound[type], ...outbound[type]]);
  const inBoth = [...inbound.listeners].map(([name, one]) => [name, united(one, outbound.listeners.get(name) ?? one)] as const);
  const names = (part: PartResources): Target['names'][Part] => ({
    listeners: new Set(part.listeners.keys()),
    routes: new Set(part.routes.keys()),
    clusters: new Set(part.clusters.keys()),
    endpoints: new Set(part.selectors.map((selector) => selector.cluster)),
  });
  return {
    key: digestOfJson([inbound.key, outbound.key]),
    sets,
    resources: {
      listeners: new Map([...outbound.listeners, ...inBoth]),
      routes: merge('routes'),
      clusters: merge('clusters'),
      endpoints: endpoints.resources,
    },
    names: { inbound: names(inbound), outbound: names(outbound) },
    other: once(other),
    endpoints,
  };
}

/** What a proxy is to have, as JSON, for people. */
export function shownConfig({ sets, resources }: Target, instance: string, report: AgentReport | null): unknown {
  const list = (type: ResourceType): unknown =>
    [...resources[type].values()].map(({ name, version, json }) => ({ name, version, resource: json }));
  return {
    ...{ instance, sets, report },
    ...Object.fromEntries((['listeners', 'routes', 'clusters', 'endpoints'] as const).map((type) => [type, list(type)])),
  };
}

/** Asked at every event, and the same as long as the target is. */
function once(other: Target['other']): Target['other'] {
  const known = new Map<ResourceType, EncodedByName>();
  return (type) => {
    const made = known.get(type) ?? other(type);
    known.set(type, made);
    return made;
  };
}

/**
 * A listener that both parts have, which is that of a gateway between networks: what either knows it passes on. So between its two moves, the first before
 * its callers' and the other after them, it has the names that come and still those that go (compiler/analyse/order-across.ts).
 */
function united(inbound: Encoded, outbound: Encoded): Encoded {
  if (inbound.version === outbound.version) return outbound;
  const known = unions.get(inbound);
  if (known?.outbound === outbound) return known.made;
  const [come, stay] = [chainsOf(inbound), chainsOf(outbound)];
  const names = new Set(stay.map(nameIn));
  const filterChains = [...stay, ...come.filter((chain) => !names.has(nameIn(chain)))].sort((a, b) => (nameIn(a) < nameIn(b) ? -1 : 1));
  const made = encode('listeners', outbound.name, { ...outbound.json, filterChains });
  unions.set(inbound, { outbound, made });
  return made;
}
const unions = new WeakMap<Encoded, { readonly outbound: Encoded; readonly made: Encoded }>();
const chainsOf = ({ json }: Encoded): readonly Json[] => (Array.isArray(json['filterChains']) ? json['filterChains'] : []);
const nameIn = (chain: Json): string => {
  const { name } = (typeof chain === 'object' && chain !== null && !Array.isArray(chain) ? chain : {}) as JsonObject;
  return typeof name === 'string' ? name : '';
};
