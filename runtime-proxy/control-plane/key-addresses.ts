/** Where the proxies of a set want keys of issuers from: what the filters that read tokens name. */
import type { ProxyConfig } from '../../core/bundle/objects';
import { httpFiltersOf, record } from './readers';

/** Sorted. Only where such filters stand is looked, so that it costs little. */
export function keyAddressesOf(configs: Iterable<ProxyConfig>): readonly string[] {
  const found = new Set<string>();
  for (const { spec } of configs)
    for (const listener of [...spec.inbound.listeners, ...spec.outbound.listeners])
      for (const one of httpFiltersOf(listener))
        for (const provider of Object.values(record(record(one['typedConfig'])['providers']))) {
          const uri = record(record(record(provider)['remoteJwks'])['httpUri'])['uri'];
          if (typeof uri === 'string') found.add(uri);
        }
  return [...found].sort();
}
