/** What a service's proxy lets in: one listener for each port, the access rules in its routes, the application behind. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AccessRule, ServicePort } from '../../../core/ir/ir';
import { isHttp } from '../../../core/ir/layers';
import type { PortKey, Principal } from '../../../core/mesh/ids';
import { clientSchemeHeader } from '../../../core/mesh/client-headers';
import { coversPrincipal } from '../../../core/semantics/inbound';
import { accessSpeaksOfUsers } from '../../../core/semantics/user';
import { HeaderValueOption_HeaderAppendAction } from '../../../core/wire/gen/envoy/config/core/v3/base_pb';
import type { RouteSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import type { RouteConfigurationSchema } from '../../../core/wire/gen/envoy/config/route/v3/route_pb';
import type { FilterChainSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_components_pb';
import type { ListenerSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_pb';
import { TlsInspectorSchema } from '../../../core/wire/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb';
import { HttpConnectionManagerSchema } from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { RBACSchema as NetworkRBACSchema } from '../../../core/wire/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb';
import { TcpProxySchema, UpstreamConnectMode } from '../../../core/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb';
import { accessLogs, connectionLog } from './access-log';
import { accessPerRoute, baseAccess, connectionRules } from './access/access';
import { ms, pack, seconds } from './any';
import { boundAddress } from './clusters';
import { connectionManager } from './connection-manager';
import { listenerFilters, networkFilters } from './filter-order';
import type { IrIndex, PortFacts } from './index-of';
import { setHeader } from './routes/header-edits';
import { inboundReplies } from './local-reply';
import { appCluster, inboundListener } from './names';
import { type Ages, sockets } from './routes/upgrades';
import { meshServer } from './tls';
import { authentication, authenticationPerRoute } from './access/users';

export type Listener = MessageInitShape<typeof ListenerSchema>;
export type RouteConfiguration = MessageInitShape<typeof RouteConfigurationSchema>;
type FilterChain = MessageInitShape<typeof FilterChainSchema>;
type Route = Exclude<MessageInitShape<typeof RouteSchema>, { readonly $typeName: string }>;
type Filters = ReturnType<typeof networkFilters>;

/** Said by Envoys to each other in older versions, or by nobody: never taken from a client. */
export const strippedHeaders = [
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-original-dst-host',
  'x-envoy-attempt-count',
  'x-envoy-is-timeout-retry',
  'x-envoy-overloaded',
  'x-envoy-degraded',
  'x-envoy-decorator-operation',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
];
/** Who called is said in one spelling: some applications read `_` in a name as `-`, and would take what a caller says for what its proxy says. */
const callerSpelledOtherwise = otherSpellings('x-forwarded-client-cert');
/** Each way of writing a name with `_` in place of some `-`. */
function otherSpellings(name: string): readonly string[] {
  const [first = '', ...rest] = name.split('-');
  return rest.reduce<readonly string[]>((before, part) => before.flatMap((one) => [`${one}-${part}`, `${one}_${part}`]), [first]).slice(1);
}

/** Of what one connection may have in flight. */
const bufferLimitBytes = 1_048_576;
/** The same where anybody may open connections, and read nothing from them (Envoy: "Configuring Envoy as an edge proxy"). */
export const edgeBufferLimitBytes = 32_768;
/** A handshake that is not made by then ends: nothing else would end it. */
export const handshakeTimeout = { transportSocketConnectTimeout: seconds(10) } as const;

export const httpServer = meshServer(['h2', 'http/1.1'], null);

