/** The first hop: the rule that matches, what it makes of the request, and what each of its destinations says to that. */
import { assertNever } from '../lib/brand';
import type { PortKey } from '../mesh/ids';
import type { Abort, Cors, HeaderEdits, MeshIr, Mirror, Need, RouteAction, RouteRule, Service, WeightedTarget, Workload } from '../ir/ir';
import { grpcStatusText } from '../mesh/grpc-status';
import { abortText } from './abort';
import { unaskable } from './address';
import { inWordsOf, speaksGrpc } from './answer';
import { originEdits, preflightAnswer, varyEdits } from './cors';
import type { Decision, DestinationDecision, ForwardedRequest, MeshAnswer, MirrorDecision } from './decision';
import { edited, forwardedRequest, rewriteFor } from './forwarded';
import { readHash } from './hash';
import { decideInbound, type InboundDecision } from './inbound';
import { matchesRoute, matchingClass } from './match';
import type { FirstHop } from './match';
import { portOf } from './nouns';
import { locationOf } from './redirect';
import { destinationsFor, issuedCookie } from './sticky';
import { triesOf } from './timing';
import { claimsAfter, isRefused, routesSpeakOfUsers } from './user';
import { allTakeUpgrade, upgradeOf } from './upgrade';
import { stricter, stricterLimits } from './variant';

/** Routes of a port or of a gateway's host. */
interface Routes {
  readonly cors: Cors | null;
  readonly rules: readonly RouteRule[];
}

/** A decision in which nothing is sent on and the mesh says nothing of its own. */
export const nothing: Omit<Decision, 'outcome' | 'stage' | 'status' | 'says'> = {
  because: [],
  route: null,
  destinations: [],
  mirrors: [],
  fault: null,
  answer: null,
  sticky: null,
  timeoutMs: null,
  idleMs: null,
  retry: null,
};

/**
 * What routes make of a request of `caller`. `needs`: how that caller is stricter than the owner. `here`: what the caller's own proxy said already,
 * where there is no other to ask; null: each destination is asked.
 */
export function follow(
  ir: MeshIr,
  caller: Workload,
  { cors, rules }: Routes,
  needs: readonly Need[],
  view: FirstHop,
  here: InboundDecision | null = null,
): Decision {
  const preflight = cors && preflightAnswer(cors, view);
  if (preflight)
    return {
      ...nothing,
      outcome: 'allow',
      stage: 'cors',
      status: preflight.status,
      answer: preflight,
      says: 'the mesh answers the preflight request',
    };
  const mayBeAbout = rules.filter(({ match }) => !match?.callers || match.callers.includes(caller.principal));
  if (routesSpeakOfUsers(mayBeAbout) && isRefused(ir.issuers, view.claims))
    return { ...nothing, outcome: 'deny', stage: 'authentication', status: 401, says: 'the token of the request is not valid' };
  const index = rules.findIndex((rule) => matchesRoute(rule.match, view, caller.principal));
  const rule = rules[index];
  if (!rule) throw new Error('internal: a route table without a last rule');
  const route = { rule: rule.id, index };
  const outermost = cors ? [varyEdits, originEdits(cors, view)] : [];
  const { action } = rule;
  const asked = upgradeOf(view.headers);
  if (asked !== null && !(action.kind === 'forward' && allTakeUpgrade(ir, action.to, view.headers)))
    return { ...nothing, outcome: 'deny', stage: 'route', status: 403, route, says: `${rule.id} lets no upgrade to \`${asked}\` through` };
  switch (action.kind) {
    case 'respond': {
      const headers = edited({}, [action.responseHeaders, ...outermost]);
      const answer = inWordsOf(view, { status: action.status, headers, body: action.body });
      return itself(route, 'route', answer, `answers ${action.status}${heard(answer)}`);
    }
    case 'respondGrpc': {
      const headers = edited({ 'grpc-status': String(action.status) }, outermost);
      const answer = inWordsOf(view, { status: 200, headers, body: action.message });
      return itself(route, 'route', answer, `answers with the gRPC status ${grpcStatusText(action.status)}`);
    }
    case 'redirect': {
      const headers = { location: locationOf(action, matchingClass(rule.match, view), view) };
      const edits = [action.responseHeaders, ...outermost];
      const answer = inWordsOf(view, { status: action.status, headers: edited(headers, edits), body: null });
      return itself(route, 'route', answer, `redirects with ${action.status}${heard(answer)}`);
    }
    case 'forward': {
      const { fault } = action;
      if (fault?.abort?.percent === 100) {
        const answer = abortAnswer(action, fault.abort, view, outermost);
        const how = `${abortText(fault.abort)}${fault.abort.kind === 'http' ? heard(answer) : ''}`;
        return { ...itself(route, 'fault', answer, `aborts every request with ${how}`), fault };
      }
      return forward(
        ir,
        caller,
        route,
        action,
        needs,
        (target) => forwardedRequest(target ? rewriteFor(action, target) : action.rewrite, matchingClass(rule.match, view), view),
        view,
        outermost,
        here,
      );
    }
    default:
      return assertNever(action);
  }
}

