/** One service port as its callers see it: routes, the clusters they go to, and what discovery fills those with. */
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { EndpointSelector, ServiceConfig } from '../../../core/bundle/objects';
import { apiVersion } from '../../../core/bundle/objects';
import type { Need, RouteRule, Service, ServicePort } from '../../../core/ir/ir';
import type { Connections } from '../../../core/ir/resilience';
import { canonicalJson, type JsonObject } from '../../../core/lib/json';
import { namespaceOf, type PortKey, type Principal, type WorkloadKey } from '../../../core/mesh/ids';
import { serverNameOf } from '../../../core/mesh/server-name';
import { hostsOfPort } from '../../../core/semantics/address';
import { gatewaysOf } from '../../../core/semantics/networks';
import { routesSpeakOfUsers } from '../../../core/semantics/user';
import { stricter, stricterLimits } from '../../../core/semantics/variant';
import { VirtualHostSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { jsonOf } from './any';
import { ownBudget, upstreamCluster } from './clusters';
import { corsConfig, preflightRoute, varyOnOrigin } from './routes/cors';
import { entry, type IrIndex } from './index-of';
import { clusterName, serviceConfigName, variantCluster } from './names';
import { patchedCluster } from './patch';
import { asTheOwner, routesOf } from './routes/routes';
import { authenticationPerRoute } from './access/users';
import { supportedEnvoy } from './version';

export type ClusterCache = Map<string, JsonObject>;

/** A caller whose routes are not everybody's: it is stricter than the owner, or some rules are about it. */
export interface Stricter {
  readonly caller: WorkloadKey;
  readonly principal: Principal;
  readonly needs: readonly Need[];
}
/** An endpoint selector, and what its cluster allows to a caller that is stricter than the owner. */
interface Destination extends EndpointSelector {
  readonly own: OwnLimits | undefined;
}
/** null: as the owner has it. */
interface OwnLimits {
  readonly budget: number | null;
  readonly connections: Connections | null;
}

/** The rules that a caller's requests meet, in their order; null: a caller that none is about. */
export function rulesFor(rules: readonly RouteRule[], principal: Principal | null): readonly RouteRule[] {
  return rules.filter(({ match }) => !match?.callers || (principal !== null && match.callers.includes(principal)));
}

/** `variantFor` with the needs by which that caller is stricter; null for everybody else's. */
export function serviceConfigOf(
  index: IrIndex,
  service: Service,
  port: ServicePort,
  variantFor: Stricter | null,
  cache: ClusterCache,
  diagnostics: Diagnostic[],
): ServiceConfig {
  const table = index.tables.get(port.key);
  const cors = table?.cors ?? null;
  const rules = rulesFor(table?.rules ?? [], variantFor?.principal ?? null);
  const limits = variantFor === null ? new Map<string, OwnLimits>() : ownLimits(index, rules, variantFor);
  const destinations = new Map<string, Destination>();
  const names = new Map<string, string>();
  const add = (target: { readonly port: PortKey; readonly version: string | null }): void => {
    const cluster = clusterName(target.port, target.version);
    const own = limits.get(cluster);
    const name = variantFor === null || own === undefined ? cluster : variantCluster(cluster, variantFor.caller);
    names.set(cluster, name);
    destinations.set(name, { cluster: name, port: target.port, version: target.version, own });
  };
  for (const rule of rules) if (rule.action.kind === 'forward') [...rule.action.to, ...rule.action.mirrors].forEach(add);
  if (variantFor === null) for (const version of index.fromGateways.get(port.key) ?? []) add({ port: port.key, version });
  const sorted = [...destinations.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(service.key), name: serviceConfigName(port.key, variantFor?.caller ?? null) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: jsonOf(VirtualHostSchema, {
        name: port.key,
        typedPerFilterConfig: { ...corsConfig(cors), ...authenticationPerRoute(routesSpeakOfUsers(rules) ? 'users' : null) },
        domains: [...hostsOfPort(service, port, namespaceOf(service.key))].sort(),
        ...varyOnOrigin(cors),
        routes: [
          ...(cors === null ? [] : [preflightRoute]),
          ...routesOf(
            index,
            { cors, rules },
            variantFor === null ? asTheOwner : { ...asTheOwner, needs: variantFor.needs, clusters: names },
            diagnostics,
          ),
        ],
      }),
      clusters: sorted.map((destination) => entry(cache, destination.cluster, () => clusterJson(index, destination, diagnostics))),
      endpoints: sorted.map((destination) => selectorOf(index, destination)),
    },
  };
}

/** What discovery fills a cluster with, and in which order for whom. */
export function selectorOf(
  index: IrIndex,
  { cluster, port, version }: Pick<EndpointSelector, 'cluster' | 'port' | 'version'>,
): EndpointSelector {
  const locality = index.ports.get(port)?.port.resilience.locality;
  const across = gatewaysOf(index.ir.networks, port);
  return {
    ...{ cluster, port, version },
    ...(locality === undefined || locality.kind === 'off' ? {} : { locality }),
    ...(across.length === 0 ? {} : { across }),
  };
}

/** The limits of a caller where they are smaller than the owner's, by the owner's cluster. */
export function ownLimits(index: IrIndex, rules: readonly RouteRule[], { needs }: Stricter): ReadonlyMap<string, OwnLimits> {
  const smaller = new Map<string, OwnLimits>();
  for (const { action } of rules) {
    if (action.kind !== 'forward') continue;
    const asked = stricter(action, needs).retry?.budgetPercent ?? null;
    for (const target of action.to) {
      const cluster = clusterName(target.port, target.version);
      const before = smaller.get(cluster);
      const least = Math.min(asked ?? Infinity, before?.budget ?? Infinity);
      const budget = least < (index.budgets.get(cluster)?.[0] ?? Infinity) ? least : null;
      const owner = index.ports.get(target.port)?.port.resilience.connections;
      const limits = owner && stricterLimits(owner, needs);
      const connections = limits && canonicalJson(limits) !== canonicalJson(owner) ? limits : null;
      if (budget !== null || connections !== null) smaller.set(cluster, { budget, connections });
    }
  }
  return smaller;
}

/** The server name by which a caller asks for them: of a version only where a gateway tells versions apart by it. */
export function askedName(index: IrIndex, port: PortKey, version: string | null): string {
  return serverNameOf(port, gatewaysOf(index.ir.networks, port).length > 0 ? version : null);
}

function clusterJson(index: IrIndex, { cluster, port, version, own }: Destination, diagnostics: Diagnostic[]): JsonObject {
  const facts = index.ports.get(port);
  if (!facts) throw new Error(`internal: a route to ${port}, which the mesh does not have`);
  const owners = cluster.includes('+') ? cluster.slice(0, cluster.indexOf('+')) : cluster;
  const budget = own?.budget ?? ownBudget(index, owners, index.tables.get(port)?.id ?? '', diagnostics);
  const message = upstreamCluster(
    cluster,
    facts,
    budget,
    own?.connections ?? facts.port.resilience.connections,
    askedName(index, port, version),
  );
  return patchedCluster(index, port, message, diagnostics);
}
