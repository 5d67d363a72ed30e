import type { Gateway, GatewayListener, HostConnections, HostRoutes, MeshIr, Outside, ServedHost, Service, ServicePort } from '../ir/ir';
import { isHttp } from '../ir/layers';
import { sortedUnique } from '../lib/order';
import { nameOf, namespaceOf, type PortKey } from '../mesh/ids';
import { isAskable } from './canonical';
import { hostCovers, hostEntry, hostWithoutPort } from './match';

/**
 * The Host values that name a service port, as the Kubernetes DNS has them (kubernetes.io/docs, "DNS for Services and Pods"): with the port's
 * number, and without where the service has one port. The short name counts for callers of its own namespace only (null: nobody's). What is outside
 * the mesh is named by its own hosts, so that an application says what it would say without a mesh.
 */
export function hostsOfPort(service: Service, port: ServicePort, callerNamespace: string | null): readonly string[] {
  if (service.outside)
    return service.outside.hosts.flatMap((host) => [`${host}:${port.number}`, ...(isPlain(service, port, host) ? [host] : [])]);
  const name = nameOf(service.key);
  const namespace = namespaceOf(service.key);
  const names = [`${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`, ...(callerNamespace === namespace ? [name] : [])];
  return service.ports.length === 1
    ? names.flatMap((host) => [`${host}:${port.number}`, host])
    : names.map((host) => `${host}:${port.number}`);
}

/**
 * Where a request from outside lands at a listener: the routes of its host. `sni` chose the connection's filter chain, `host` is the Host header
 * (both lower case, no port); a Host of another chain, were it only a longer wildcard, is misdirected (RFC 9110 section 15.5.20). In plain HTTP there is the Host header alone.
 */
export function hostRoutesFor(
  ir: MeshIr,
  gateway: Gateway,
  listener: string,
  sni: string,
  host: string,
): HostRoutes | 'not here' | 'no routes' {
  const { tables, entries, speaks } = servedBy(ir.hostRoutes, gateway, listener);
  const entry = hostEntry(entries, host);
  // a connection for a wildcard, whose certificate is good for it too, is not one for a host below that has an entry of its own
  if (entry === undefined || (speaks.kind !== 'http' && entry !== hostEntry(entries, sni))) return 'not here';
  return tables.find((table) => table.host === entry) ?? 'no routes';
}

/** Whether a listener makes a connection of TLS that asks for a server name (lower case; empty: it names none). */
export const isServed = (ir: MeshIr, gateway: Gateway, listener: string, sni: string): boolean =>
  hostEntry(servedBy(ir.hostRoutes, gateway, listener).entries, sni) !== undefined;

/** Where a connection goes that comes to a listener whose connections are routed whole. `sni`: lower case; null: it names none. */
export function hostConnectionsFor(
  ir: MeshIr,
  gateway: Gateway,
  listener: string,
  sni: string | null,
): HostConnections | 'not here' | 'no routes' {
  const { tables, entries, speaks } = servedBy(ir.hostConnections, gateway, listener);
  // who names no server is taken where any name is
  const entry = speaks.kind === 'tls' && sni !== null ? hostEntry(entries, sni) : entries.find((host) => host === '*');
  if (entry === undefined) return 'not here';
  return tables.find((table) => table.host === entry) ?? 'no routes';
}

/** What somebody routes at a listener, and all hosts that it has: those, and the ones that it serves. */
function servedBy<T extends Pick<HostRoutes, 'gateway' | 'listener' | 'host'>>(all: readonly T[], gateway: Gateway, listener: string) {
  const { speaks, hosts } = listenerOf(gateway, listener);
  const tables = all.filter((table) => table.gateway === gateway.key && table.listener === listener);
  return { tables, entries: [...tables, ...hosts].map(({ host }) => host), speaks };
}

