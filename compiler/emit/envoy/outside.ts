/**
 * A port of hosts outside the mesh as one caller sees it: nobody of the mesh is at the other end, so the caller's own guard holds the access rules, and
 * each caller has an object of its own, in its own namespace.
 */
import { apiVersion, type ServiceConfig } from '../../../core/bundle/objects';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { Outside, RouteRule, Workload } from '../../../core/ir/ir';
import { anyMatch } from '../../../core/ir/plain';
import type { Connections } from '../../../core/ir/resilience';
import { namespaceOf } from '../../../core/mesh/ids';
import { hostsOfPort } from '../../../core/semantics/address';
import { coversPrincipal } from '../../../core/semantics/inbound';
import { strictNeeds } from '../../../core/semantics/variant';
import { Cluster_DiscoveryType, Cluster_DnsLookupFamily, ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { VirtualHostSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { HttpProtocolOptionsSchema } from '../../../core/wire/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb';
import { outsideAccess } from './access';
import { jsonOf, ms, pack } from './any';
import { type Cluster, http1, http2Over, httpOptions, ownBudget } from './clusters';
import { corsConfig, preflightRoute, varyOnOrigin } from './cors';
import { entry, type IrIndex, type PortFacts } from './index-of';
import { clusterName, serviceConfigName, variantCluster } from './names';
import { patchedCluster } from './patch';
import { reach } from './resilience';
import { type Route, routesOf } from './routes';
import { type ClusterCache, ownLimits, rulesFor } from './service-config';
import { outsideClient } from './tls';
import { supportedEnvoy } from './version';

/** The object of a port outside the mesh for a caller. A request goes to the host that it addresses: each has a cluster, and with several its own routes. */
export function outsideConfigOf(
  index: IrIndex,
  facts: PortFacts,
  outside: Outside,
  caller: Workload,
  cache: ClusterCache,
  diagnostics: Diagnostic[],
): ServiceConfig {
  const { service, port } = facts;
  const table = index.tables.get(port.key);
  const cors = table?.cors ?? null;
  const rules = rulesFor(table?.rules ?? [], caller.principal);
  const needs = strictNeeds(index.ir, caller.key, port.key);
  const own = ownLimits(index, rules, { caller: caller.key, principal: caller.principal, needs }).get(clusterName(port.key, null));
  const budget = own?.budget ?? ownBudget(index, clusterName(port.key, null), table?.id ?? '', diagnostics);
  const destinations = outside.hosts.map((host) => {
    const name = clusterName(port.key, host);
    return { host, cluster: own === undefined ? name : variantCluster(name, caller.key) };
  });
  const routesTo = ({ host, cluster }: (typeof destinations)[number]): readonly Route[] => {
    const own = destinations.length === 1 ? rules : rules.flatMap((rule) => onlyFor(host, rule));
    return routesOf(index, { cors, rules: own }, { needs, clusters: new Map([[clusterName(port.key, null), cluster]]) }, diagnostics);
  };
  const access = (index.access.get(port.key) ?? []).filter(
    (rule) => rule.mode === 'enforce' && coversPrincipal(rule.callers, caller.principal),
  );
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(caller.key), name: serviceConfigName(port.key, caller.key) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: jsonOf(VirtualHostSchema, {
        name: port.key,
        typedPerFilterConfig: { ...corsConfig(cors), ...outsideAccess(access) },
        domains: [...hostsOfPort(service, port, null)].sort(),
        ...varyOnOrigin(cors),
        routes: [...(cors === null ? [] : [preflightRoute]), ...destinations.flatMap(routesTo)],
      }),
      clusters: destinations.map(({ host, cluster }) =>
        entry(cache, cluster, () =>
          patchedCluster(
            jsonOf(ClusterSchema, outsideCluster(cluster, host, facts, outside, budget, own?.connections ?? port.resilience.connections)),
            index.patches.get(port.key) ?? [],
            diagnostics,
          ),
        ),
      ),
      endpoints: [],
    },
  };
}

function onlyFor(host: string, rule: RouteRule): readonly RouteRule[] {
  const match = rule.match ?? anyMatch;
  return match.hosts.length > 0 && !match.hosts.includes(host) ? [] : [{ ...rule, match: { ...match, hosts: [host] } }];
}

/** Found by the resolver of the machine, as the application itself would find it. */
function outsideCluster(
  name: string,
  host: string,
  { port }: PortFacts,
  outside: Outside,
  budget: number | undefined,
  connections: Connections,
): Cluster {
  const isTls = port.protocol === 'https';
  const { idleMs, maxAgeMs, perConnection } = connections;
  const common = {
    ...(idleMs === null ? {} : { idleTimeout: ms(idleMs) }),
    ...(maxAgeMs === null ? {} : { maxConnectionDuration: ms(maxAgeMs) }),
    ...(perConnection === null ? {} : { maxRequestsPerConnection: perConnection }),
  };
  const spoken = isTls
    ? pack(HttpProtocolOptionsSchema, {
        ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
        // as a client of the web does: the newest version that the host agrees to in the handshake
        upstreamProtocolOptions: { case: 'autoConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
      })
    : port.protocol === 'http2'
      ? http2Over(connections)
      : http1;
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STRICT_DNS },
    // where a machine has no IPv6, an address of it is a failed request
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
    respectDnsTtl: true,
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
                    address: {
                      case: 'socketAddress',
                      value: { address: host, portSpecifier: { case: 'portValue', value: port.number } },
                    },
                  },
                },
              },
            },
          ],
        },
      ],
    },
    ...(isTls ? { transportSocket: outsideClient(host, outside.trust) } : {}),
    typedExtensionProtocolOptions: { [httpOptions]: spoken },
    ...reach({ ...port.resilience, connections }, port.layer, host, budget),
  };
}
