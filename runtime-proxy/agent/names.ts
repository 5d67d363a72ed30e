/** How long Envoy waits for name servers that do not answer: so long it has no listener when it starts, and a new host holds a release. */
import type { JsonObject } from '../../core/lib/json';

/**
 * envoy.config.core.v3.TypedExtensionConfig of its resolver, in protobuf's JSON form. A try waits a second, and in each round over the name servers up to
 * twice as long as in the one before; IPv4 is asked for first, then IPv6. That is 14 s at most with one name server, 12 with two, 18 with three, where
 * Envoy itself has minutes. From one that was quick Envoy expects an answer in a quarter of a second: the later tries are for names that are slow all the same.
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.proto
 */
export const nameResolver = (nameServers: number): { readonly name: string; readonly typedConfig: JsonObject } => ({
  name: 'envoy.network.dns_resolver.cares',
  typedConfig: {
    '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
    queryTimeoutSeconds: '1',
    queryTries: nameServers > 1 ? 2 : 3,
  },
});
