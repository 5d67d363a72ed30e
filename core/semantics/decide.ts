/**
 * The executable definition of the mesh: what a request means. Short, slow and meant to be obviously right; the emitted configuration is tested
 * against it. README.md has the same in sentences.
 */
import { assertNever } from '../lib/brand';
import { callablePorts } from '../ir/edges';
import type { AccessRule, Callers, MeshIr, Need, Retry, RouteRule, ServicePort, Workload } from '../ir/ir';
import type { PortKey, Principal, RuleId, WorkloadKey } from '../mesh/ids';
import { nameOf, nameOfPort, namespaceOf, serviceOfPort } from '../mesh/ids';
import { hostRoutesFor, hostsOfPort } from './address';
import { isCanonicalPath } from './canonical';
import type { Decision, DestinationDecision, MeshRequest } from './decision';
import { hostWithoutPort, matchesClass, matchesHeader, matchesRoute } from './match';
import type { RequestView } from './match';
import { strictNeeds, stricter } from './variant';

/** A request as it arrives at a destination's proxy. */
export interface InboundRequest {
  readonly principal: Principal;
  readonly port: PortKey;
  readonly method: string;
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly host: string;
}
export interface InboundDecision {
  readonly access: 'allow' | 'deny';
  /** The denials that match, else the allows that match. Sorted; empty when no rule allows. */
  readonly because: readonly RuleId[];
  /** 400: not canonical for this port. 403: denied. null: the application answers. */
  readonly status: 400 | 403 | null;
}

/** Both hops of a request. Throws when it names a workload, gateway or port that the IR does not have. */
export function decide(ir: MeshIr, request: MeshRequest): Decision {
  return request.from.kind === 'workload' ? decideWithin(ir, request, request.from.workload) : decideFromOutside(ir, request, request.from);
}

function decideWithin(ir: MeshIr, request: MeshRequest, from: WorkloadKey): Decision {
  const caller = workloadOf(ir, from);
  if (request.to === null) throw new Error('internal: a request from a workload addresses a port');
  const { service, port } = portOf(ir, request.to);
  const host = request.headers['host'] ?? `${nameOf(service.key)}.${namespaceOf(service.key)}:${port.number}`;
  const view = viewOf(request, host);
  if (!isCanonicalPath(request.path, 'rfc3986')) return refused('canonical', 400, `the path \`${request.path}\` is not in canonical form`);
  const pair = `${caller.key} may not call ${nameOf(service.key)}:${port.number}`;
  const addressed = hostsOfPort(service, port, namespaceOf(caller.key)).includes(host.toLowerCase());
  if (!addressed || port.layer !== 'http' || !callablePorts(ir, caller.key).includes(port.key)) return refused('outbound', 403, pair);
  const table = ir.routes.find((known) => known.port === port.key);
  if (!table) throw new Error(`internal: no route table for ${port.key}`);
  return follow(ir, caller, table.rules, strictNeeds(ir, caller.key, port.key), view);
}

function decideFromOutside(ir: MeshIr, request: MeshRequest, from: Extract<MeshRequest['from'], { kind: 'outside' }>): Decision {
  const caller = workloadOf(ir, from.gateway);
  const gateway = ir.gateways.find((known) => known.key === from.gateway);
  if (!gateway) throw new Error(`internal: ${from.gateway} is no gateway`);
  const view = viewOf(request, request.headers['host'] ?? from.host);
  if (!isCanonicalPath(request.path, 'rfc3986')) return refused('canonical', 400, `the path \`${request.path}\` is not in canonical form`);
  const table = hostRoutesFor(ir, gateway, from.listener, hostWithoutPort(from.host), view.host);
  if (table === 'not here')
    return refused('route', 421, `listener \`${from.listener}\` of ${gateway.key} does not serve \`${view.host}\` on this connection`);
  if (table === 'no routes') return refused('route', 404, `nobody routes \`${view.host}\``);
  return follow(ir, caller, table.rules, [], view);
}

