/**
 * A port of hosts outside the mesh as one caller sees it: nobody of the mesh is at the other end, so the caller's own guard holds the access rules (but
 * where a gateway on the way does), and each caller has an object of its own, in its own namespace.
 */
import { apiVersion, type ServiceConfig } from '../../../../core/bundle/objects';
import type { Diagnostic } from '../../../../core/diagnostics/diagnostic';
import type { Outside, RouteRule, Service, Workload } from '../../../../core/ir/ir';
import { anyMatch } from '../../../../core/ir/plain';
import { namespaceOf, type WorkloadKey } from '../../../../core/mesh/ids';
import { hostsOfPort, isWildcard, namedCloser } from '../../../../core/semantics/address';
import { hostCovers } from '../../../../core/semantics/match';
import { coversPrincipal } from '../../../../core/semantics/inbound';
import { strictNeeds } from '../../../../core/semantics/variant';
import { VirtualHostSchema } from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { outsideAccess } from '../access/access';
import { anonymousCopies, anonymousHost } from '../access/anonymous';
import { hostMatcher } from '../access/matchers';
import { jsonOf } from '../any';
import { ownBudget } from '../clusters';
import { corsConfig, preflightRoute, varyOnOrigin } from '../routes/cors';
import { entry, type IrIndex, type PortFacts } from '../index-of';
import { clusterName, outsideConfigName, variantCluster } from '../names';
import { anyName, destinationsOf, gatewayCluster, gatewaySelector, hostCluster, outsideClusterName, wildcardCluster } from './clusters';
import { patchedCluster } from '../patch';
import { notCallableRoute } from '../outbound';
import { asTheOwner, type Route, routesOf } from '../routes/routes';
import { type ClusterCache, ownLimits, rulesFor } from '../service-config';
import { supportedEnvoy } from '../version';

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
  const { through } = outside;
  const connections = own?.connections ?? port.resilience.connections;
  // through a gateway all hosts have one door, which reads the host again
  const destinations = (through === null ? destinationsOf(outside) : [anyName]).map((host) => {
    const name = outsideClusterName(port.key, through === null ? host : null);
    return { host, cluster: own === undefined ? name : variantCluster(name, caller.key) };
  });
  const elsewhere = namedElsewhere(index.ir.services, service, caller.key);
  const routesTo = ({ host, cluster }: (typeof destinations)[number]): readonly Route[] => {
    const own = destinations.length === 1 || host === anyName ? rules : rules.flatMap((rule) => onlyFor(host, rule));
    return routesOf(
      index,
      { cors, rules: own },
      { ...asTheOwner, needs, clusters: new Map([[clusterName(port.key, null), cluster]]) },
      diagnostics,
    );
  };
  const access = (index.access.get(port.key) ?? []).filter(
    (rule) => rule.mode === 'enforce' && coversPrincipal(rule.callers, caller.principal),
  );
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(caller.key), name: outsideConfigName(port.key, caller.key) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: jsonOf(VirtualHostSchema, {
        name: port.key,
        typedPerFilterConfig: {
          ...corsConfig(cors),
          ...(through === null ? { ...outsideAccess(access), ...anonymousHost.typedPerFilterConfig } : {}),
        },
        domains: [...hostsOfPort(service, port, null)].sort(),
        ...varyOnOrigin(cors),
        ...(through === null ? { requestHeadersToRemove: anonymousHost.requestHeadersToRemove } : {}),
        routes: [...elsewhere, ...(cors === null ? [] : [preflightRoute]), ...destinations.flatMap(routesTo)],
      }),
      clusters: destinations.map(({ host, cluster }) =>
        entry(cache, cluster, () =>
          patchedCluster(
            index,
            port.key,
            through === null
              ? host === anyName
                ? wildcardCluster(cluster, facts, outside, budget, connections, anonymousCopies)
                : hostCluster(cluster, host, facts, outside, budget, connections, anonymousCopies)
              : gatewayCluster(cluster, facts, null, budget, connections),
            diagnostics,
          ),
        ),
      ),
      endpoints: through === null ? [] : destinations.map(({ cluster }) => gatewaySelector(cluster, through)),
    },
  };
}

function onlyFor(host: string, rule: RouteRule): readonly RouteRule[] {
  const match = rule.match ?? anyMatch;
  return match.hosts.length > 0 && !match.hosts.includes(host) ? [] : [{ ...rule, match: { ...match, hosts: [host] } }];
}

/** What lies under a wildcard and is somebody else's, closer: for this caller it is no host that it may call here, as what has no virtual host. */
function namedElsewhere(services: readonly Service[], service: Service, caller: WorkloadKey): readonly Route[] {
  const own = service.outside?.hosts ?? [];
  return namedCloser(services, service).map((host): Route => {
    const closest = isWildcard(host) ? own.filter((name) => hostCovers(host, name)) : [];
    return notCallableRoute(caller, [
      hostMatcher([host]),
      ...(closest.length === 0 ? [] : [{ ...hostMatcher(closest), invertMatch: true }]),
    ]);
  });
}