/** A gateway's listener. Throws when there is none of that name. */
export function listenerOf(gateway: Gateway, name: string): GatewayListener {
  const found = gateway.listeners.find((known) => known.name === name);
  if (!found) throw new Error(`internal: ${gateway.key} has no listener ${name}`);
  return found;
}

/** By which word of a listener a host is served there: its own, or the longest wildcard over it. */
export function servedAs({ hosts }: GatewayListener, host: string): ServedHost | undefined {
  const entry = hostEntry(
    hosts.map((served) => served.host),
    host,
  );
  return hosts.find((served) => served.host === entry);
}

/** Whether a Host value (lower case) names a service port: one of its names, or one under its wildcard that nobody outside is named closer by. */
export function isAddressed(ir: MeshIr, service: Service, port: ServicePort, callerNamespace: string | null, host: string): boolean {
  const names = hostsOfPort(service, port, callerNamespace);
  if (names.includes(host) && !isWildcard(host)) return true;
  if (!names.some((name) => isWildcard(name) && hostCovers(name, host))) return false;
  const all = ir.services.flatMap(({ outside }) => outside?.hosts ?? []);
  const entry = hostEntry(all, hostWithoutPort(host));
  return entry !== undefined && service.outside?.hosts.includes(entry) === true;
}

/** Whether a text is a host outside whose requests a port takes, as an application says it. */
export function isHostOutside(ir: MeshIr, port: ServicePort, text: string): boolean {
  const service = ir.services.find(({ ports }) => ports.some(({ key }) => key === port.key));
  return service?.outside !== undefined && isHttp(port.layer) && isAddressed(ir, service, port, null, text);
}

/** `*.example.com`. */
export const isWildcard = (host: string): boolean => host.startsWith('*.');

/** What a request to a port of hosts outside asks of name servers in vain, by its form alone: a text under a wildcard that is no name. null: it is one, or nobody is asked. */
export function unaskable({ outside }: Service, host: string): string | null {
  const name = hostWithoutPort(host);
  const entry = hostEntry(outside?.hosts ?? [], name);
  return entry !== undefined && isWildcard(entry) && !isAskable(name) ? name : null;
}

/** What of other hosts outside lies under the wildcards of this one, exact names and longer wildcards: requests to those are not its own. Sorted. */
export function namedCloser(services: readonly Service[], { key, outside }: Service): readonly string[] {
  const wild = (outside?.hosts ?? []).filter(isWildcard);
  if (wild.length === 0) return [];
  const others = services.flatMap((service) => (service.key === key ? [] : (service.outside?.hosts ?? [])));
  return sortedUnique(others.filter((host) => wild.some((wildcard) => host !== wildcard && hostCovers(wildcard, host))));
}

/** A host of what is outside, as an example of what is asked for where nobody says. */
export function exampleHost({ hosts }: Outside): string {
  return (hosts.find((host) => !isWildcard(host)) ?? hosts[0] ?? '').replace(/^\*/, 'any');
}

/**
 * Whether a host outside the mesh without a number means this port: the one that is HTTP's own (RFC 9110 section 4.2.1), else the only one. Under a
 * wildcard, where a proxy that dials knows the name alone, it is HTTPS's own or none.
 */
function isPlain({ ports }: Service, { number }: ServicePort, host: string): boolean {
  if (isWildcard(host) && number !== 443) return false;
  return ports.some((port) => port.number === 80) ? number === 80 : ports.length === 1;
}

/** The server name that a connection to a port of hosts outside asks for when a question says none: the host it was put to, or the first. null: inside, and where none is named. */
export function serverNameAsked(ir: MeshIr, key: PortKey, addressed = ''): string | null {
  const service = ir.services.find((known) => known.ports.some((port) => port.key === key));
  const port = service?.ports.find((known) => known.key === key);
  if (!service?.outside || port?.layer !== 'tls') return null;
  const { hosts } = service.outside;
  return hosts.find((host) => addressed === host || addressed.startsWith(`${host}:`)) ?? hosts[0] ?? null;
}
