/** What one proxy is to have, put together from its two parts. */
import type { Part } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import type { Target } from './proxy-link';
import type { EncodedByName, PartResources } from './resources';

interface TargetParts {
  readonly parts: { readonly [part in Part]: PartResources };
  readonly sets: Target['sets'];
  /** Of the selectors of both parts. */
  readonly endpoints: { readonly resources: EncodedByName; readonly hosts: ReadonlyMap<string, number> };
  readonly other: Target['other'];
}

export function targetOf({ parts: { inbound, outbound }, sets, endpoints, other }: TargetParts): Target {
  const merge = (type: 'listeners' | 'routes' | 'clusters'): EncodedByName => new Map([...inbound[type], ...outbound[type]]);
  const names = (part: PartResources): Target['names'][Part] => ({
    listeners: new Set(part.listeners.keys()),
    routes: new Set(part.routes.keys()),
    clusters: new Set(part.clusters.keys()),
    endpoints: new Set(part.selectors.map((selector) => selector.cluster)),
  });
  return {
    key: digestOfJson([inbound.key, outbound.key]),
    sets,
    resources: { listeners: merge('listeners'), routes: merge('routes'), clusters: merge('clusters'), endpoints: endpoints.resources },
    names: { inbound: names(inbound), outbound: names(outbound) },
    other,
    hosts: endpoints.hosts,
  };
}
