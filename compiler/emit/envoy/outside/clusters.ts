/** Hosts outside the mesh as the proxy that dials them sees them, and as a caller's sees the gateway that does. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Outside, ServicePort } from '../../../../core/ir/ir';
import { isHttp, isTlsMade } from '../../../../core/ir/layers';
import { builtInResilience, type Connections } from '../../../../core/ir/resilience';
import { digestOfJson, shortDigest } from '../../../../core/lib/digest';
import { cidrRange } from '../../../../core/lib/network';
import type { PortKey, WorkloadKey } from '../../../../core/mesh/ids';
import { isIpAddress } from '../../../../core/mesh/ip-address';
import { notPublic } from '../../../../core/mesh/public-addresses';
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
} from '../../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { HttpProtocolOptionsSchema } from '../../../../core/wire/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb';
import { ClusterConfigSchema } from '../../../../core/wire/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb';
import { DnsCacheConfigSchema } from '../../../../core/wire/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb';
import { isWildcard } from '../../../../core/semantics/address';
import type { UpstreamFilters } from '../access/anonymous';
import { jsonOf, ms, pack, seconds } from '../any';
import { type Cluster, http1Over, http2Over, type HttpOptions, pings, httpOptions, upstreamCluster } from '../clusters';
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

/**
 * The hosts under a port's wildcards. Envoy looks the name of a request up when it comes, at most so many names at a time, and takes no address that is
 * none for them (`resolved_address_filter`: of what a name server says, before anything is dialled); the server proves that very name.
 */
export function wildcardCluster(
  name: string,
  { port }: PortFacts,
  outside: Outside,
  budget: number | undefined,
  connections: Connections,
  filters: UpstreamFilters = [],
): Cluster {
  const verified = { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } };
  return {
    name,
    clusterDiscoveryType: {
      case: 'clusterType',
      value: {
        name: 'envoy.clusters.dynamic_forward_proxy',
        typedConfig: pack(ClusterConfigSchema, {
          clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: namesOf(name, outside) },
        }),
      },
    },
    transportSocket: outsideClient(null, outside.trust, port.layer === 'grpc' ? ['h2'] : []),
    typedExtensionProtocolOptions: { [httpOptions]: spoken(port, connections, filters, verified) },
    ...reach({ ...port.resilience, connections }, port.layer, '', budget),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  };
}

/**
 * Where names are kept. All settings are part of what a cache is called: Envoy takes no two of one name, and a change, be it of what another version of
 * this compiler emits, has one beside the other for a while.
 */
function namesOf(cluster: string, { at }: Outside): MessageInitShape<typeof DnsCacheConfigSchema> {
  const settings: MessageInitShape<typeof DnsCacheConfigSchema> = {
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
    maxHosts: mostNames,
    hostTtl: seconds(300),
    dnsFailureRefreshRate: { baseInterval: seconds(5), maxInterval: seconds(60) },
    resolvedAddressFilter: {
      ranges: (at ?? notPublic).map(cidrRange),
      ...(at === undefined ? {} : { invertMatch: true }),
    },
  };
  return { ...settings, name: `${cluster} ${shortDigest(digestOfJson(jsonOf(DnsCacheConfigSchema, settings)))}` };
}
const mostNames = 1024;

/** The same as the gateway on the way to them dials them. */
export function wildcardAtGateway(name: string, facts: PortFacts, outside: Outside): Cluster {
  return wildcardCluster(name, facts, outside, undefined, { ...facts.port.resilience.connections, ...unlimited });
}

const unlimited = { max: null, pending: null, requests: null, retries: null };
/** A host as the gateway on the way to it dials it: how many at once is for callers' proxies to count. */
export function hostAtGateway(name: string, host: string, facts: PortFacts, outside: Outside): Cluster {
  return hostCluster(name, host, facts, outside, undefined, { ...facts.port.resilience.connections, ...unlimited });
}

/** The address and number that the application dialled, whichever of a port's ranges it is in: Envoy has it of the kernel, and of nobody else. */
export function dialledCluster(name: string, { port }: PortFacts): Cluster {
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    ...reach(port.resilience, port.layer, '', undefined),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  };
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

/** What requests go to, each with a cluster of its own: named hosts, then whatever is under wildcards. */
export const destinationsOf = ({ hosts }: Outside): readonly string[] => [
  ...hosts.filter((host) => !isWildcard(host)),
  ...(hosts.some(isWildcard) ? [anyName] : []),
];
/** What of hosts shares the cluster of wildcards. */
export const anyName = '*';
/** The cluster of a host (`*`: of those under wildcards), or of all hosts of a port that share a door of a gateway. */
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

function spoken(
  { protocol, layer }: ServicePort,
  connections: Connections,
  httpFilters: UpstreamFilters,
  more: Pick<HttpOptions, 'upstreamHttpProtocolOptions'> = {},
) {
  if (layer === 'grpc' || protocol === 'http2') return http2Over(connections, false, httpFilters, more);
  if (protocol !== 'https') return http1Over(httpFilters);
  const { idleMs, maxAgeMs, perConnection } = connections;
  const common = {
    ...(idleMs === null ? {} : { idleTimeout: ms(idleMs) }),
    ...(maxAgeMs === null ? {} : { maxConnectionDuration: ms(maxAgeMs) }),
    ...(perConnection === null ? {} : { maxRequestsPerConnection: perConnection }),
  };
  return pack(HttpProtocolOptionsSchema, {
    ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
    ...more,
    httpFilters: [...httpFilters],
    // as a client of the web does: the newest version that the host agrees to in the handshake
    upstreamProtocolOptions: { case: 'autoConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: pings(connections.ping) } },
  });
}
