/** Route rules as Envoy routes. One rule may take several routes (one for each request class); all carry the rule's id as their name. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { emit } from '../../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../../core/diagnostics/diagnostic';
import type {
  Cors,
  FieldMatch,
  HeaderEdits,
  Issuer,
  Mirror,
  Need,
  RequestClass,
  RouteAction,
  RouteMatch,
  RouteRule,
  RouteTable,
  Sticky,
  WeightedTarget,
} from '../../../../core/ir/ir';
import { noEdits } from '../../../../core/ir/plain';
import { builtInIdleMs } from '../../../../core/ir/resilience';
import { assertNever } from '../../../../core/lib/brand';
import { canonicalJson } from '../../../../core/lib/json';
import type { PortKey } from '../../../../core/mesh/ids';
import { rewriteFor } from '../../../../core/semantics/forwarded';
import { cookieValue, inHashOrder, setCookie } from '../../../../core/semantics/sticky';
import type { FirstHop } from '../../../../core/semantics/match';
import type { Tries } from '../../../../core/semantics/timing';
import { stricter } from '../../../../core/semantics/variant';
import {
  RedirectAction_RedirectResponseCode,
  type RedirectActionSchema,
  type RouteMatchSchema,
  type RouteSchema,
} from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { FractionalPercent_DenominatorType } from '../../../../core/wire/gen/envoy/type/v3/percent_pb';
import { HeaderValueOption_HeaderAppendAction } from '../../../../core/wire/gen/envoy/config/core/v3/base_pb';
import { ms } from '../any';
import { answersTo } from './cors';
import { faultConfig, share } from './fault';
import { httpFilterName } from '../filter-order';
import { isEdited, requestEdits, responseEdits } from './header-edits';
import type { IrIndex } from '../index-of';
import {
  cookieMatcher,
  headerMatcher,
  hostMatcher,
  methodMatcher,
  noHeaderMatcher,
  pathText,
  queryMatcher,
  withinOneCookie,
} from '../access/matchers';
import { clusterName } from '../names';
import { hashPolicy } from '../resilience';
import { pathRewrite, plainPath } from './rewrite';
import { type HeaderMatcher, retryFields, triesByMethod } from './tries';
import { type Ages, asksForUpgrade, beforeUsers, noUpgrade, openByUser, opensSockets, socketAgeMs, sockets } from './upgrades';
import { oneToken, userMatchers } from '../access/users';

export type Route = MessageInitShape<typeof RouteSchema>;
type Match = MessageInitShape<typeof RouteMatchSchema>;
type HeaderOptions = ReturnType<typeof responseEdits>['responseHeadersToAdd'];

/** Envoy keeps a direct response's body in memory, in every proxy, and takes no more of it unless told. */
const longestBody = 4096;
const retryWords = new Set([
  '5xx',
  'gateway-error',
  'connect-failure',
  'reset',
  'reset-before-request',
  'unavailable',
  'resource-exhausted',
  'retriable-4xx',
  'refused-stream',
  'cancelled',
  'deadline-exceeded',
  'internal',
]);

/** How one caller is stricter than the owner, and the clusters it has of its own for that (by the owner's name). `scheme`: what requests come by. */
export interface Variant {
  readonly needs: readonly Need[];
  readonly clusters: ReadonlyMap<string, string>;
  readonly scheme: FirstHop['scheme'];
}
export const asTheOwner: Variant = { needs: [], clusters: new Map(), scheme: 'http' };

/** Routes of a list of rules, in its order. */
export function routesOf(
  index: IrIndex,
  { cors, rules }: Pick<RouteTable, 'cors' | 'rules'>,
  variant: Variant,
  diagnostics: Diagnostic[],
): Route[] {
  const late = openByUser(index, rules);
  const each = rules.flatMap((rule) => {
    refuse(rule, variant, diagnostics);
    return matchesOf(index, rule).flatMap(([request, match]) => [
      ...(late && !opensSockets(index, rule) ? [noUpgrade(rule.id, match(asksForUpgrade))] : []),
      ...routesFor(index, rule, request, match, variant, cors),
    ]);
  });
  if (!late) return each;
  const clusters = rules.flatMap(({ action }) => (action.kind === 'forward' ? action.to.map((target) => clusterOf(variant, target)) : []));
  return [beforeUsers(index.ir.issuers, clusters.sort()[0] ?? ''), ...each];
}
const clusterOf = ({ clusters }: Variant, { port, version }: { readonly port: PortKey; readonly version: string | null }): string => {
  const name = clusterName(port, version);
  return clusters.get(name) ?? name;
};

