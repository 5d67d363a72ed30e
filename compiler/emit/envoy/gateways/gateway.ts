/**
 * The way in from outside. Under TLS one filter chain and one route configuration for each host, so that a connection made for one host serves no
 * other; in plain HTTP, where a connection is made for no host, one of both with a virtual host for each.
 */
import type { Diagnostic } from '../../../../core/diagnostics/diagnostic';
import type { Gateway, GatewayListener, HostRoutes } from '../../../../core/ir/ir';
import { assertNever } from '../../../../core/lib/brand';
import { clientCertificateHeader, clientHeaders, clientSchemeHeader, clientSubjectHeader } from '../../../../core/mesh/client-headers';
import { misdirectedName } from '../../../../core/mesh/server-name';
import { servedAs } from '../../../../core/semantics/address';
import { hostCovers } from '../../../../core/semantics/match';
import { routesSpeakOfUsers } from '../../../../core/semantics/user';
import { ProxyProtocolSchema } from '../../../../core/wire/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb';
import { TlsInspectorSchema } from '../../../../core/wire/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb';
import { HttpConnectionManagerSchema } from '../../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { accessLogs } from '../access-log';
import { pack, seconds } from '../any';
import { boundAddress } from '../clusters';
import { corsConfig, noCors, preflightRoute, varyOnOrigin } from '../routes/cors';
import { noFault } from '../routes/fault';
import { connectionManager } from '../connection-manager';
import { tcpProxy } from '../connections';
import { listenerFilters, networkFilters } from '../filter-order';
import { edgeBufferLimitBytes, handshakeTimeout, type Listener, type RouteConfiguration, socket, strippedHeaders } from '../inbound';
import type { IrIndex } from '../index-of';
import { setHeader } from '../routes/header-edits';
import { gatewayReplies } from '../local-reply';
import { gatewayListener, gatewayRoutes } from '../names';
import type { VirtualHost } from '../outbound';
import { asTheOwner, type Route, routesOf } from '../routes/routes';
import { prefixRanges, replacedWith, type SourceClass, sourceClasses } from './sources';
import { edgeServer } from '../tls';
import { authentication, authenticationPerRoute } from '../access/users';

/** Every host that a listener serves or somebody routes there, sorted. */
function hostsOf(index: IrIndex, gateway: Gateway, listener: GatewayListener): readonly string[] {
  const routed = [...index.ir.hostRoutes, ...index.ir.hostConnections]
    .filter((table) => table.gateway === gateway.key && table.listener === listener.name)
    .map((table) => table.host);
  return [...new Set([...listener.hosts.map((served) => served.host), ...routed])].sort();
}

/** What a wildcard takes in and an entry of its own serves: the entries next below it, which stand for those that are longer still. */
function narrowerHosts(hosts: readonly string[], wide: string): readonly string[] {
  const within = hosts.filter((host) => host !== wide && hostCovers(wide, host));
  return within.filter((host) => !within.some((other) => other !== host && hostCovers(other, host)));
}

export function gatewayListenerOf(index: IrIndex, gateway: Gateway, listener: GatewayListener): Listener {
  const name = gatewayListener(listener.name);
  return {
    name,
    address: boundAddress(`listener/${listener.name}`),
    ...chainsOf(index, gateway, listener),
    ...socket,
    perConnectionBufferLimitBytes: edgeBufferLimitBytes,
  };
}

