/**
 * The way from one network into another: a listener that passes TLS on as it is, with one filter chain for each server name that somebody exported. The
 * names are enumerated, never matched by a pattern, and there is no chain for the rest: what is not exported has no way in (CVE-2021-31921). Nothing
 * is opened here; the destination's own proxy verifies the caller, and the caller's proxy the destination.
 */
import { apiVersion, type ServiceConfig } from '../../../../core/bundle/objects';
import type { EastWestGateway } from '../../../../core/ir/networks';
import { namespaceOf, serviceOfPort, type PortKey } from '../../../../core/mesh/ids';
import { namesOf, passagesOf } from '../../../../core/semantics/networks';
import { Cluster_DiscoveryType, ClusterSchema } from '../../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { ApiVersion } from '../../../../core/wire/gen/envoy/config/core/v3/config_source_pb';
import { TcpProxySchema } from '../../../../core/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb';
import { connectionLog } from '../access-log';
import { jsonOf, ms, pack, seconds } from '../any';
import { boundAddress, type Cluster } from '../clusters';
import { networkFilters } from '../filter-order';
import { edgeBufferLimitBytes, type Listener, socket, tlsInspector } from '../inbound';
import type { IrIndex, PortFacts } from '../index-of';
import { acrossCluster, acrossConfigName, eastWestListener, gatewayListener } from '../names';
import { supportedEnvoy } from '../version';

/** null where nothing is exported through the gateway: nobody is listened to. */
export function eastWestListenerOf(index: IrIndex, gateway: EastWestGateway): Listener | null {
  const passages = passagesOf(index.ir, gateway.key);
  if (passages.length === 0) return null;
  const name = gatewayListener(eastWestListener);
  return {
    name,
    address: boundAddress(`listener/${eastWestListener}`),
    listenerFilters: tlsInspector,
    listenerFiltersTimeout: seconds(5),
    filterChains: passages.map(({ serverName, port, version, because }) => ({
      name: serverName,
      filterChainMatch: { transportProtocol: 'tls', serverNames: [serverName] },
      filters: networkFilters({
        tcp: pack(TcpProxySchema, {
          statPrefix: name,
          clusterSpecifier: { case: 'cluster', value: acrossCluster(port, version) },
          // the endpoints behind are not ours to judge: another one is tried where one cannot be reached
          maxConnectAttempts: 3,
          idleTimeout: ms(idleOf(index, port)),
          accessLog: [...connectionLog({ listener: name, port, route: because })],
        }),
      }),
    })),
    ...socket,
    // who dials has proved nothing here: only the destination asks
    perConnectionBufferLimitBytes: edgeBufferLimitBytes,
  };
}

/** What the two proxies at the ends agree on is shorter: neither is cut off here before it has ended by itself. */
function idleOf(index: IrIndex, port: PortKey): number {
  const maxAgeMs = index.ports.get(port)?.port.maxAgeMs ?? 0;
  return Math.max(3_600_000, maxAgeMs, index.longest.get(port) ?? 0, index.idles.get(port) ?? 0) + 60_000;
}

/** The ServiceConfigs that a gateway names. Sorted. */
export function acrossConfigs(index: IrIndex, gateway: EastWestGateway): readonly string[] {
  const ports = new Set(passagesOf(index.ir, gateway.key).map(({ port }) => port));
  return [...ports].map((port) => `${namespaceOf(serviceOfPort(port))}/${acrossConfigName(port)}`).sort();
}

/** An exported port as gateways see it: the endpoints of their own network, one cluster for each server name. */
export function acrossConfigOf({ service, port }: PortFacts): ServiceConfig {
  const clusters = namesOf([service], port.key).map(({ version }) => ({
    cluster: acrossCluster(port.key, version),
    port: port.key,
    version,
  }));
  const sorted = clusters.sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  const { locality, connections } = port.resilience;
  const of = (name: string): Cluster => ({
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: {
      edsConfig: { resourceApiVersion: ApiVersion.V3, initialFetchTimeout: seconds(0), configSourceSpecifier: { case: 'ads', value: {} } },
    },
    ignoreHealthOnHostRemoval: true,
    connectTimeout: ms(connections.connectTimeoutMs),
    perConnectionBufferLimitBytes: edgeBufferLimitBytes,
    // limits are of one caller's proxy, and this is none: Envoy's own would be one for all callers together
    circuitBreakers: { thresholds: [{ maxConnections: 4_294_967_295, maxPendingRequests: 4_294_967_295 }] },
  });
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(service.key), name: acrossConfigName(port.key) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: null,
      clusters: sorted.map(({ cluster }) => jsonOf(ClusterSchema, of(cluster))),
      endpoints: sorted.map((one) => ({ ...one, ...(locality.kind === 'off' ? {} : { locality }) })),
    },
  };
}