/** The routes of one rule for one of its request classes: those of the cookies that the mesh gave out before, then the one that gives them out. */
function routesFor(
  index: IrIndex,
  rule: RouteRule,
  request: RequestClass | null,
  match: MatchWith,
  variant: Variant,
  cors: Cors | null,
): Route[] {
  const { action } = rule;
  const back = responseEdits(action.kind === 'respondGrpc' ? noEdits : action.responseHeaders);
  const route = (more: Pick<Route, 'action'>, own: Match = match([]), headers: HeaderOptions = []): Route => ({
    name: rule.id,
    match: own,
    responseHeadersToAdd: [...back.responseHeadersToAdd, ...headers],
    responseHeadersToRemove: back.responseHeadersToRemove,
    ...(action.kind === 'forward' ? requestEdits(action.requestHeaders) : {}),
    ...(action.kind === 'forward' && action.fault
      ? { typedPerFilterConfig: { [httpFilterName('fault')]: faultConfig(action.fault) } }
      : {}),
    ...more,
  });
  const itself = (answer: Pick<Route, 'action'>): Route[] => [
    ...answersTo(cors).map(({ when, headers }) => route(answer, match([when]), headers)),
    route(answer),
  ];
  switch (action.kind) {
    case 'forward': {
      const { sticky } = action;
      const { retry } = stricter(action, variant.needs);
      return triesByMethod(retry, request === null || request.method === '*' ? null : request.method).flatMap(({ matcher, tries }) => {
        const method = matcher ? [matcher] : [];
        const to = (forwarded: Forward): Pick<Route, 'action'> => ({
          action: { case: 'route', value: forward(index, { ...forwarded, opens: opensSockets(index, rule) }, request, variant, tries) },
        });
        const alone = (target: WeightedTarget, edits: Pick<WeightedTarget, 'responseHeaders'> = target): Forward => ({
          ...action,
          rewrite: rewriteFor(action, target),
          to: [{ ...target, ...edits, rewrite: null, weight: 100 }],
        });
        const pinned =
          sticky?.kind === 'issued' && action.to.length > 1
            ? inHashOrder(action.to).map((target) => {
                const cookie = cookieMatcher({ name: sticky.name, match: { kind: 'exact', value: cookieValue(target) } });
                return route(to(alone(target)), match([...method, cookie]));
              })
            : [];
        if (action.to.every(({ rewrite }) => rewrite === null)) return [...pinned, route(to(action), match(method))];
        // Envoy rewrites by route, not by destination: a route for each, which take their shares by the one number that a request has
        const shares = inHashOrder(action.to).map((target, index, all) => {
          const upTo = all.slice(0, index + 1).reduce((sum, { weight }) => sum + weight, 0);
          const responseHeaders =
            sticky?.kind === 'issued'
              ? withCookie(target.responseHeaders, setCookie(sticky, target, variant.scheme))
              : target.responseHeaders;
          return route(to(alone(target, { responseHeaders })), match(method, upTo));
        });
        return [...pinned, ...shares];
      });
    }
    case 'respond': {
      const body = action.body === null ? {} : { body: { specifier: { case: 'inlineString' as const, value: action.body } } };
      return itself({ action: { case: 'directResponse', value: { status: action.status, ...body } } });
    }
    case 'respondGrpc': {
      // answered as a local reply, which Envoy makes a trailers-only answer; the body is the message
      const body = action.message === null ? {} : { body: { specifier: { case: 'inlineString' as const, value: action.message } } };
      return [route({ action: { case: 'directResponse', value: { status: 200, ...body } } }, match([]), [grpcStatus(action.status)])];
    }
    case 'redirect': {
      const plain = action.path && plainPath(action.path);
      const path: RedirectInit =
        action.path === null
          ? {}
          : plain === null
            ? { pathRewriteSpecifier: { case: 'regexRewrite', value: pathRewrite(action.path, request) } }
            : { pathRewriteSpecifier: { case: 'pathRedirect', value: plain } };
      const value: RedirectInit = {
        responseCode: redirectCode[action.status],
        ...(action.scheme === null ? {} : { schemeRewriteSpecifier: { case: 'schemeRedirect', value: action.scheme } }),
        ...(action.host === null ? {} : { hostRedirect: action.host }),
        ...(action.port === null ? {} : { portRedirect: action.port }),
        ...path,
      };
      return itself({ action: { case: 'redirect', value } });
    }
    default:
      return assertNever(action);
  }
}
type RedirectInit = MessageInitShape<typeof RedirectActionSchema>;
const grpcStatus = (status: number): HeaderOptions[number] => ({
  header: { key: 'grpc-status', value: String(status) },
  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
});