function chainsOf(
  index: IrIndex,
  gateway: Gateway,
  listener: GatewayListener,
): Pick<Listener, 'listenerFilters' | 'listenerFiltersTimeout' | 'filterChains'> {
  const { speaks } = listener;
  const hosts = hostsOf(index, gateway, listener);
  const behind = listener.proxyProtocol ? { proxy: pack(ProxyProtocolSchema, {}) } : {};
  const byServerName = {
    listenerFilters: listenerFilters({ ...behind, tls: pack(TlsInspectorSchema, {}) }),
    listenerFiltersTimeout: seconds(5),
  };
  const byAddress = listener.proxyProtocol ? { listenerFilters: listenerFilters(behind), listenerFiltersTimeout: seconds(5) } : {};
  /** A chain for each host and each place to come from that its rules tell apart. */
  const chains = (host: string, filters: (from: SourceClass) => Filters): FilterChain[] =>
    sourceClasses(rulesAt(index, gateway, listener, host)).map((from) => ({
      name: withSource(host, from),
      filterChainMatch: { transportProtocol: 'tls', serverNames: host === '*' ? [] : [host], ...prefixRanges(from, listener) },
      ...(speaks.kind === 'https'
        ? {
            transportSocket: edgeServer({ ...speaks, certificate: servedAs(listener, host)?.certificate ?? speaks.certificate }),
            ...handshakeTimeout,
          }
        : {}),
      filters: filters(from),
      ...replacedWith(rulesAt(index, gateway, listener, host), narrowerHosts(hosts, host)),
    }));
  const plain = (name: string, host: string | null, filters: (from: SourceClass) => Filters): FilterChain[] =>
    sourceClasses(rulesAt(index, gateway, listener, host)).map((from) => ({
      name: withSource(name, from),
      ...(from.networks.length === 0 ? {} : { filterChainMatch: prefixRanges(from, listener) }),
      filters: filters(from),
      ...replacedWith(rulesAt(index, gateway, listener, host), []),
    }));
  switch (speaks.kind) {
    case 'https':
      return {
        ...byServerName,
        filterChains: hosts.flatMap((host) => chains(host, (from) => requestFilters(index, listener, host, from))),
      };
    case 'http':
      return { ...byAddress, filterChains: plain('http', null, (from) => requestFilters(index, listener, null, from)) };
    case 'tls':
      return {
        ...byServerName,
        filterChains: hosts.flatMap((host) => chains(host, (from) => connectionFilters(index, gateway, listener, host, from))),
      };
    case 'tcp':
      return { ...byAddress, filterChains: plain('tcp', '*', (from) => connectionFilters(index, gateway, listener, '*', from)) };
    default:
      return assertNever(speaks);
  }
}

type Filters = ReturnType<typeof networkFilters>;
type FilterChain = NonNullable<Listener['filterChains']>[number];
/** What chain and routes are called. */
const withSource = (name: string, from: SourceClass): string => (from.name === null ? name : `${name}|${from.name}`);

/** The rules for a host, or for all of a listener (null). */
function rulesAt(index: IrIndex, gateway: Gateway, listener: GatewayListener, host: string | null) {
  return [...index.ir.hostRoutes, ...index.ir.hostConnections]
    .filter((table) => table.gateway === gateway.key && table.listener === listener.name && (host === null || table.host === host))
    .sort((a, b) => (a.host < b.host ? -1 : 1))
    .flatMap((table): readonly { readonly match: { readonly sources: readonly string[] } | null }[] => table.rules);
}

/** Without filters Envoy closes a connection at once: nobody routes the host, and no wildcard over it may have its connections. */
function connectionFilters(index: IrIndex, gateway: Gateway, listener: GatewayListener, host: string, from: SourceClass): Filters {
  const table = index.ir.hostConnections.find(
    (known) => known.gateway === gateway.key && known.listener === listener.name && known.host === host,
  );
  const rule = table?.rules.find(from.takes);
  return rule ? tcpProxy(index, rule.id, { listener: gatewayListener(listener.name), port: '' }, rule.to, rule.idleMs) : [];
}

/** `host`: whose requests; null: those of all hosts of a listener that has no server names to tell connections apart by. */
function requestFilters(index: IrIndex, listener: GatewayListener, host: string | null, from: SourceClass): Filters {
  const { issuers } = index.ir;
  return networkFilters({
    http: pack(
      HttpConnectionManagerSchema,
      connectionManager({
        side: 'gateway',
        routes: withSource(gatewayRoutes(listener.name, host), from),
        urls: 'rfc3986',
        filters: { cors: noCors, fault: noFault, ...authentication(issuers) },
        localReply: gatewayReplies(issuers.length > 0),
        accessLog: accessLogs(gatewayListener(listener.name), null, listener.speaks.kind === 'https' && listener.speaks.clients !== null),
      }),
    ),
  });
}