/** The first rule that matches, and what each of its destinations says. */
function follow(ir: MeshIr, caller: Workload, rules: readonly RouteRule[], needs: readonly Need[], view: RequestView): Decision {
  const index = rules.findIndex((rule) => matchesRoute(rule.match, view));
  const rule = rules[index];
  if (!rule) throw new Error('internal: a route table without a last rule');
  const route = { rule: rule.id, index };
  const { action } = rule;
  switch (action.kind) {
    case 'respond':
      return { ...answered, route, status: action.status, says: `${rule.id} answers ${action.status}` };
    case 'redirect':
      return { ...answered, route, status: action.status, says: `${rule.id} redirects with ${action.status}` };
    case 'forward': {
      const settings = stricter(action, needs);
      const arrivals = action.to.map((target): DestinationDecision & { status: 400 | 403 | null } => {
        const inbound = decideInbound(ir, { ...view, principal: caller.principal, port: target.port });
        return { port: target.port, version: target.version, share: target.weight, ...inbound };
      });
      return combine(caller, route, settings, arrivals);
    }
    default:
      return assertNever(action);
  }
}

function combine(
  caller: Workload,
  route: Decision['route'],
  settings: { readonly timeoutMs: number; readonly retry: Retry | null },
  arrivals: readonly (DestinationDecision & { status: 400 | 403 | null })[],
): Decision {
  const destinations = arrivals.map(({ port, version, share, access, because }) => ({ port, version, share, access, because }));
  const because = [...new Set(destinations.flatMap((destination) => destination.because))].sort();
  const common = { because, route, destinations, timeoutMs: settings.timeoutMs, retry: settings.retry };
  const denied = arrivals.filter((arrival) => arrival.access === 'deny');
  const names = (list: readonly DestinationDecision[]): string => [...new Set(list.map((d) => d.port))].join(', ');
  if (denied.length === 0)
    return {
      ...common,
      outcome: 'allow',
      stage: 'inbound',
      status: null,
      says: `${because.join(', ')} lets ${caller.key} call ${names(destinations)}`,
    };
  if (denied.length < arrivals.length) {
    return {
      ...common,
      outcome: 'mixed',
      stage: 'inbound',
      status: null,
      says: `${caller.key} is let in by some destinations and not by ${names(denied)}`,
    };
  }
  if (denied.every((arrival) => arrival.status === 400)) {
    return { ...common, outcome: 'deny', stage: 'canonical', status: 400, says: `the path is not in the form that ${names(denied)} reads` };
  }
  const says =
    because.length > 0
      ? `${because.join(', ')} denies ${caller.key} at ${names(denied)}`
      : `no rule of ${names(denied)} allows this request of ${caller.key}`;
  return { ...common, outcome: 'deny', stage: 'inbound', status: 403, says };
}

/** The second hop: the destination's own reading of the request as it arrives. Throws when the IR does not have the port. */
export function decideInbound(ir: MeshIr, request: InboundRequest): InboundDecision {
  const { port } = portOf(ir, request.port);
  if (!isCanonicalPath(request.path, port.urls)) return { access: 'deny', because: [], status: 400 };
  const view: RequestView = { method: request.method, path: request.path, headers: request.headers, host: hostWithoutPort(request.host) };
  const matching = ir.access.filter(
    (rule) => rule.mode === 'enforce' && rule.port === port.key && matchesAccess(rule, request.principal, view),
  );
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
    (rule.hosts.length === 0 || rule.hosts.some((host) => host.toLowerCase() === request.host))
  );
}

export function coversPrincipal(callers: Callers, principal: Principal): boolean {
  return callers.kind === 'principals'
    ? callers.principals.some((caller) => caller.principal === principal)
    : !callers.except.includes(principal);
}

const answered = { outcome: 'allow', stage: 'route', because: [], destinations: [], timeoutMs: null, retry: null } as const;

function refused(stage: Decision['stage'], status: number, says: string): Decision {
  return { outcome: 'deny', stage, status, because: [], route: null, destinations: [], timeoutMs: null, retry: null, says };
}

function viewOf(request: MeshRequest, host: string): RequestView {
  return { method: request.method, path: request.path, headers: { ...request.headers, host }, host: hostWithoutPort(host) };
}

function workloadOf(ir: MeshIr, key: WorkloadKey): Workload {
  const workload = ir.workloads.find((known) => known.key === key);
  if (!workload) throw new Error(`internal: no workload ${key} in the IR`);
  return workload;
}

function portOf(ir: MeshIr, key: PortKey): { readonly service: MeshIr['services'][number]; readonly port: ServicePort } {
  const service = ir.services.find((known) => known.key === serviceOfPort(key));
  const port = service?.ports.find((known) => known.name === nameOfPort(key));
  if (!service || !port) throw new Error(`internal: no port ${key} in the IR`);
  return { service, port };
}