export function inboundListenerOf(index: IrIndex, facts: PortFacts): Listener {
  const { port } = facts;
  const name = inboundListener(port.key);
  const filters = isHttp(port.layer) ? requestFilters(index, facts) : connectionFilters(index, facts);
  const encrypted: FilterChain = {
    name: 'mtls',
    filters,
    transportSocket: isHttp(port.layer) ? httpServer : meshServer([], connectionCallers(index, index.access.get(port.key) ?? [])),
    ...handshakeTimeout,
  };
  const isPlaintextUseful = isHttp(port.layer) || isOpenToAnyone(index.access.get(port.key) ?? []);
  const chains: FilterChain[] =
    port.mtls === 'strict' || !isPlaintextUseful
      ? [encrypted]
      : [
          { ...encrypted, filterChainMatch: { transportProtocol: 'tls' } },
          { name: 'plaintext', filters, filterChainMatch: { transportProtocol: 'raw_buffer' } },
        ];
  return {
    name,
    address: boundAddress(`inbound/${port.name}`),
    ...(chains.length === 1 ? {} : { listenerFilters: tlsInspector, listenerFiltersTimeout: seconds(5) }),
    filterChains: chains,
    ...(isHttp(port.layer) ? {} : { accessLog: [...connectionLog({ listener: name, port: port.key, route: '' })] }),
    ...socket,
  };
}

/** Two proxies that bind one address must be told so: without this they would share it in silence. */
export const socket = { enableReusePort: false, perConnectionBufferLimitBytes: bufferLimitBytes } as const;
export const tlsInspector = listenerFilters({ tls: pack(TlsInspectorSchema, {}) });

/** Whether rules of the port speak of users, and whether any of them decides something. */
export function usersOf(index: IrIndex, port: PortKey): 'users' | 'watched' | null {
  const rules = index.access.get(port) ?? [];
  return accessSpeaksOfUsers(rules, 'enforce') ? 'users' : accessSpeaksOfUsers(rules, 'shadow') ? 'watched' : null;
}

/** Of requests that arrive: who may ask what stands in the routes. */
export function requestFilters(index: IrIndex, { port }: PortFacts): Filters {
  const name = inboundListener(port.key);
  return networkFilters({
    http: pack(
      HttpConnectionManagerSchema,
      connectionManager({
        side: 'inbound',
        routes: name,
        urls: port.urls,
        filters: { ...baseAccess, ...authentication(index.ir.issuers) },
        localReply: inboundReplies(port.key, index.ir.issuers.length > 0),
        accessLog: accessLogs(name, port.key),
      }),
    ),
  });
}

/**
 * Whom the handshake lets in where the protocol is not HTTP. The RBAC filter judges at the first byte from the caller, and in a protocol where the
 * server speaks first there may be none: without this, whoever is denied hears the greeting. null: everybody of the mesh.
 */
export function connectionCallers(index: IrIndex, all: readonly AccessRule[]): readonly string[] | null {
  const rules = all.filter((rule) => rule.mode === 'enforce');
  if (isOpenToAnyone(rules)) return null;
  const covers = (action: AccessRule['action'], principal: Principal): boolean =>
    rules.some((rule) => rule.action === action && coversPrincipal(rule.callers, principal));
  const principals = [...new Set(index.ir.workloads.map((workload) => workload.principal))].sort();
  return principals.filter((principal) => covers('allow', principal) && !covers('deny', principal));
}
/** Some rule allows whoever it may be, and none denies anybody. */
function isOpenToAnyone(rules: readonly AccessRule[]): boolean {
  const enforced = rules.filter((rule) => rule.mode === 'enforce');
  return (
    enforced.some((rule) => rule.action === 'allow' && rule.callers.kind === 'anyone' && rule.callers.except.length === 0) &&
    enforced.every((rule) => rule.action === 'allow')
  );
}