export function gatewayRoutesOf(
  index: IrIndex,
  gateway: Gateway,
  listener: GatewayListener,
  diagnostics: Diagnostic[],
): readonly RouteConfiguration[] {
  const hosts = hostsOf(index, gateway, listener);
  const virtualHost = (host: string, from: SourceClass): VirtualHost =>
    hostOf(index, listener, host, tableOf(index, gateway, listener, host), from, diagnostics);
  const routes = (name: string, virtualHosts: VirtualHost[]): RouteConfiguration => ({
    name,
    virtualHosts,
    ignorePortInHostMatching: true,
    internalOnlyHeaders: [...strippedHeaders, ...clientHeaders],
    ...toldOfTheClient(listener),
  });
  const { kind } = listener.speaks;
  if (kind === 'tls' || kind === 'tcp') return [];
  const classes = (host: string | null): readonly SourceClass[] => sourceClasses(rulesAt(index, gateway, listener, host));
  if (kind === 'http')
    return classes(null).map((from) =>
      routes(withSource(gatewayRoutes(listener.name, null), from), [
        ...hosts.map((host) => virtualHost(host, from)),
        ...(hosts.includes('*') ? [] : [unknownHost]),
      ]),
    );
  return hosts.flatMap((host) =>
    classes(host).map((from) =>
      routes(withSource(gatewayRoutes(listener.name, host), from), [virtualHost(host, from), ...misdirected(host, hosts)]),
    ),
  );
}

function tableOf(index: IrIndex, gateway: Gateway, listener: GatewayListener, host: string): HostRoutes | undefined {
  return index.ir.hostRoutes.find((known) => known.gateway === gateway.key && known.listener === listener.name && known.host === host);
}
const speaksOfUsers = (table: HostRoutes | undefined): boolean => table !== undefined && routesSpeakOfUsers(table.rules);

function hostOf(
  index: IrIndex,
  { speaks }: GatewayListener,
  host: string,
  table: HostRoutes | undefined,
  from: SourceClass,
  diagnostics: Diagnostic[],
): VirtualHost {
  return {
    name: host,
    domains: [host],
    typedPerFilterConfig: { ...corsConfig(table?.cors ?? null), ...authenticationPerRoute(speaksOfUsers(table) ? 'users' : null) },
    ...varyOnOrigin(table?.cors ?? null),
    routes: [
      ...(table?.cors ? [preflightRoute] : []),
      ...(table
        ? routesOf(
            index,
            { ...table, rules: table.rules.filter(from.takes) },
            { ...asTheOwner, scheme: speaks.kind === 'http' ? 'http' : 'https' },
            diagnostics,
          )
        : [answer('meshwright.no-routes', 404, 'meshwright: nobody routes this host\n')]),
    ],
  };
}

/** What the client's certificate says, for the application alone: no rule reads it, and it is no identity of the mesh. Nothing is added where there is none. */
const ofTheClient = {
  requestHeadersToAdd: [
    setHeader(clientCertificateHeader, '%DOWNSTREAM_PEER_FINGERPRINT_256%'),
    setHeader(clientSubjectHeader, '%DOWNSTREAM_PEER_SUBJECT%'),
  ],
};
/** The destination's proxy writes `x-forwarded-proto` anew, and reads this for it. */
const inTheClear = { requestHeadersToAdd: [setHeader(clientSchemeHeader, 'http')] };
function toldOfTheClient({ speaks }: GatewayListener): Pick<RouteConfiguration, 'requestHeadersToAdd'> {
  if (speaks.kind === 'http') return inTheClear;
  return speaks.kind === 'https' && speaks.clients ? ofTheClient : {};
}

const everyPath = { pathSpecifier: { case: 'prefix', value: '/' } } as const;
const answer = (name: string, status: number, body: string): Route => ({
  name,
  match: everyPath,
  action: { case: 'directResponse', value: { status, body: { specifier: { case: 'inlineString', value: body } } } },
});
/** What is asked of another host than this connection is for. */
export const notServed: Route = answer(misdirectedName, 421, 'meshwright: this connection does not serve that host\n');
/** In plain HTTP no connection is for one host, so none is misdirected. */
const unknownHost: VirtualHost = {
  name: 'meshwright.unknown-host',
  domains: ['*'],
  routes: [answer('meshwright.unknown-host', 404, 'meshwright: nobody serves that host here\n')],
};
/**
 * RFC 9110 section 15.5.20: the client reused a connection for a host that this one does not serve. Under a wildcard that is also what has an entry of its
 * own: a browser that has a connection for `a.x`, and saw a certificate for `*.x`, asks for `b.x` there too.
 */
function misdirected(host: string, all: readonly string[]): readonly VirtualHost[] {
  const domains = [...(host === '*' ? [] : ['*']), ...narrowerHosts(all, host)];
  return domains.length === 0 ? [] : [{ name: misdirectedName, domains, routes: [notServed] }];
}
