/**
 * From the signed objects to what one proxy instance is sent. Pure, and a closed list: addresses by symbol, endpoints by selector, the virtual
 * hosts of what may be called put into the outbound route configuration, and there short host names dropped for callers of another namespace.
 */
import type { EndpointSelector, ProxyConfig, ServiceConfig } from '../../core/bundle/objects';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { JsonObject } from '../../core/lib/json';
import { namespaceOf, serviceOfPort } from '../../core/mesh/ids';
import type { Address, Capture, Instance, VirtualAddresses } from '../inventory';
import { bindAddresses, isList, unbindAddresses, type BoundAddress } from './addresses';
import { callsRanges, isOfRanges, rangeChains } from './ranges';
import {
  addressesOf,
  type Before,
  type Captured,
  capturedHttp,
  capturedPort,
  handedOver,
  inboundReceiver,
  namedTlsOf,
  portNumbersOf,
  uncaptured,
} from './capture';

/** A resource for the wire, with what is needed to undo its binding. */
export interface BoundResource {
  readonly name: string;
  readonly json: JsonObject;
  readonly bound: readonly BoundAddress[];
  /** What capture changed. */
  readonly before?: readonly Before[];
}
/** One proxy's resources but its endpoints, which have a path of their own. */
export interface BoundProxy {
  readonly listeners: readonly BoundResource[];
  readonly routes: readonly BoundResource[];
  readonly clusters: readonly BoundResource[];
  readonly endpoints: readonly EndpointSelector[];
}
/** The name of the route configuration behind the outbound listener. */
export const outboundRoutes = 'outbound';
const outboundListener = 'outbound';
const capturedName = (name: string): string => `capture/${name}`;

/** The inbound part: what it listens on and whom it lets in. */
export function bindInbound(proxy: ProxyConfig, instance: Instance, into: Diagnostic[]): BoundProxy {
  const bind = binder(proxy, instance, into);
  const { inbound } = proxy.spec;
  const { capture } = instance;
  const listeners = capture
    ? [...inbound.listeners.map((listener) => bindCaptured(handedOver(listener), bind)), bind(inboundReceiver(capture))]
    : inbound.listeners.map(bind);
  return { listeners, routes: inbound.routes.map(bind), clusters: inbound.clusters.map(bind), endpoints: [] };
}

/**
 * The outbound part: what it may call. `services` are the ServiceConfigs that the proxy names, in the same set; `virtual` the addresses by which a
 * captured connection to a port is known, `ofMesh` those at which no range outside stands (`addressesOfMesh`).
 */
export function bindOutbound(
  proxy: ProxyConfig,
  services: readonly ServiceConfig[],
  instance: Instance,
  into: Diagnostic[],
  virtual: VirtualAddresses = {},
  ofMesh: readonly string[] = [],
): BoundProxy {
  const bind = binder(proxy, instance, into);
  const { outbound } = proxy.spec;
  const { id, capture, outboundAsPlaced } = instance;
  const clusters = new Map<string, JsonObject>();
  const endpoints = new Map<string, EndpointSelector>();
  for (const service of services) {
    for (const cluster of service.spec.clusters) clusters.set(nameOfResource(cluster), cluster);
    for (const selector of service.spec.endpoints) endpoints.set(selector.cluster, selector);
  }
  const routes = outbound.routes.map(bind);
  // without a number to call by name no listener of a captured instance asks for them, and what nobody asks for is never in force
  const isAskedFor =
    !capture || portNumbersOf(services).length > 0 || outbound.listeners.some((listener) => isExplicit(listener, instance));
  if (outbound.catchAll !== null && isAskedFor) {
    const hosts = services.flatMap(({ spec: { virtualHost, port } }) =>
      virtualHost === null ? [] : [ownNames(virtualHost, namespaceOf(serviceOfPort(port)) === namespaceOf(proxy.spec.workload))],
    );
    routes.push(bind({ name: outboundRoutes, virtualHosts: [...hosts, outbound.catchAll] }));
  }
  // nobody dials at a gateway: its own listeners are where connections come in
  const dialled = outbound.catchAll === null ? [] : services.flatMap((service) => service.spec.listeners ?? []);
  for (const service of !capture && outboundAsPlaced !== true ? services.filter(callsRanges) : [])
    into.push(enforce.needsCapture({ instance: id, workload: proxy.spec.workload, port: service.spec.port }));
  return {
    listeners: [...outbound.listeners, ...dialled].flatMap((listener) => [
      ...(isExplicit(listener, instance) ? [bind(listener)] : []),
      ...(capture ? captured(listener, instance, capture, services, virtual, ofMesh).map((one) => bindCaptured(one, bind)) : []),
    ]),
    routes,
    clusters: [...clusters.keys()].sort().map((name) => bind(clusters.get(name) ?? {})),
    endpoints: [...endpoints.keys()].sort().flatMap((name) => endpoints.get(name) ?? []),
  };
}

