import type {
  Issuer,
  AccessRule,
  ConnectionRoutes,
  Fault,
  GatewayListener,
  HostRoutes,
  MeshIr,
  Need,
  PathTemplate,
  Retry,
  RouteMatch,
  RouteRule,
  RouteTable,
  ServicePort,
} from './ir';
import { anyMatch, plainForward, plainRedirect, plainRespond, plainTarget } from './plain';
import { builtInBackOff, builtInResilience, noLimits } from './resilience';

/** An IR that an earlier compiler kept, with the parts that came later: nothing could be said about them then. */
export const completed = (kept: Omit<MeshIr, LaterPart> & Partial<Pick<MeshIr, LaterPart>>): MeshIr => ({
  deploys: [],
  products: [],
  hostConnections: [],
  ...kept,
  connectionRoutes: (kept.connectionRoutes ?? []).map(laterConnections),
  issuers: (kept.issuers ?? []).map(laterIssuer),
  access: kept.access.map(laterAccess),
  services: kept.services.map(({ outside, ...service }) => ({
    ...service,
    ports: service.ports.map(laterPort),
    ...(outside ? { outside: { ...outside, through: outside.through ?? null } } : {}),
  })),
  routes: kept.routes.map((table): RouteTable => ({ ...table, cors: table.cors ?? null, rules: table.rules.map(completedRule) })),
  gateways: kept.gateways.map((gateway) => ({ ...gateway, listeners: gateway.listeners.map(laterListener) })),
  hostRoutes: kept.hostRoutes.map((table): HostRoutes => ({ ...table, cors: table.cors ?? null, rules: table.rules.map(completedRule) })),
  needs: kept.needs.map(laterNeed),
});
/** Nobody's address was looked at then. */
const laterConnections = (table: ConnectionRoutes): ConnectionRoutes => ({
  ...table,
  rules: table.rules.map((rule) => ({ ...rule, match: rule.match && { ...{ sources: [] }, ...rule.match } })),
});
/** A listener was one with a certificate then. */
function laterListener({
  certificate = '',
  speaks = { kind: 'https', certificate, clients: null },
  ...listener
}: EarlierListener): GatewayListener {
  return { ...listener, speaks };
}
type EarlierListener = Later<GatewayListener, 'speaks'> & { readonly certificate?: string };
type LaterPart = 'deploys' | 'products' | 'connectionRoutes' | 'hostConnections' | 'issuers';

/** How a port said its limits before there was `resilience`. */
interface EarlierPort {
  readonly connections?: { readonly max: number; readonly pending: number | null } | null;
  readonly eject?: { readonly consecutive5xx: number; readonly forMs: number; readonly atMostPercent: number } | null;
}
function laterPort(port: ServicePort & EarlierPort): ServicePort {
  const { connections, eject, ...rest } = port;
  const before = {
    ...builtInResilience,
    ...(connections ? { connections: { ...noLimits, ...connections } } : {}),
    ...(eject
      ? {
          eject: {
            gatewayFailures: null,
            localFailures: null,
            successRate: null,
            failureShare: null,
            everyMs: 10_000,
            forAtMostMs: Math.max(300_000, eject.forMs),
            ...eject,
          },
        }
      : {}),
  };
  const resilience = { ...before, ...rest.resilience };
  return { ...rest, resilience: { ...resilience, connections: { ...noLimits, ...resilience.connections } } };
}
/** What is there wins over what nothing was said about. */
function completedRule(rule: RouteRule): RouteRule {
  const match: RouteMatch | null = rule.match && { ...anyMatch, ...rule.match };
  const { action } = rule;
  switch (action.kind) {
    case 'forward': {
      const to = action.to.map((target) => ({ ...plainTarget, ...target }));
      const fault = action.fault ? laterFault(action.fault) : null;
      return { ...rule, match, action: { ...plainForward, ...action, to, fault, retry: action.retry && laterRetry(action.retry) } };
    }
    case 'respond':
      return { ...rule, match, action: { ...plainRespond, ...action } };
    case 'respondGrpc':
      return { ...rule, match };
    case 'redirect':
      return { ...rule, match, action: { ...plainRedirect, ...action, path: pathOf(action.path) } };
  }
}
/** A path to redirect to was a text once. */
function pathOf(path: unknown): PathTemplate | null {
  if (typeof path !== 'string') return Array.isArray(path) ? path : null;
  return path === '/'
    ? []
    : path
        .slice(1)
        .split('/')
        .map((text) => ({ kind: 'literal', text }));
}

type Later<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;
/** Every method was tried again then. */
function laterRetry(retry: Later<Retry, 'backOff' | 'hedge' | 'methods'>): Retry {
  return { ...retry, backOff: retry.backOff ?? builtInBackOff, hedge: retry.hedge ?? false, methods: retry.methods ?? 'all' };
}
/** Aborts were of HTTP alone. */
const laterFault = ({ delay, abort }: Fault): Fault => ({ delay, abort: abort && { ...abort, kind: abort.kind ?? 'http' } });
/** Keys were in the repository always. */
const laterIssuer = ({ jwks, ...issuer }: Issuer & { readonly jwks?: string }): Issuer =>
  jwks === undefined ? issuer : { ...issuer, keys: { kind: 'pinned', jwks } };
const laterAccess = ({ user = null, ...rule }: Later<AccessRule, 'user'>): AccessRule => ({ ...rule, user });
function laterNeed({ idleMs = null, connections = null, ...need }: Later<Need, 'idleMs' | 'connections'>): Need {
  return { ...need, idleMs, connections, retry: need.retry === null || need.retry === 'none' ? need.retry : laterRetry(need.retry) };
}