const heard = ({ headers: { 'grpc-status': status } }: MeshAnswer): string =>
  status === undefined ? '' : `, which gRPC hears as its status ${grpcStatusText(Number(status))}`;

function itself(route: NonNullable<Decision['route']>, stage: Decision['stage'], answer: MeshAnswer, does: string): Decision {
  return { ...nothing, outcome: 'allow', stage, status: answer.status, route, answer, says: `${route.rule} ${does}` };
}

type Forward = Extract<RouteAction, { kind: 'forward' }>;

/** In place of the destination, with what would have become of its headers: of several destinations, what is done to all of theirs. */
function abortAnswer(action: Forward, { kind, status }: Abort, view: FirstHop, outermost: readonly HeaderEdits[]): MeshAnswer {
  const [target, ...others] = destinationsFor(action, view).targets;
  const own = target && others.length === 0 ? [target.responseHeaders] : [];
  const headers = edited({}, [...own, action.responseHeaders, ...outermost]);
  if (kind === 'http') return inWordsOf(view, { status, headers, body: null });
  return inWordsOf(view, { status: 200, headers: speaksGrpc(view) ? { ...headers, 'grpc-status': String(status) } : headers, body: null });
}
/** What is said where a request is sent to; 503: by nobody, since it gets nowhere. */
type Heard = Omit<InboundDecision, 'status'> & { readonly status: InboundDecision['status'] | 503 };
type Arrival = DestinationDecision & Pick<Heard, 'status'>;

function forward(
  ir: MeshIr,
  caller: Workload,
  route: NonNullable<Decision['route']>,
  action: Forward,
  needs: readonly Need[],
  requestTo: (target: WeightedTarget | null) => ForwardedRequest,
  view: FirstHop,
  outermost: readonly HeaderEdits[],
  here: InboundDecision | null,
): Decision {
  const arriving = (to: Pick<Mirror, 'port'>, request: ForwardedRequest, edits: readonly HeaderEdits[]): Heard => {
    const said =
      here ?? decideInbound(ir, { ...request, claims: claimsAfter(view.claims, edits), principal: caller.principal, port: to.port });
    return isSentInVain(portOf(ir, to.port).service, request, said) ? { access: 'deny', because: [], status: 503 } : said;
  };
  const { sticky, targets } = destinationsFor(action, view);
  const arrivals = targets.map((target: WeightedTarget): Arrival => {
    // a destination's own edits come before those of the rule (Envoy: the most specific first)
    const edits = [target.requestHeaders, action.requestHeaders];
    const rewritten = requestTo(target);
    const request = { ...rewritten, headers: edited(rewritten.headers, edits) };
    const back = [target.responseHeaders, ...issuedCookie(action.sticky, sticky, target, view), action.responseHeaders, ...outermost];
    return {
      port: target.port,
      version: target.version,
      share: target.weight,
      ...arriving(target, request, edits),
      request,
      ...reach(ir, target.port, needs, request, view.scheme),
      responseHeaders: back.filter(({ remove, set, add }) => remove.length + set.length + add.length > 0),
    };
  });
  const mirrors = action.mirrors.map((mirror): MirrorDecision => {
    const rewritten = requestTo(null);
    const request = { ...rewritten, headers: edited(rewritten.headers, [action.requestHeaders]) };
    const { access, because } = arriving(mirror, request, [action.requestHeaders]);
    return { port: mirror.port, version: mirror.version, share: mirror.percent, access, because, request };
  });
  const { timeoutMs, idleMs, retry } = stricter(action, needs);
  return {
    ...combined(caller, arrivals),
    route,
    mirrors,
    fault: action.fault,
    sticky,
    timeoutMs,
    idleMs,
    retry: triesOf(retry, view.method),
  };
}

