/**
 * Ports whose connections are routed whole, as their callers see them: one listener for each port (and one for each broker), since there is no Host to
 * tell destinations apart by; its filter chains are the routes, one for each server name that a route speaks of.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { apiVersion, type EndpointSelector, type ServiceConfig } from '../../../core/bundle/objects';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { ConnectionRule, ConnectionTarget, Workload } from '../../../core/ir/ir';
import { canonicalJson, type JsonObject } from '../../../core/lib/json';
import { namespaceOf, type PortKey, type Principal } from '../../../core/mesh/ids';
import { hostCovers } from '../../../core/semantics/match';
import type { FilterChainSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_components_pb';
import { ListenerSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { TcpProxySchema } from '../../../core/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb';
import { connectionLog } from './access-log';
import { jsonOf, ms, pack, seconds } from './any';
import { boundAddress, upstreamCluster } from './clusters';
import { networkFilters } from './filter-order';
import { type Listener, socket, tlsInspector } from './inbound';
import { entry, type IrIndex, type PortFacts } from './index-of';
import { clusterName, connectionListener, serviceConfigName } from './names';
import { patchedCluster } from './patch';
import { askedName, type ClusterCache, selectorOf } from './service-config';
import { supportedEnvoy } from './version';

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

/**
 * The rules that a caller's connections meet (null: a caller that no rule names), each with the server names that are left of its match (empty: any), up to the first that takes them all. Who the caller is, is known when
 * its proxy is configured, so no proxy asks.
 */
export function rulesFor(
  rules: readonly ConnectionRule[],
  caller: Principal | null,
): readonly (ConnectionRule & { readonly sni: readonly string[] })[] {
  const found: (ConnectionRule & { readonly sni: readonly string[] })[] = [];
  for (const rule of rules) {
    const from = rule.match?.from ?? [];
    if (from.length > 0 && (caller === null || !from.includes(caller))) continue;
    const sni = rule.match?.sni ?? [];
    found.push({ ...rule, sni });
    if (sni.length === 0) break;
  }
  return found;
}

/** Whether the routes of a port are other ones for that caller than for a caller that no rule names. */
export function isRoutedApart(index: IrIndex, port: PortKey, caller: Workload): boolean {
  const rules = index.connections.get(port)?.rules ?? [];
  const ids = (principal: Principal | null): string => canonicalJson(rulesFor(rules, principal).map((rule) => rule.id));
  return ids(caller.principal) !== ids(null);
}

/**
 * The filter chains of a port's connections for a caller: for TLS one for each server name spoken of and one for the rest, for TCP one. Envoy takes the
 * most specific name, the definition the first rule: a name's chain is the first rule that takes the name, so that both say the same.
 */
export function connectionChains(index: IrIndex, { port }: PortFacts, caller: Principal | null): readonly FilterChain[] {
  const rules = rulesFor(index.connections.get(port.key)?.rules ?? [], caller);
  const last = rules.at(-1);
  if (!last) throw new Error(`internal: no routes for the connections of ${port.key}`);
  const chain = (name: string, rule: ConnectionRule, match: FilterChain['filterChainMatch']): FilterChain => ({
    name,
    ...(match ? { filterChainMatch: match } : {}),
    filters: tcpProxy(index, rule.id, listenerOfPort(port.key), rule.to, rule.idleMs),
  });
  if (port.layer !== 'tls') return [chain('tcp', last, undefined)];
  const names = [...new Set(rules.flatMap((rule) => rule.sni))].sort();
  const takes = (rule: { readonly sni: readonly string[] }, name: string): boolean =>
    rule.sni.length === 0 || rule.sni.some((one) => one === name || (one.startsWith('*.') && hostCovers(one, name.replace(/^\*/, 'x'))));
  return [
    ...names.map((name) => chain(name, rules.find((rule) => takes(rule, name)) ?? last, { transportProtocol: 'tls', serverNames: [name] })),
    chain('any', last, { transportProtocol: 'tls' }),
  ];
}

/** What statistics and log call the place where a connection came in; `port` is empty at a gateway. */
interface LoggedAs {
  readonly listener: string;
  readonly port: PortKey | '';
}
const listenerOfPort = (port: PortKey): LoggedAs => ({ listener: connectionListener(port, null), port });

