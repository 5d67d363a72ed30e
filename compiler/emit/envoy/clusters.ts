/** A destination as its callers see it: a port's endpoints (of one version or all), over mTLS and HTTP/2. A cluster of one name has the same bytes everywhere. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { emit } from '../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { isHttp } from '../../../core/ir/layers';
import { type Connections, noLimits } from '../../../core/ir/resilience';
import { nameOf, namespaceOf } from '../../../core/mesh/ids';
import { Cluster_DiscoveryType, type ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import type { AddressSchema } from '../../../core/wire/gen/envoy/config/core/v3/address_pb';
import { ApiVersion } from '../../../core/wire/gen/envoy/config/core/v3/config_source_pb';
import { HttpProtocolOptionsSchema } from '../../../core/wire/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb';
import type { UpstreamFilters } from './access/anonymous';
import { ms, pack, seconds } from './any';
import type { IrIndex, PortFacts } from './index-of';
import { appCluster, bindAddress } from './names';
import { applicationLimits, reach } from './resilience';
import { behindProxyHeader, meshClient } from './tls';

export type Cluster = MessageInitShape<typeof ClusterSchema>;
export const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export type HttpOptions = Exclude<MessageInitShape<typeof HttpProtocolOptionsSchema>, { readonly $typeName: string }>;
type Http2 = Pick<Connections, 'streams' | 'idleMs' | 'maxAgeMs' | 'perConnection' | 'ping'>;
/** How a proxy speaks HTTP/2 to endpoints; `upgrades`: WebSockets too (RFC 8441). */
export function http2Over(
  { streams, idleMs, maxAgeMs, perConnection, ping }: Http2,
  upgrades = false,
  httpFilters: UpstreamFilters = [],
  more: Pick<HttpOptions, 'upstreamHttpProtocolOptions'> = {},
) {
  const common = {
    ...(idleMs === null ? {} : { idleTimeout: ms(idleMs) }),
    ...(maxAgeMs === null ? {} : { maxConnectionDuration: ms(maxAgeMs) }),
    ...(perConnection === null ? {} : { maxRequestsPerConnection: perConnection }),
  };
  return pack(HttpProtocolOptionsSchema, {
    ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
    ...more,
    httpFilters: [...httpFilters],
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: {
        protocolConfig: {
          case: 'http2ProtocolOptions',
          value: {
            maxConcurrentStreams: streams ?? 100,
            initialStreamWindowSize: 65_536,
            initialConnectionWindowSize: 1_048_576,
            ...(upgrades ? { allowConnect: true } : {}),
            ...pings(ping),
          },
        },
      },
    },
  });
}
export const pings = (ping: Connections['ping']) =>
  ping ? { connectionKeepalive: { interval: ms(ping.everyMs), timeout: ms(ping.timeoutMs) } } : {};
export const http2 = http2Over(noLimits);
export const http1Over = (httpFilters: UpstreamFilters = []) =>
  pack(HttpProtocolOptionsSchema, {
    httpFilters: [...httpFilters],
    upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } } },
  });
const http1 = http1Over();

/** The retry budget of a port's endpoints as their owner and the gateways have it: the smallest that is asked for, since Envoy keeps one. */
export function ownBudget(index: IrIndex, cluster: string, rule: string, diagnostics: Diagnostic[]): number | undefined {
  const budgets = index.budgets.get(cluster) ?? [];
  const [budget] = budgets;
  if (budget !== undefined && budgets.length > 1)
    diagnostics.push(emit.sharedBudget({ cluster, budgets: budgets.map((percent) => `${percent}%`).join(', '), used: budget }, { rule }));
  return budget;
}

/** How a caller reaches a port. `connections` are the owner's, or smaller ones that a caller asked for. */
export function upstreamCluster(
  name: string,
  { service, port, workload }: PortFacts,
  budget: number | undefined,
  connections: Connections,
  serverName: string,
): Cluster {
  const { streams, idleMs, maxAgeMs, perConnection, ping } = connections;
  if (workload === null) throw new Error(`internal: ${port.key} is outside the mesh`);
  const asEver = [streams, idleMs, maxAgeMs, perConnection, ping].every((limit) => limit === null);
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: {
      edsConfig: { resourceApiVersion: ApiVersion.V3, initialFetchTimeout: seconds(0), configSourceSpecifier: { case: 'ads', value: {} } },
    },
    ignoreHealthOnHostRemoval: true,
    transportSocket: meshClient(workload.principal, isHttp(port.layer) ? ['h2'] : [], serverName),
    ...(isHttp(port.layer)
      ? {
          typedExtensionProtocolOptions: {
            [httpOptions]: asEver && port.maxAgeMs === null ? http2 : http2Over(connections, port.maxAgeMs !== null),
          },
        }
      : {}),
    ...reach({ ...port.resilience, connections }, port.layer, `${nameOf(service.key)}.${namespaceOf(service.key)}`, budget),
  };
}

/** The application itself, beside its proxy. */
export function localCluster({ port }: PortFacts): Cluster {
  const name = appCluster(port.key);
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: seconds(2),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: boundAddress(name) } } }] }],
    },
    ...(isHttp(port.layer)
      ? { typedExtensionProtocolOptions: { [httpOptions]: speaksHttp2(port.protocol, port.layer) ? http2 : http1 } }
      : {}),
    ...(port.proxyProtocol === undefined ? {} : { transportSocket: behindProxyHeader(port.proxyProtocol) }),
    ...applicationLimits(port.resilience.connections),
  };
}
const speaksHttp2 = (protocol: string, layer: string): boolean => layer === 'grpc' || protocol === 'http2';

/** An address that binding fills in, by its symbol. */
export const boundAddress = (symbol: string): MessageInitShape<typeof AddressSchema> => ({
  address: { case: 'socketAddress', value: { address: bindAddress, portSpecifier: { case: 'namedPort', value: symbol } } },
});
