/** One service port as its callers see it: routes, the clusters they go to, and what discovery fills those with. */
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { EndpointSelector, ServiceConfig } from '../../../core/bundle/objects';
import { apiVersion } from '../../../core/bundle/objects';
import type { Need, Service, ServicePort } from '../../../core/ir/ir';
import type { JsonObject } from '../../../core/lib/json';
import { namespaceOf, type PortKey, type WorkloadKey } from '../../../core/mesh/ids';
import { hostsOfPort } from '../../../core/semantics/address';
import { ClusterSchema } from '../../../core/wire/gen/envoy/config/cluster/v3/cluster_pb';
import { VirtualHostSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { jsonOf } from './any';
import { upstreamCluster } from './clusters';
import { entry, type IrIndex } from './index-of';
import { clusterName, serviceConfigName } from './names';
import { patchedCluster } from './patch';
import { routesOf } from './routes';
import { supportedEnvoy } from './version';

export type ClusterCache = Map<string, JsonObject>;

/** `variantFor` with the needs by which that caller is stricter; null for everybody else's. */
export function serviceConfigOf(
  index: IrIndex,
  service: Service,
  port: ServicePort,
  variantFor: { readonly caller: WorkloadKey; readonly needs: readonly Need[] } | null,
  clusters: ClusterCache,
  diagnostics: Diagnostic[],
): ServiceConfig {
  const rules = index.tables.get(port.key)?.rules ?? [];
  const targets = new Map<string, EndpointSelector>();
  const add = (target: { readonly port: PortKey; readonly version: string | null }): void => {
    const cluster = clusterName(target.port, target.version);
    targets.set(cluster, { cluster, port: target.port, version: target.version });
  };
  for (const rule of rules) if (rule.action.kind === 'forward') rule.action.to.forEach(add);
  for (const version of index.fromGateways.get(port.key) ?? []) add({ port: port.key, version });
  const endpoints = [...targets.values()].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return {
    apiVersion,
    kind: 'ServiceConfig',
    metadata: { namespace: namespaceOf(service.key), name: serviceConfigName(port.key, variantFor?.caller ?? null) },
    spec: {
      port: port.key,
      envoyRange: supportedEnvoy,
      virtualHost: jsonOf(VirtualHostSchema, {
        name: port.key,
        domains: [...hostsOfPort(service, port, namespaceOf(service.key))].sort(),
        routes: routesOf(rules, variantFor?.needs ?? [], diagnostics),
      }),
      clusters: endpoints.map((selector) => entry(clusters, selector.cluster, () => clusterJson(index, selector, diagnostics))),
      endpoints,
    },
  };
}

function clusterJson(index: IrIndex, selector: EndpointSelector, diagnostics: Diagnostic[]): JsonObject {
  const facts = index.ports.get(selector.port);
  if (!facts) throw new Error(`internal: a route to ${selector.port}, which the mesh does not have`);
  return patchedCluster(jsonOf(ClusterSchema, upstreamCluster(index, facts, selector.version, diagnostics)), index.patches.get(selector.port) ?? [], diagnostics);
}