/** One filter: to a destination, or to several by weight. The rule is the statistics' and the log's name for it. */
export function tcpProxy(index: IrIndex, rule: string, at: LoggedAs, to: readonly ConnectionTarget[], idleMs: number) {
  const [only] = to;
  const bySource = to.some((target) => index.ports.get(target.port)?.port.resilience.balance.kind === 'hash');
  const name = (target: ConnectionTarget): string => clusterName(target.port, target.version);
  return networkFilters({
    tcp: pack(TcpProxySchema, {
      statPrefix: at.listener,
      clusterSpecifier:
        only && to.length === 1
          ? { case: 'cluster', value: name(only) }
          : {
              case: 'weightedClusters',
              value: {
                clusters: to.map((target) => ({ name: name(target), weight: target.weight })).sort((a, b) => (a.name < b.name ? -1 : 1)),
              },
            },
      idleTimeout: ms(idleMs),
      ...(bySource ? { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }] } : {}),
      accessLog: [...connectionLog({ ...at, route: rule })],
    }),
  });
}

/** The object of such a port; `caller` only where its routes are other ones. */
export function connectionConfigOf(
  index: IrIndex,
  facts: PortFacts,
  caller: Workload | null,
  cache: ClusterCache,
  diagnostics: Diagnostic[],
): ServiceConfig {
  const { service, port } = facts;
  const rules = rulesFor(index.connections.get(port.key)?.rules ?? [], caller?.principal ?? null);
  const brokers = port.brokers.map((version): ConnectionTarget => ({ port: port.key, version, weight: 100 }));
  // a caller with routes of its own has an object of its own, and no gateway reads that
  const versions = caller === null ? (index.fromGateways.get(port.key) ?? []) : [];
  const gateways = [...versions].map((version): ConnectionTarget => ({ port: port.key, version, weight: 100 }));
  const targets = [...rules.flatMap((rule) => rule.to), ...brokers, ...gateways];
  const destinations = new Map(
    targets.map(({ port: target, version }): [string, EndpointSelector] => {
      const cluster = clusterName(target, version);
      return [cluster, selectorOf(index, { cluster, port: target, version })];
    }),
  );
  const sorted = [...destinations.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  const idleMs = Math.max(...rules.map((rule) => rule.idleMs));
  const listeners: readonly Listener[] = [
    listenerOf(port.key, null, connectionChains(index, facts, caller?.principal ?? null)),
    ...port.brokers.map((broker) =>
      listenerOf(port.key, broker, [
        {
          name: 'tcp',
          filters: tcpProxy(
            index,
            `${port.key}|${broker}`,
            listenerOfPort(port.key),
            [{ port: port.key, version: broker, weight: 100 }],
            idleMs,
          ),
        },
      ]),
    ),
  ];
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(service.key), name: serviceConfigName(port.key, caller?.key ?? null) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: null,
      listeners: listeners.map((listener) => jsonOf(ListenerSchema, listener)),
      clusters: sorted.map((one) => entry(cache, one.cluster, () => clusterJson(index, one, diagnostics))),
      endpoints: sorted,
    },
  };
}

/** Where a caller's application opens connections to a port. */
export function listenerOf(port: PortKey, broker: string | null, chains: readonly FilterChain[]): Listener {
  const name = connectionListener(port, broker);
  const isTls = chains.some((chain) => chain.filterChainMatch?.transportProtocol === 'tls');
  return {
    name,
    address: boundAddress(name),
    ...(isTls ? { listenerFilters: tlsInspector, listenerFiltersTimeout: seconds(5) } : {}),
    filterChains: [...chains],
    ...socket,
  };
}

function clusterJson(index: IrIndex, { cluster, port, version }: EndpointSelector, diagnostics: Diagnostic[]): JsonObject {
  const facts = index.ports.get(port);
  if (!facts) throw new Error(`internal: a route to ${port}, which the mesh does not have`);
  const message = upstreamCluster(cluster, facts, undefined, facts.port.resilience.connections, askedName(index, port, version));
  return patchedCluster(index, port, message, diagnostics);
}