/** What the IR can say and a route of Envoy cannot. */
function refuse({ id, match, action }: RouteRule, variant: Variant, diagnostics: Diagnostic[]): void {
  for (const cookie of match?.cookies ?? [])
    if (cookie.match.kind === 'regex' && withinOneCookie(cookie.match.value) === null)
      diagnostics.push(emit.cookieRegex({ rule: id, cookie: cookie.name }, { rule: id }));
  if (action.kind === 'respond') {
    const bytes = Buffer.byteLength(action.body ?? '');
    if (bytes > longestBody) diagnostics.push(emit.longBody({ rule: id, bytes }, { rule: id }));
  }
  if (action.kind === 'forward') {
    for (const word of stricter(action, variant.needs).retry?.on ?? [])
      if (!retryWords.has(word) && !/^[45][0-9]{2}$/.test(word)) diagnostics.push(emit.retryWord({ rule: id, word }, { rule: id }));
  }
}

/** A rule's match, with further conditions on headers. `upTo`: of a hundred requests, what is left of those before it; the rest if not said. */
type MatchWith = (more: readonly HeaderMatcher[], upTo?: number) => Match;
function matchesOf({ ir: { issuers } }: IrIndex, { match }: RouteRule): (readonly [RequestClass | null, MatchWith])[] {
  if (match === null) return [[null, (more, upTo) => ({ pathSpecifier: everyPath, headers: [...more], ...takes(upTo) })]];
  if (match.requests.length === 0) return [[null, (more, upTo) => matchOf(issuers, null, match, more, upTo)]];
  return [...match.requests]
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map((request) => [request, (more, upTo) => matchOf(issuers, request, match, more, upTo)] as const);
}
type PathSpecifier = NonNullable<Match['pathSpecifier']>;
const everyPath: PathSpecifier = { case: 'prefix', value: '/' };

function matchOf(
  issuers: readonly Issuer[],
  request: RequestClass | null,
  match: RouteMatch,
  more: readonly HeaderMatcher[],
  upTo?: number,
): Match {
  return {
    ...takes(upTo),
    pathSpecifier: request === null ? everyPath : pathSpecifier(request),
    headers: [
      ...(request === null || request.method === '*' ? [] : [methodMatcher(request.method)]),
      ...(match.hosts.length === 0 ? [] : [hostMatcher([...match.hosts].sort())]),
      ...sorted(match.headers).map(headerMatcher),
      ...sorted(match.withoutHeaders).map(noHeaderMatcher),
      ...sorted(match.cookies).map(cookieMatcher),
      ...(match.user === null ? [] : [headerMatcher(oneToken)]),
      ...more,
    ],
    queryParameters: sorted(match.query).map(queryMatcher),
    dynamicMetadata: [...userMatchers(issuers, match.user)],
  };
}
/** All of them must hold, so their order means nothing. */
const sorted = (fields: readonly FieldMatch[]): readonly FieldMatch[] =>
  [...fields].sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));

function pathSpecifier(request: RequestClass): PathSpecifier {
  const path = pathText(request.path);
  return 'exact' in path ? { case: 'path', value: path.exact } : { case: 'safeRegex', value: { regex: path.pattern } };
}

const redirectCode = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
} as const;

type RouteActionInit = Extract<NonNullable<Route['action']>, { case: 'route' }>['value'];
type Forward = Extract<RouteAction, { kind: 'forward' }>;
/** What one route sends, to some or all destinations of its rule; `opens`: whether the rule opens WebSockets, which is about all of them. */
type Sent = Forward & { readonly opens: boolean };
/**
 * A gRPC call lives no longer than its route's timeout, a stream too, and a caller's own deadline (`grpc-timeout`) may be shorter. A WebSocket lives no
 * longer than its port's maximum age; only there an upgrade is let through.
 */
