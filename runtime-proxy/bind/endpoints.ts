/** What fills an EDS cluster: the inventory's instances of a service port, by zone. */
import type { EndpointSelector } from '../../core/bundle/objects';
import type { JsonObject } from '../../core/lib/json';
import { nameOfPort, serviceOfPort, type PortKey } from '../../core/mesh/ids';
import type { Instance, Inventory } from '../inventory';

/** Whether an instance may be sent calls for a port: false only when it is known that it cannot take them. */
export type Serves = (instance: Instance, port: PortKey) => boolean;

/**
 * The envoy.config.endpoint.v3.ClusterLoadAssignment of one cluster, in protobuf's JSON form. Every instance of the inventory counts but those that
 * it says are away, and those known not to serve. Of whom nothing is known counts: the control plane being down must not look like the mesh being down, and whether an address
 * answers is for the callers' retries and outlier ejection to find.
 */
export function loadAssignment(selector: EndpointSelector, inventory: Inventory, serves: Serves): JsonObject {
  const service = serviceOfPort(selector.port);
  const port = nameOfPort(selector.port);
  const byZone = new Map<string, JsonObject[]>();
  const instances = inventory.instances.filter(
    (instance) =>
      instance.workload === service &&
      (selector.version === null || instance.version === selector.version) &&
      !instance.away?.includes(port) &&
      serves(instance, selector.port),
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
  return endpoints.reduce<number>(
    (sum, locality: { readonly lbEndpoints?: readonly unknown[] }) => sum + (locality.lbEndpoints?.length ?? 0),
    0,
  );
}
