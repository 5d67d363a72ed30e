/** The second hop: what a destination's own proxy makes of a request as it arrives there. */
import type { AccessRule, Callers, MeshIr } from '../ir/ir';
import type { PortKey, Principal, RuleId } from '../mesh/ids';
import { isCanonicalPath } from './canonical';
import { hostWithoutPort, matchesClass, matchesHeader } from './match';
import type { RequestView } from './match';
import { portOf } from './nouns';
import { takesUpgrade } from './upgrade';
import { accessSpeaksOfUsers, type Claims, isRefused, matchesUser } from './user';

/** A request as it arrives at a destination's proxy. */
export interface InboundRequest {
  readonly principal: Principal;
  readonly port: PortKey;
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly host: string;
  /** What its bearer token says; undefined: it has none. */
  readonly claims?: Claims | undefined;
}
export interface InboundDecision {
  readonly access: 'allow' | 'deny';
  /** The denials that match, else the allows that match. Sorted; empty when no rule allows. */
  readonly because: readonly RuleId[];
  /** 400: not canonical for this port. 401: its token is not valid. 403: denied. null: the application answers. */
  readonly status: 400 | 401 | 403 | null;
}

/** The second hop: the destination's own reading of the request as it arrives. Throws when the IR does not have the port. */
export function decideInbound(ir: MeshIr, request: InboundRequest): InboundDecision {
  const { port } = portOf(ir, request.port);
  if (!isCanonicalPath(request.path, port.urls)) return { access: 'deny', because: [], status: 400 };
  const own = ir.access.filter((rule) => rule.port === port.key);
  const { method, path, headers, claims } = request;
  if (accessSpeaksOfUsers(own, 'enforce') && isRefused(ir.issuers, claims)) return { access: 'deny', because: [], status: 401 };
  if (!takesUpgrade(port, headers)) return { access: 'deny', because: [], status: 403 };
  const view: RequestView = { method, path, headers, host: hostWithoutPort(request.host), claims };
  const matching = own.filter((rule) => rule.mode === 'enforce' && matchesAccess(rule, request.principal, view));
  const because = (action: AccessRule['action']): readonly RuleId[] =>
    [...new Set(matching.filter((rule) => rule.action === action).map((rule) => rule.id))].sort();
  const denials = because('deny');
  if (denials.length > 0) return { access: 'deny', because: denials, status: 403 };
  const allows = because('allow');
  return allows.length > 0 ? { access: 'allow', because: allows, status: null } : { access: 'deny', because: [], status: 403 };
}

/** Whether an access rule takes a request; its mode and port are not looked at. */
export function matchesAccess(rule: AccessRule, principal: Principal, request: RequestView): boolean {
  return (
    coversPrincipal(rule.callers, principal) &&
    (rule.requests === 'any' || rule.requests.some((cls) => matchesClass(cls, request))) &&
    rule.headers.every((field) => matchesHeader(field, request.headers)) &&
    (rule.hosts.length === 0 || rule.hosts.some((host) => host.toLowerCase() === request.host)) &&
    matchesUser(rule.user, request.claims)
  );
}

export function coversPrincipal(callers: Callers, principal: Principal): boolean {
  return callers.kind === 'principals'
    ? callers.principals.some((caller) => caller.principal === principal)
    : !callers.except.includes(principal);
}
