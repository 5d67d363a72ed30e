/** Hosts outside the mesh as the proxy that dials them sees them, and as a caller's sees the gateway that does. */
import type { Outside, ServicePort } from '../../../../core/ir/ir';
import { isHttp } from '../../../../core/ir/layers';
import { builtInResilience, type Connections } from '../../../../core/ir/resilience';
import type { PortKey, WorkloadKey } from '../../../../core/mesh/ids';
import { isIpAddress } from '../../../../core/mesh/ip-address';
import { Cluster_DiscoveryType, Cluster_DnsLookupFamily } from '../../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { HttpProtocolOptionsSchema } from '../../../../core/wire/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb';
import type { UpstreamFilters } from '../access/anonymous';
import { ms, pack } from '../any';
import { type Cluster, http1Over, http2Over, pings, httpOptions, upstreamCluster } from '../clusters';
import type { PortFacts } from '../index-of';
import { clusterName, egressPort, egressServerName } from '../names';
import { reach } from '../resilience';
import { outsideClient } from '../tls';

/** A host, found by the resolver of the machine that dials it, as an application there would find it. `connections`: what counts where it is dialled. `filters`: what every request passes last. */
export function hostCluster(
  name: string,
  host: string,
  { port }: PortFacts,
  outside: Outside,
  budget: number | undefined,
  connections: Connections,
  filters: UpstreamFilters = [],
): Cluster {
  return {
    name,
    ...foundBy(host),
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: 'endpoint',
                value: {
                  address: {
                    address: { case: 'socketAddress', value: { address: host, portSpecifier: { case: 'portValue', value: port.number } } },
                  },
                },
              },
            },
          ],
        },
      ],
    },
    ...(isTlsMade(port.protocol) ? { transportSocket: outsideClient(host, outside.trust, port.layer === 'grpc' ? ['h2'] : []) } : {}),
    ...(isHttp(port.layer) ? { typedExtensionProtocolOptions: { [httpOptions]: spoken(port, connections, filters) } } : {}),
    ...reach({ ...port.resilience, connections }, port.layer, host, budget),
  };
}

/** A host as the gateway on the way to it dials it: how many at once is for callers' proxies to count. */
export function hostAtGateway(name: string, host: string, facts: PortFacts, outside: Outside): Cluster {
  const unlimited = { max: null, pending: null, requests: null, retries: null };
  return hostCluster(name, host, facts, outside, undefined, { ...facts.port.resilience.connections, ...unlimited });
}

/**
 * The gateway as a caller's proxy sees it, one cluster for what has a door of its own there: its instances are called, and the host's health is no
 * word about theirs.
 */
export function gatewayCluster(
  name: string,
  facts: PortFacts,
  host: string | null,
  budget: number | undefined,
  connections: Connections,
): Cluster {
  const { port } = facts;
  const plain = { ...facts, port: { ...port, resilience: builtInResilience } };
  return upstreamCluster(name, plain, budget, connections, egressServerName(port.key, host));
}

/** What discovery fills a cluster to a gateway with. */
export const gatewaySelector = (cluster: string, through: WorkloadKey) => ({ cluster, port: egressPort(through), version: null });

/** The cluster of a host, or of all hosts of a port that share a door of a gateway. */
export const outsideClusterName = (port: PortKey, host: string | null): string => clusterName(port, host);

function foundBy(host: string): Pick<Cluster, 'clusterDiscoveryType' | 'dnsLookupFamily' | 'respectDnsTtl'> {
  if (isIpAddress(host)) return { clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC } };
  return {
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STRICT_DNS },
    // where a machine has no IPv6, an address of it is a failed request
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
    respectDnsTtl: true,
  };
}

const isTlsMade = (protocol: string): boolean => protocol === 'https' || protocol === 'grpcs';

function spoken({ protocol, layer }: ServicePort, connections: Connections, httpFilters: UpstreamFilters) {
  if (layer === 'grpc' || protocol === 'http2') return http2Over(connections, false, httpFilters);
  if (protocol !== 'https') return http1Over(httpFilters);
  const { idleMs, maxAgeMs, perConnection } = connections;
  const common = {
    ...(idleMs === null ? {} : { idleTimeout: ms(idleMs) }),
    ...(maxAgeMs === null ? {} : { maxConnectionDuration: ms(maxAgeMs) }),
    ...(perConnection === null ? {} : { maxRequestsPerConnection: perConnection }),
  };
  return pack(HttpProtocolOptionsSchema, {
    ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
    httpFilters: [...httpFilters],
    // as a client of the web does: the newest version that the host agrees to in the handshake
    upstreamProtocolOptions: { case: 'autoConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: pings(connections.ping) } },
  });
}