function layerFields(index: IrIndex, { to, opens }: Sent, timeoutMs: number): Ages {
  const ports = to.flatMap((target) => index.ports.get(target.port)?.port ?? []);
  if (ports.some((port) => port.layer === 'grpc'))
    return { maxStreamDuration: { maxStreamDuration: ms(timeoutMs), grpcTimeoutHeaderMax: ms(timeoutMs) } };
  const ageMs = opens ? socketAgeMs(index, to) : null;
  return ageMs === null ? {} : sockets(ageMs);
}

function forward(index: IrIndex, action: Sent, request: RequestClass | null, variant: Variant, tries: Tries | null): RouteActionInit {
  const { timeoutMs, idleMs } = stricter(action, variant.needs);
  const { sticky, rewrite, mirrors } = action;
  const isSplit = action.to.length > 1;
  const issued = sticky?.kind === 'issued' && isSplit ? sticky : null;
  const clusters = inHashOrder(action.to).map((target) => ({
    name: clusterOf(variant, target),
    weight: target.weight,
    ...requestEdits(target.requestHeaders),
    ...responseEdits(
      issued === null ? target.responseHeaders : withCookie(target.responseHeaders, setCookie(issued, target, variant.scheme)),
    ),
  }));
  const isPlain =
    action.to.length === 1 && action.to.every((target) => !isEdited(target.requestHeaders) && !isEdited(target.responseHeaders));
  const hashed = sticky !== null && sticky.kind !== 'issued' && isSplit ? sticky : null;
  return {
    clusterSpecifier: isPlain
      ? { case: 'cluster', value: clusters[0]?.name ?? '' }
      : {
          case: 'weightedClusters',
          value: { clusters, ...(hashed ? { randomValueSpecifier: { case: 'useHashPolicy', value: { value: true } } } : {}) },
        },
    ...hashing(index, action.to, hashed, variant.scheme),
    timeout: ms(timeoutMs),
    ...layerFields(index, action, timeoutMs),
    ...(idleMs === builtInIdleMs ? {} : { idleTimeout: ms(idleMs) }),
    ...(rewrite?.path ? { regexRewrite: pathRewrite(rewrite.path, request) } : {}),
    ...(rewrite?.host ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: rewrite.host } } : {}),
    // under its own name: the destination reads what the first one reads
    requestMirrorPolicies: inTotalOrder(mirrors).map((mirror) => ({
      cluster: clusterOf(variant, mirror),
      runtimeFraction: { defaultValue: share(mirror.percent) },
      disableShadowHostSuffixAppend: true,
    })),
    ...retryFields(tries),
  };
}

/** Of a hundred requests those up to this one; the last one takes the rest. */
const takes = (upTo = 100) =>
  upTo === 100 ? {} : { runtimeFraction: { defaultValue: { numerator: upTo, denominator: FractionalPercent_DenominatorType.HUNDRED } } };

/** Beside a cookie of the destination's own, if it sets one. */
const withCookie = (edits: HeaderEdits, cookie: string): HeaderEdits => ({
  ...edits,
  add: [...edits.add, { name: 'set-cookie', value: cookie }],
});
/** A request has one hash: lower sees to it that whatever goes by it reads the same. */
function hashing(
  index: IrIndex,
  to: readonly WeightedTarget[],
  sticky: Exclude<Sticky, { kind: 'issued' }> | null,
  scheme: Variant['scheme'],
): Pick<RouteActionInit, 'hashPolicy'> {
  for (const { port } of to) {
    const balance = index.ports.get(port)?.port.resilience.balance;
    if (balance?.kind === 'hash') return { hashPolicy: [hashPolicy(balance.by, scheme)] };
  }
  if (sticky === null) return {};
  return { hashPolicy: [hashPolicy(sticky.kind === 'header' ? sticky : { ...sticky, madeForMs: null }, scheme)] };
}
const inTotalOrder = (mirrors: readonly Mirror[]): readonly Mirror[] =>
  [...mirrors].sort((a, b) => (canonicalJson([a.port, a.version ?? '']) < canonicalJson([b.port, b.version ?? '']) ? -1 : 1));
