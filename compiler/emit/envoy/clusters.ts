/** A destination as its callers see it: a port's endpoints (of one version or all), over mTLS and HTTP/2. A cluster of one name has the same bytes everywhere. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { emit } from '../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { isHttp } from '../../../core/ir/layers';
import { nameOf, namespaceOf } from '../../../core/mesh/ids';
import { Cluster_DiscoveryType, Cluster_LbPolicy, type ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import type { AddressSchema } from '../../../core/wire/gen/envoy/config/core/v3/address_pb';
import { ApiVersion } from '../../../core/wire/gen/envoy/config/core/v3/config_source_pb';
import { HttpProtocolOptionsSchema } from '../../../core/wire/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb';
import { pack, seconds } from './any';
import type { IrIndex, PortFacts } from './index-of';
import { appCluster, bindAddress } from './names';
import { meshClient } from './tls';

export type Cluster = MessageInitShape<typeof ClusterSchema>;
const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export const http2 = pack(HttpProtocolOptionsSchema, {
  upstreamProtocolOptions: {
    case: 'explicitHttpConfig',
    value: {
      protocolConfig: {
        case: 'http2ProtocolOptions',
        value: { maxConcurrentStreams: 100, initialStreamWindowSize: 65_536, initialConnectionWindowSize: 1_048_576 },
      },
    },
  },
});
const http1 = pack(HttpProtocolOptionsSchema, {
  upstreamProtocolOptions: { case: 'explicitHttpConfig', value: { protocolConfig: { case: 'httpProtocolOptions', value: {} } } },
});

/** The retry budget of a port's endpoints as their owner and the gateways have it: the smallest that is asked for, since Envoy keeps one. */
export function ownBudget(index: IrIndex, cluster: string, rule: string, diagnostics: Diagnostic[]): number | undefined {
  const budgets = index.budgets.get(cluster) ?? [];
  const [budget] = budgets;
  if (budget !== undefined && budgets.length > 1)
    diagnostics.push(emit.sharedBudget({ cluster, budgets: budgets.map((percent) => `${percent}%`).join(', '), used: budget }, { rule }));
  return budget;
}

/** How a caller reaches a port. */
export function upstreamCluster(name: string, { service, port, workload }: PortFacts, budget: number | undefined): Cluster {
  const { connections, eject } = port;
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: {
      edsConfig: { resourceApiVersion: ApiVersion.V3, initialFetchTimeout: seconds(0), configSourceSpecifier: { case: 'ads', value: {} } },
    },
    connectTimeout: seconds(2),
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    ignoreHealthOnHostRemoval: true,
    transportSocket: meshClient(
      workload.principal,
      isHttp(port.layer) ? ['h2'] : [],
      `${port.name}.${nameOf(service.key)}.${namespaceOf(service.key)}`,
    ),
    ...(isHttp(port.layer) ? { typedExtensionProtocolOptions: { [httpOptions]: http2 } } : {}),
    ...(connections || budget !== undefined
      ? {
          circuitBreakers: {
            thresholds: [
              {
                // over HTTP/2 one connection carries many requests, so the limit is on both
                ...(connections
                  ? {
                      maxConnections: connections.max,
                      ...(isHttp(port.layer) ? { maxRequests: connections.max } : {}),
                      ...(connections.pending === null ? {} : { maxPendingRequests: connections.pending }),
                    }
                  : {}),
                ...(budget === undefined ? {} : { retryBudget: { budgetPercent: { value: budget }, minRetryConcurrency: 3 } }),
              },
            ],
          },
        }
      : {}),
    ...(eject
      ? {
          outlierDetection: {
            consecutive5xx: eject.consecutive5xx,
            enforcingConsecutive5xx: 100,
            baseEjectionTime: { seconds: BigInt(Math.floor(eject.forMs / 1000)), nanos: (eject.forMs % 1000) * 1_000_000 },
            maxEjectionPercent: eject.atMostPercent,
            enforcingConsecutiveGatewayFailure: 0,
            enforcingSuccessRate: 0,
            enforcingFailurePercentage: 0,
          },
        }
      : {}),
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
    ...(port.connections
      ? {
          circuitBreakers: {
            thresholds: [
              {
                maxConnections: port.connections.max,
                ...(port.connections.pending === null ? {} : { maxPendingRequests: port.connections.pending }),
              },
            ],
          },
        }
      : {}),
  };
}
const speaksHttp2 = (protocol: string, layer: string): boolean => layer === 'grpc' || protocol === 'http2';

/** An address that binding fills in, by its symbol. */
export const boundAddress = (symbol: string): MessageInitShape<typeof AddressSchema> => ({
  address: { case: 'socketAddress', value: { address: bindAddress, portSpecifier: { case: 'namedPort', value: symbol } } },
});