/** Where calls are captured, an address at which they could also be made to the proxy itself need not be there. */
function isExplicit(listener: JsonObject, { capture, outbound, outboundPorts = {}, outboundAsPlaced }: Instance): boolean {
  const name = nameOfResource(listener);
  if (isOfRanges(listener)) return false;
  if (!capture && !(outboundAsPlaced === true && name.startsWith(`${outboundListener}/`))) return true;
  return name === outboundListener ? outbound !== undefined : Object.hasOwn(outboundPorts, name.slice(`${outboundListener}/`.length));
}

/**
 * A listener as captured connections find it; none for a port without an address to know them by: those are refused. For an address of the mesh, or of the
 * instance, no host outside stands, whoever declares it.
 */
function captured(
  listener: JsonObject,
  instance: Instance,
  capture: Capture,
  services: readonly ServiceConfig[],
  virtual: VirtualAddresses,
  ofMesh: readonly string[],
): readonly Captured[] {
  const name = nameOfResource(listener);
  if (name === outboundListener) {
    const [numbers, named] = [portNumbersOf(services), namedTlsOf(services)];
    const byAddress = rangeChains(services, new Set([...numbers, ...named.numbers]), ofMesh);
    return [capturedHttp(listener, capturedName(name), capture, numbers, named, byAddress)];
  }
  if (isOfRanges(listener)) return [];
  const known = new Map<string, readonly Address[]>(Object.entries(virtual));
  // Envoy refuses a listener at the address of another, and with it all that comes along
  const isOneOf = (taken: readonly Address[], { host, port }: Address): boolean =>
    taken.some((one) => one.host === host && one.port === port);
  const itself = services
    .flatMap(({ spec }) => (spec.listeners?.includes(listener) ? addressesOf(listener, spec) : []))
    .filter((address) => !isOneOf([...known.values()].flat(), address));
  const [first, ...others] = [...itself, ...(known.get(name.slice(`${outboundListener}/`.length)) ?? [])].filter(
    (address) => !isOneOf(Object.values(instance.inbound), address),
  );
  return first ? [capturedPort(listener, capturedName(name), [first, ...others])] : [];
}

function bindCaptured({ json, before }: Captured, bind: (resource: JsonObject) => BoundResource): BoundResource {
  return { ...bind(json), before };
}

/** The signed form of a resource. Only the listener `capture/inbound` has none. */
export function unbind({ json, bound, before = [] }: BoundResource): JsonObject {
  return uncaptured(unbindAddresses(json, bound), before);
}

/** Both parts as one. */
export function joinParts(inbound: BoundProxy, outbound: BoundProxy): BoundProxy {
  return {
    listeners: [...inbound.listeners, ...outbound.listeners],
    routes: [...inbound.routes, ...outbound.routes],
    clusters: [...inbound.clusters, ...outbound.clusters],
    endpoints: [...inbound.endpoints, ...outbound.endpoints],
  };
}

/** A virtual host as callers of its own namespace see it, or those of another: `reviews:9080` and `reviews` mean something only at home. */
function ownNames(virtualHost: JsonObject, home: boolean): JsonObject {
  const { domains } = virtualHost;
  if (home || !isList(domains)) return virtualHost;
  return { ...virtualHost, domains: domains.filter((domain) => typeof domain !== 'string' || (domain.split(':')[0] ?? '').includes('.')) };
}

function binder(proxy: ProxyConfig, instance: Instance, into: Diagnostic[]): (resource: JsonObject) => BoundResource {
  return (resource) => {
    const { json, bound, missing } = bindAddresses(resource, instance);
    for (const symbol of missing) into.push(enforce.unboundSymbol({ instance: instance.id, workload: proxy.spec.workload, symbol }));
    return { name: nameOfResource(resource), json, bound };
  };
}

function nameOfResource(resource: JsonObject): string {
  const { name } = resource;
  if (typeof name !== 'string' || name === '') throw new Error('internal: a resource without a name passed verification');
  return name;
}
