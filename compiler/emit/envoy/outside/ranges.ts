/**
 * A port of ranges of addresses outside the mesh, as one caller sees it: a filter chain for its ranges, which goes where the application dialled, and one that
 * takes nothing for what is within them of somebody else or of nobody. Only binding can serve it, where connections are captured (runtime-proxy/bind).
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { apiVersion, type ServiceConfig } from '../../../../core/bundle/objects';
import { emit } from '../../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../../core/diagnostics/diagnostic';
import type { Workload } from '../../../../core/ir/ir';
import { isHttp } from '../../../../core/ir/layers';
import { digestOfJson } from '../../../../core/lib/digest';
import { hostPort } from '../../../../core/lib/host-port';
import { cidrRange, nowhere } from '../../../../core/lib/network';
import { namespaceOf, type PortKey } from '../../../../core/mesh/ids';
import { hostsOfPort } from '../../../../core/semantics/address';
import { decideInboundConnection } from '../../../../core/semantics/decide-connection';
import { isByAddress, rangesOf, withinRanges } from '../../../../core/semantics/ranges';
import type { FilterChainSchema } from '../../../../core/wire/gen/envoy/config/listener/v3/listener_components_pb';
import { ListenerSchema } from '../../../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { TcpProxySchema } from '../../../../core/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb';
import { connectionLog } from '../access-log';
import { jsonOf, ms, pack } from '../any';
import { listenerOf, rulesFor } from '../connections';
import { networkFilters } from '../filter-order';
import { entry, type IrIndex, type PortFacts } from '../index-of';
import { clusterName, connectionListener, outsideConfigName } from '../names';
import { patchedCluster } from '../patch';
import { dialledCluster } from './clusters';
import type { ClusterCache } from '../service-config';
import { supportedEnvoy } from '../version';

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

/** The object of such a port for a caller. */
export function rangesConfigOf(
  index: IrIndex,
  facts: PortFacts,
  caller: Workload,
  cache: ClusterCache,
  diagnostics: Diagnostic[],
): ServiceConfig {
  const { service, port } = facts;
  const letIn = decideInboundConnection(index.ir, caller.principal, port.key, null).access === 'allow';
  const cluster = clusterName(port.key, null);
  // who is denied is so whatever wider range he may call
  const within = letIn ? withinRanges(index.ir, service, port) : [...rangesOf(service), ...withinRanges(index.ir, service, port)].sort();
  const chains: readonly FilterChain[] = [
    ...(letIn ? [chainOf(index, facts, caller, cluster, within)] : []),
    ...(within.length > 0 ? [toNobody(within, port.number)] : []),
  ];
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(caller.key), name: outsideConfigName(port.key, caller.key) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: null,
      listeners: [jsonOf(ListenerSchema, listenerOf(port.key, null, chains))],
      clusters: letIn ? [entry(cache, cluster, () => patchedCluster(index, port.key, dialledCluster(cluster, facts), diagnostics))] : [],
      endpoints: [],
    },
  };
}

/**
 * Its name says where capture puts it: at the number of the port. Envoy drains a chain only if its bytes change, so what is within the ranges is in them: a
 * connection to what is somebody else's from now on would stay on a chain that is as it was (ADR 0196).
 */
function chainOf(index: IrIndex, { service, port }: PortFacts, caller: Workload, cluster: string, within: readonly string[]): FilterChain {
  const listener = connectionListener(port.key, null);
  const rule = rulesFor(index.connections.get(port.key)?.rules ?? [], caller.principal).at(0);
  if (!rule) throw new Error(`internal: no routes for the connections of ${port.key}`);
  return {
    name: hostPort(port.key, port.number),
    filterChainMatch: { prefixRanges: rangesOf(service).map(cidrRange) },
    filters: networkFilters({
      tcp: pack(TcpProxySchema, {
        statPrefix: listener,
        clusterSpecifier: { case: 'cluster', value: cluster },
        idleTimeout: ms(rule.idleMs),
        accessLog: [...connectionLog({ listener, port: port.key, route: rule.id })],
      }),
    }),
    ...(within.length === 0 ? {} : { metadata: { filterMetadata: { 'meshwright.narrower': { networks: digestOfJson(within) } } } }),
  };
}

/** What is for one of these finds no chain, and none of a wider range. */
const toNobody = (networks: readonly string[], number: number): FilterChain => ({
  name: `nobody:${number}`,
  filterChainMatch: {
    prefixRanges: networks.map(cidrRange),
    sourcePrefixRanges: [nowhere],
  },
});

/** Who may call one port by address and another by name at one number: what is captured there says neither. */
export function numbersOfNames(index: IrIndex): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [caller, keys] of index.callable) {
    const ports = keys.flatMap((key) => index.ports.get(key) ?? []);
    const byAddress = ports.filter(({ service }) => isByAddress(service));
    if (byAddress.length === 0) continue;
    const named = new Map<number, PortKey>();
    for (const facts of ports) for (const number of numbersOf(facts)) if (!named.has(number)) named.set(number, facts.port.key);
    for (const { service, port } of byAddress) {
      const other = named.get(port.number);
      if (other !== undefined)
        found.push(emit.numberOfNames({ caller, port: port.key, number: port.number, named: other }, { rule: service.id }));
    }
  }
  return found;
}
/** The numbers at which a port is called by what a request or a ClientHello says. */
function numbersOf({ service, port }: PortFacts): readonly number[] {
  if (port.layer === 'tls') return service.outside ? [port.number] : [];
  if (!isHttp(port.layer)) return [];
  const plain = service.outside && hostsOfPort(service, port, null).some((host) => !host.includes(':'));
  return plain ? [port.number, 80] : [port.number];
}
