/**
 * A port of hosts outside the mesh whose connections are routed whole, as one caller sees it: TLS goes to the host that its ClientHello names, TCP to the
 * one there is. Where no gateway is on the way the rules are settled here, when the caller's proxy is configured: what they let nobody into has no chain.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { apiVersion, type ServiceConfig } from '../../../../core/bundle/objects';
import type { Diagnostic } from '../../../../core/diagnostics/diagnostic';
import type { ConnectionRule, Outside, Workload } from '../../../../core/ir/ir';
import { namespaceOf } from '../../../../core/mesh/ids';
import { isIpAddress } from '../../../../core/mesh/ip-address';
import { hostPort } from '../../../../core/lib/host-port';
import { nowhere } from '../../../../core/lib/network';
import { decideInboundConnection } from '../../../../core/semantics/decide-connection';
import { hostCovers } from '../../../../core/semantics/match';
import type { FilterChainSchema } from '../../../../core/wire/gen/envoy/config/listener/v3/listener_components_pb';
import { ListenerSchema } from '../../../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { TcpProxySchema } from '../../../../core/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb';
import { connectionLog } from '../access-log';
import { jsonOf, ms, pack } from '../any';
import { listenerOf, rulesFor } from '../connections';
import { networkFilters } from '../filter-order';
import { entry, type IrIndex, type PortFacts } from '../index-of';
import { connectionListener, outsideConfigName } from '../names';
import { gatewayCluster, gatewaySelector, hostCluster, outsideClusterName } from './clusters';
import { patchedCluster } from '../patch';
import type { ClusterCache } from '../service-config';
import { supportedEnvoy } from '../version';

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

/** The object of a port of hosts for a caller. */
export function outsideConnectionsOf(
  index: IrIndex,
  facts: PortFacts,
  outside: Outside,
  caller: Workload,
  cache: ClusterCache,
  diagnostics: Diagnostic[],
): ServiceConfig {
  const { port } = facts;
  const { through } = outside;
  const rules = rulesFor(index.connections.get(port.key)?.rules ?? [], caller.principal);
  const { connections } = port.resilience;
  const letIn = outside.hosts.filter(
    (host) => through !== null || decideInboundConnection(index.ir, caller.principal, port.key, host).access === 'allow',
  );
  const destinations = letIn.map((host) => ({ host, cluster: outsideClusterName(port.key, host) }));
  const chains = destinations.map(({ host, cluster }) => chainTo(index, facts, ruleFor(rules, host, port.layer === 'tls'), host, cluster));
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(caller.key), name: outsideConfigName(port.key, caller.key) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: null,
      listeners: [jsonOf(ListenerSchema, listenerOf(port.key, null, chains.length > 0 ? chains : [toNobody]))],
      clusters: destinations.map(({ host, cluster }) =>
        entry(cache, cluster, () =>
          patchedCluster(
            index,
            port.key,
            through === null
              ? hostCluster(cluster, host, facts, outside, undefined, connections)
              : gatewayCluster(cluster, facts, host, undefined, connections),
            diagnostics,
          ),
        ),
      ),
      endpoints: through === null ? [] : destinations.map(({ cluster }) => gatewaySelector(cluster, through)),
    },
  };
}

type Rule = ReturnType<typeof rulesFor>[number];
/** The first rule that takes connections to a host: names of hosts outside are exact. */
function ruleFor(rules: readonly Rule[], host: string, named: boolean): ConnectionRule {
  const rule = rules.find(({ sni }) => sni.length === 0 || (named && sni.some((one) => hostCovers(one, host))));
  if (!rule) throw new Error(`internal: no rule takes connections to ${host}`);
  return rule;
}

/** Its name says where capture looks for it: by the number of the port, or by the address itself. */
function chainTo(index: IrIndex, { port }: PortFacts, rule: ConnectionRule, host: string, cluster: string): FilterChain {
  const listener = connectionListener(port.key, null);
  const bySource = index.ports.get(port.key)?.port.resilience.balance.kind === 'hash';
  return {
    name: port.layer === 'tls' || isIpAddress(host) ? hostPort(host, port.number) : 'tcp',
    ...(port.layer === 'tls' ? { filterChainMatch: { transportProtocol: 'tls', serverNames: [host] } } : {}),
    filters: networkFilters({
      tcp: pack(TcpProxySchema, {
        statPrefix: listener,
        clusterSpecifier: { case: 'cluster', value: cluster },
        idleTimeout: ms(rule.idleMs),
        ...(bySource ? { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] } : {}),
        accessLog: [...connectionLog({ listener, port: port.key, route: rule.id })],
      }),
    }),
  };
}

/** Envoy wants a filter chain. */
const toNobody: FilterChain = { name: 'nobody', filterChainMatch: { prefixRanges: [nowhere] } };