/** Whether nobody is dialled for what may be called: its Host is no name to look up. One with a user in it is not told to a gateway either, which would judge. */
function isSentInVain(service: Service, { host }: ForwardedRequest, { access }: InboundDecision): boolean {
  if (unaskable(service, host) === null) return false;
  return access === 'allow' || ((service.outside?.through ?? null) !== null && host.includes('@'));
}

/** How a port's endpoints are reached, with the request as it is sent to them in hand. */
function reach(
  ir: MeshIr,
  key: PortKey,
  needs: readonly Need[],
  request: ForwardedRequest,
  scheme: FirstHop['scheme'],
): Pick<DestinationDecision, 'resilience' | 'hash'> {
  const { resilience } = portOf(ir, key).port;
  const { balance } = resilience;
  return {
    resilience: { ...resilience, connections: stricterLimits(resilience.connections, needs) },
    hash: balance.kind === 'hash' ? readHash(balance.by, request, scheme) : null,
  };
}

/** What the answers of all destinations come to. */
export function combined(caller: Workload, arrivals: readonly Arrival[]): Decision {
  const destinations = arrivals.map(({ status: _status, ...destination }): DestinationDecision => destination);
  const because = [...new Set(destinations.flatMap((destination) => destination.because))].sort();
  const common = { ...nothing, because, destinations, stage: 'inbound', status: null } as const;
  const denied = arrivals.filter((arrival) => arrival.access === 'deny');
  const names = (list: readonly DestinationDecision[]): string => [...new Set(list.map((d) => d.port))].join(', ');
  if (denied.length === 0)
    return { ...common, outcome: 'allow', says: `${because.join(', ')} lets ${caller.key} call ${names(destinations)}` };
  if (denied.length < arrivals.length)
    return { ...common, outcome: 'mixed', says: `${caller.key} is let in by some destinations and not by ${names(denied)}` };
  if (denied.every((arrival) => arrival.status === 400))
    return { ...common, outcome: 'deny', stage: 'canonical', status: 400, says: `the path is not in the form that ${names(denied)} reads` };
  if (denied.every((arrival) => arrival.status === 401))
    return {
      ...common,
      outcome: 'deny',
      stage: 'authentication',
      status: 401,
      says: `the token of the request is not valid for ${names(denied)}`,
    };
  if (denied.every((arrival) => arrival.status === 503)) {
    const hosts = [...new Set(denied.map(({ request }) => `\`${request.host}\``))].join(', ');
    return { ...common, outcome: 'deny', stage: 'outbound', status: 503, says: `${hosts} is no name that a name server is asked for` };
  }
  const says =
    because.length > 0
      ? `${because.join(', ')} denies ${caller.key} at ${names(denied)}`
      : `no rule of ${names(denied)} allows this request of ${caller.key}`;
  return { ...common, outcome: 'deny', status: 403, says };
}
