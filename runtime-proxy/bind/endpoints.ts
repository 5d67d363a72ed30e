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

/** What the endpoints of a cluster are taken from. */
export interface Reachable {
  /** Those that may be called for the port, in all versions and places. */
  readonly called: readonly Instance[];
  /** East-west gateways that pass calls for the port on, of all networks. */
  readonly doors: readonly Instance[];
}

/**
 * Of a workload's instances those that are called for a port: all but those that the inventory says are away, and those known not to serve. Of whom nothing is
 * known counts: the control plane being down must not look like the mesh being down, and whether an address answers is for the callers' retries and outlier
 * ejection to find.
 */
export function calledFor(members: readonly Instance[], key: PortKey, serves: Serves): readonly Instance[] {
  const port = nameOfPort(key);
  return members.filter((one) => Object.hasOwn(one.inbound, port) && !one.away?.includes(port) && serves(one, key));
}
/** Of an east-west gateway's instances those that pass calls for a port on. */
export function doorsFor(members: readonly Instance[], key: PortKey, serves: Serves): readonly Instance[] {
  return members.filter((one) => doorOf(one) !== undefined && !one.away?.includes('east-west') && serves(one, key));
}
const doorOf = ({ eastWest, listeners }: Instance): Address | undefined => eastWest ?? listeners?.['east-west'];

/**
 * The envoy.config.endpoint.v3.ClusterLoadAssignment of one cluster for one proxy, in protobuf's JSON form: `caller` is its instance, whose place
 * decides the priorities where the selector asks for that (core/semantics/locality.ts).
 */
export function assignment(selector: EndpointSelector, { called, doors }: Reachable, caller: Instance | null): JsonObject {
  const port = nameOfPort(selector.port);
  const endpoints = called.flatMap((instance): readonly Placed[] => {
    const address = instance.inbound[port];
    return address === undefined || (selector.version !== null && instance.version !== selector.version) ? [] : [placed(instance, address)];
  });
  const network = caller?.network ?? '';
  const reachable = endpoints.every((one) => one.network === network) ? endpoints : acrossNetworks(network, endpoints, asOne(doors));
  const priorities = endpointsFor(selector.locality ?? { kind: 'off' }, { ...localityOf(caller ?? {}), network }, reachable);
  return {
    clusterName: selector.cluster,
    endpoints: priorities.flatMap((groups, priority) => groups.map((group) => groupJson(group, priority))),
  };
}

/** The same from an inventory as it is. */
export function loadAssignment(selector: EndpointSelector, { instances }: Inventory, serves: Serves, caller: Instance | null): JsonObject {
  const of = (workload: WorkloadKey): readonly Instance[] => instances.filter((one) => one.workload === workload);
  const called = calledFor(of(serviceOfPort(selector.port)), selector.port, serves);
  const doors = (selector.across ?? []).flatMap((key) => doorsFor(of(key), selector.port, serves));
  return assignment(selector, { called, doors }, caller);
}

/** Callers that are at one such place get the same endpoints of a cluster. */
export function placeOf({ locality }: EndpointSelector, caller: Instance | null): string {
  const { region, zone, subZone } = localityOf(caller ?? {});
  return JSON.stringify([caller?.network ?? '', ...((locality?.kind ?? 'off') === 'off' ? [] : [region, zone, subZone])]);
}

interface Placed extends EndpointInstance {
  readonly address: Address;
}
function placed(instance: Instance, address: Address): Placed {
  const { id, weight = 1, priority = 0, health = 'healthy', network = '' } = instance;
  return { id, weight, priority, health, network, locality: localityOf(instance), address };
}

/** Several gateways behind one address are one. */
function asOne(instances: readonly Instance[]): readonly Placed[] {
  const doors = new Map<string, Placed>();
  for (const instance of instances) {
    const address = doorOf(instance);
    if (address === undefined) continue;
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
