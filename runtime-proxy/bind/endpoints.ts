/** What fills an EDS cluster: the inventory's instances of a service port, by zone. */
import type { EndpointSelector } from '../../core/bundle/objects';
import type { JsonObject } from '../../core/lib/json';
import { nameOfPort, serviceOfPort } from '../../core/mesh/ids';
import type { Inventory } from '../inventory';

/**
 * The envoy.config.endpoint.v3.ClusterLoadAssignment of one cluster, in protobuf's JSON form. Every instance of the inventory counts but those
 * that are `draining`: whether an address answers is for the callers' health checks, retries and outlier ejection to find, not for us to guess
 * from a connection to the control plane that may be down while the data plane works.
 */
export function loadAssignment(selector: EndpointSelector, inventory: Inventory, draining: ReadonlySet<string>): JsonObject {
  const service = serviceOfPort(selector.port);
  const port = nameOfPort(selector.port);
  const byZone = new Map<string, JsonObject[]>();
  const instances = inventory.instances.filter(
    (instance) => instance.workload === service && (selector.version === null || instance.version === selector.version) && !draining.has(instance.id),
  );
  for (const instance of [...instances].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const address = Object.hasOwn(instance.inbound, port) ? instance.inbound[port] : undefined;
    if (!address) continue;
    const zone = instance.zone ?? '';
    const endpoints = byZone.get(zone) ?? [];
    endpoints.push({ endpoint: { address: { socketAddress: { address: address.host, portValue: address.port } } } });
    byZone.set(zone, endpoints);
  }
  const zones = [...byZone.keys()].sort();
  return {
    clusterName: selector.cluster,
    endpoints: zones.map((zone) => ({ ...(zone === '' ? {} : { locality: { zone } }), lbEndpoints: byZone.get(zone) ?? [] })),
  };
}

/** How many endpoints an assignment has. */
export function hostsIn(assignment: JsonObject): number {
  const { endpoints } = assignment;
  if (!Array.isArray(endpoints)) return 0;
  return endpoints.reduce<number>((sum, locality: { readonly lbEndpoints?: readonly unknown[] }) => sum + (locality.lbEndpoints?.length ?? 0), 0);
}
