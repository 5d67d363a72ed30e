/** What one proxy is to have, put together from its two parts. */
import type { Part } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import type { JsonObject } from '../../core/lib/json';
import { sortedUnique } from '../../core/lib/order';
import { misdirectedName } from '../../core/mesh/server-name';
import type { AgentReport } from '../agent/protocol';
import { isList, isRecord } from '../bind/addresses';
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
  const merge = (type: 'listeners' | 'routes'): EncodedByName =>
    new Map([
      ...outbound[type],
      ...[...inbound[type]].map(([name, one]) => [name, united(type, one, outbound[type].get(name) ?? one)] as const),
    ]);
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
      listeners: merge('listeners'),
      routes: merge('routes'),
      clusters: new Map([...outbound.clusters, ...inbound.clusters]),
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
 * A resource that both parts have, which is that of a gateway between networks, or on the way out: what either knows it passes on. So between its two
 * moves, the first before its callers' and the other after them, it has the names that come and still those that go (compiler/analyse/order-across.ts).
 * What is in both, access to it too, is as the inbound part has it.
 */
function united(type: keyof typeof members, inbound: Encoded, outbound: Encoded): Encoded {
  if (inbound.version === outbound.version) return inbound;
  const known = unions.get(inbound);
  if (known?.outbound === outbound) return known.made;
  const [first, second] = [membersOf(type, inbound), membersOf(type, outbound)];
  const both = sortedUnique([...first.keys(), ...second.keys()]).flatMap((name) => {
    const found = [first.get(name), second.get(name)].filter((one) => one !== undefined);
    const served = found.find((one) => !isElsewhere(one));
    // what one of the two says is another's, the other still finds under a wildcard
    return served ?? (found.length === 2 ? found.slice(0, 1) : []);
  });
  const made = encode(type, inbound.name, { ...inbound.json, [members[type]]: both });
  unions.set(inbound, { outbound, made });
  return made;
}
const unions = new WeakMap<Encoded, { readonly outbound: Encoded; readonly made: Encoded }>();
/** What of a resource stands for a name. */
const members = { listeners: 'filterChains', routes: 'virtualHosts' } as const;
function membersOf(type: keyof typeof members, { json }: Encoded): ReadonlyMap<string, JsonObject> {
  const all = json[members[type]];
  return new Map(isList(all) ? all.filter(isRecord).map((one) => [String(one['name']), one]) : []);
}
/** A host that the gateway dials under another port's name, and so answers 421 under this one's. */
function isElsewhere({ name, routes }: JsonObject): boolean {
  const [route] = isList(routes) ? routes : [];
  return name !== misdirectedName && isRecord(route) && route['name'] === misdirectedName;
}