/** Connections that are not HTTP: the rules are about the caller alone, and stand in the listener. */
function connectionFilters(index: IrIndex, { port }: PortFacts): Filters {
  return connectionsTo(index, port.key, index.access.get(port.key) ?? [], appCluster(port.key));
}
export function connectionsTo(index: IrIndex, port: PortKey, rules: readonly AccessRule[], cluster: string): Filters {
  return networkFilters({
    deny: pack(NetworkRBACSchema, { rules: connectionRules(rules, 'deny'), statPrefix: `${port}.deny_` }),
    allow: pack(NetworkRBACSchema, { rules: connectionRules(rules, 'allow'), statPrefix: `${port}.allow_` }),
    tcp: pack(TcpProxySchema, {
      statPrefix: inboundListener(port),
      clusterSpecifier: { case: 'cluster', value: cluster },
      // Envoy would dial the application as soon as somebody connects: who fails the handshake would still hold a connection of it
      upstreamConnectMode: UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE,
      maxEarlyDataBytes: 0,
      // the longest that some caller's routes give; theirs may be shorter
      idleTimeout: ms(index.longest.get(port) ?? 3_600_000),
    }),
  });
}

/** What is open when access is taken away ends by itself: the destination counts too, and takes no caller's word for it. */
export function agesOf(index: IrIndex, port: ServicePort): Ages {
  if (port.maxAgeMs !== null) return sockets(port.maxAgeMs);
  const longest = port.layer === 'grpc' ? index.longest.get(port.key) : undefined;
  return longest === undefined ? {} : { maxStreamDuration: { maxStreamDuration: ms(longest) } };
}

type RouteMatch = Exclude<NonNullable<Route['match']>, { readonly $typeName: string }>;
const opensSocket: RouteMatch = {
  pathSpecifier: { case: 'prefix', value: '/' },
  headers: [
    {
      name: 'upgrade',
      headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value: 'websocket' }, ignoreCase: true } },
    },
  ],
};
/**
 * Over HTTP/2 nobody sends a key, and the application's HTTP/1.1 wants one (RFC 8441 section 5.1; RFC 6455 section 4.2.1). It proves to a client that its
 * server knows WebSockets, and a client that sent none looks at no proof: any sixteen bytes will do. ADR 0176.
 */
const socketKey: NonNullable<Route['requestHeadersToAdd']> = [
  {
    header: { key: 'sec-websocket-key', value: Buffer.from('meshwright-h2-ws').toString('base64') },
    appendAction: HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT,
  },
];

/** What of a route's requests came to a gateway in the clear: its application is told so, where Envoy would say `https` of any that come by mTLS. */
function cameInTheClear(route: Route & { readonly match: RouteMatch }): Route {
  const said = {
    name: clientSchemeHeader,
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value: 'http' } } },
  } as const;
  return {
    ...route,
    match: { ...route.match, headers: [...(route.match.headers ?? []), said] },
    requestHeadersToAdd: [...(route.requestHeadersToAdd ?? []), setHeader('x-forwarded-proto', 'http')],
    requestHeadersToRemove: [clientSchemeHeader],
  };
}

/** Where the access rules live: they hold from the next request on, on connections that are open too. */
export function inboundRoutes(index: IrIndex, { port }: PortFacts): RouteConfiguration {
  const idleMs = index.idles.get(port.key);
  const application: Route & { readonly match: RouteMatch } = {
    name: 'app',
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: appCluster(port.key) },
        // no timeout of its own: the caller's counts
        timeout: seconds(0),
        ...agesOf(index, port),
        ...(idleMs === undefined ? {} : { idleTimeout: ms(idleMs) }),
      },
    },
  };
  const opening: typeof application = { ...application, match: opensSocket, requestHeadersToAdd: socketKey };
  const all = port.maxAgeMs === null ? [application] : [opening, application];
  const routes = index.fromPlain.has(port.key) ? [...all.map(cameInTheClear), ...all] : all;
  return {
    name: inboundListener(port.key),
    virtualHosts: [
      {
        name: port.key,
        domains: ['*'],
        typedPerFilterConfig: {
          ...authenticationPerRoute(usersOf(index, port.key)),
          ...accessPerRoute(index.access.get(port.key) ?? [], index.ir.issuers),
        },
        routes,
      },
    ],
    internalOnlyHeaders: [...strippedHeaders, ...callerSpelledOtherwise],
    requestHeadersToRemove: ['x-envoy-external-address'], // the calling proxy's, which says nothing
  };
}
