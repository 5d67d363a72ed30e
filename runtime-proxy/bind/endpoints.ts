/** What fills an EDS cluster: the inventory's instances of a service port, in the order in which this proxy calls them. */
import type { EndpointSelector } from '../../core/bundle/objects';
import type { JsonObject } from '../../core/lib/json';
import { nameOfPort, serviceOfPort, type PortKey, type WorkloadKey } from '../../core/mesh/ids';
import { endpointsFor, type EndpointGroup, type EndpointInstance, type Locality } from '../../core/semantics/locality';
import { acrossNetworks } from '../../core/semantics/networks';
import type { Address, Instance, Inventory } from '../inventory';

/** Whether an instance may be sent calls for a port, an east-west gateway those that it passes on: false only when it is known that it cannot take them. */
export type Serves = (instance: Instance, port: PortKey) => boolean;

/** The listener that takes an instance's calls for a port. Of another workload's port the instance is an east-west gateway, which passes them on. */
export function listenerFor({ workload }: Instance, port: PortKey): string {
  return workload === serviceOfPort(port) ? `inbound/${port}` : 'gateway/east-west';
}

export function localityOf({ region = '', zone = '', subZone = '' }: Pick<Instance, 'region' | 'zone' | 'subZone'>): Locality {
  return { region, zone, subZone };
}

/**
 * The envoy.config.endpoint.v3.ClusterLoadAssignment of one cluster for one proxy, in protobuf's JSON form: `caller` is its instance, whose place
 * decides the priorities where the selector asks for that (core/semantics/locality.ts). Every instance of the inventory counts but those that it says
 * are away, and those known not to serve. Of whom nothing is known counts: the control plane being down must not look like the mesh being down, and
 * whether an address answers is for the callers' retries and outlier ejection to find.
 */
export function loadAssignment(selector: EndpointSelector, inventory: Inventory, serves: Serves, caller: Instance | null): JsonObject {
  const service = serviceOfPort(selector.port);
  const port = nameOfPort(selector.port);
  const endpoints = (byWorkload(inventory).get(service) ?? []).flatMap((instance): readonly Placed[] => {
    const address = Object.hasOwn(instance.inbound, port) ? instance.inbound[port] : undefined;
    const counts =
      address !== undefined &&
      (selector.version === null || instance.version === selector.version) &&
      !instance.away?.includes(port) &&
      serves(instance, selector.port);
    if (!counts) return [];
    return [placed(instance, address)];
  });
  const network = caller?.network ?? '';
  const reachable = endpoints.every((one) => one.network === network)
    ? endpoints
    : acrossNetworks(network, endpoints, gatewaysInto(selector, inventory, serves));
  const priorities = endpointsFor(selector.locality ?? { kind: 'off' }, { ...localityOf(caller ?? {}), network }, reachable);
  return {
    clusterName: selector.cluster,
    endpoints: priorities.flatMap((groups, priority) => groups.map((group) => groupJson(group, priority))),
  };
}

/** Every cluster of every proxy is filled at each change: not by looking at every instance of the mesh each time. */
const indices = new WeakMap<readonly Instance[], ReadonlyMap<WorkloadKey, readonly Instance[]>>();
function byWorkload({ instances }: Inventory): ReadonlyMap<WorkloadKey, readonly Instance[]> {
  const known = indices.get(instances);
  if (known) return known;
  const made = new Map<WorkloadKey, Instance[]>();
  for (const instance of instances) {
    const of = made.get(instance.workload);
    if (of) of.push(instance);
    else made.set(instance.workload, [instance]);
  }
  indices.set(instances, made);
  return made;
}

interface Placed extends EndpointInstance {
  readonly address: Address;
}
function placed(instance: Instance, address: Address): Placed {
  const { id, weight = 1, priority = 0, health = 'healthy', network = '' } = instance;
  return { id, weight, priority, health, network, locality: localityOf(instance), address };
}

/** The gateways through which an exported port is reached in other networks; several behind one address are one. */
function gatewaysInto({ across = [], port }: EndpointSelector, inventory: Inventory, serves: Serves): readonly Placed[] {
  const doors = new Map<string, Placed>();
  for (const instance of across.flatMap((key) => byWorkload(inventory).get(key) ?? [])) {
    const address = instance.eastWest ?? instance.listeners?.['east-west'];
    if (address === undefined || instance.away?.includes('east-west') || !serves(instance, port)) continue;
    const door = placed(instance, address);
    const key = `${door.network} ${address.host} ${address.port}`;
    const known = doors.get(key);
    doors.set(key, known ? { ...known, weight: known.weight + door.weight } : door);
  }
  return [...doors.values()];
}

/** envoy.config.endpoint.v3.LocalityLbEndpoints; what is as it is where nothing is said is left out. */
function groupJson({ locality, share, endpoints }: EndpointGroup<Placed>, priority: number): JsonObject {
  const place = Object.entries(locality).filter(([, name]) => name !== '');
  return {
    ...(place.length === 0 ? {} : { locality: Object.fromEntries(place) }),
    ...(priority === 0 ? {} : { priority }),
    ...(share === null ? {} : { loadBalancingWeight: share }),
    lbEndpoints: endpoints.map(({ address, weight, health }) => ({
      endpoint: { address: { socketAddress: { address: address.host, portValue: address.port } } },
      ...(weight === 1 ? {} : { loadBalancingWeight: weight }),
      ...(health === 'healthy' ? {} : { healthStatus: health === 'degraded' ? 'DEGRADED' : 'UNHEALTHY' }),
    })),
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
