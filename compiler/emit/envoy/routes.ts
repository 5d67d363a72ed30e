/** Route rules as Envoy routes. One rule may take several routes (one for each request class); all carry the rule's id as their name. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { emit } from '../../../core/diagnostics/emit';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import type { FieldMatch, Need, RequestClass, Retry, RouteAction, RouteMatch, RouteRule, WeightedTarget } from '../../../core/ir/ir';
import { assertNever } from '../../../core/lib/brand';
import { canonicalJson } from '../../../core/lib/json';
import { examplePath } from '../../../core/semantics/probes';
import { stricter } from '../../../core/semantics/variant';
import {
  RedirectAction_RedirectResponseCode,
  type RetryPolicySchema,
  type RouteMatchSchema,
  type RouteSchema,
} from '../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { HeaderValueOption_HeaderAppendAction } from '../../../core/wire/gen/envoy/config/core/v3/base_pb';
import { PreviousHostsPredicateSchema } from '../../../core/wire/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb';
import { ms, pack } from './any';
import { cookieMatcher, headerMatcher, methodMatcher, pathText, queryMatcher, withinOneCookie } from './matchers';
import { clusterName } from './names';

export type Route = MessageInitShape<typeof RouteSchema>;
type Match = MessageInitShape<typeof RouteMatchSchema>;
type RetryPolicy = MessageInitShape<typeof RetryPolicySchema>;

/** Envoy keeps a direct response's body in memory, in every proxy, and takes no more of it unless told. */
const longestBody = 4096;
const retryWords = new Set([
  '5xx',
  'gateway-error',
  'connect-failure',
  'reset',
  'unavailable',
  'resource-exhausted',
  'retriable-4xx',
  'refused-stream',
  'cancelled',
  'deadline-exceeded',
  'internal',
]);

/** How one caller is stricter than the owner, and the clusters it has of its own for that (by the owner's name). */
export interface Variant {
  readonly needs: readonly Need[];
  readonly clusters: ReadonlyMap<string, string>;
}
export const asTheOwner: Variant = { needs: [], clusters: new Map() };

/** Routes of a list of rules, in its order. */
export function routesOf(rules: readonly RouteRule[], variant: Variant, diagnostics: Diagnostic[]): Route[] {
  return rules.flatMap((rule) => {
    const action = actionOf(rule, variant, diagnostics);
    const headers = grpcStatusHeader(rule.action);
    return matchesOf(rule, diagnostics).map((match): Route => ({ name: rule.id, match, action, ...headers }));
  });
}

const grpcStatusHeader = (action: RouteAction): Pick<Route, 'responseHeadersToAdd'> =>
  action.kind === 'respondGrpc'
    ? {
        responseHeadersToAdd: [
          {
            header: { key: 'grpc-status', value: String(action.status) },
            appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
          },
        ],
      }
    : {};

function matchesOf(rule: RouteRule, diagnostics: Diagnostic[]): Match[] {
  const { match } = rule;
  if (match === null) return [everything];
  for (const cookie of match.cookies)
    if (cookie.match.kind === 'regex' && withinOneCookie(cookie.match.value) === null)
      diagnostics.push(emit.cookieRegex({ rule: rule.id, cookie: cookie.name }, { rule: rule.id }));
  if (match.requests.length === 0) return [matchOf(null, match)];
  return [...match.requests].sort((a, b) => (a.text < b.text ? -1 : 1)).map((request) => matchOf(request, match));
}
type PathSpecifier = NonNullable<Match['pathSpecifier']>;
const everyPath: PathSpecifier = { case: 'prefix', value: '/' };
const everything: Match = { pathSpecifier: everyPath };

function matchOf(request: RequestClass | null, match: RouteMatch): Match {
  return {
    pathSpecifier: request === null ? everyPath : pathSpecifier(request),
    headers: [
      ...(request === null || request.method === '*' ? [] : [methodMatcher(request.method)]),
      ...sorted(match.headers).map(headerMatcher),
      ...sorted(match.cookies).map(cookieMatcher),
    ],
    queryParameters: sorted(match.query).map(queryMatcher),
  };
}
/** All of them must hold, so their order means nothing. */
const sorted = (fields: readonly FieldMatch[]): readonly FieldMatch[] =>
  [...fields].sort((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));

function pathSpecifier(request: RequestClass): PathSpecifier {
  const path = pathText(request.path);
  return 'exact' in path ? { case: 'path', value: path.exact } : { case: 'safeRegex', value: { regex: path.pattern } };
}

function actionOf(rule: RouteRule, variant: Variant, diagnostics: Diagnostic[]): NonNullable<Route['action']> {
  const { action } = rule;
  switch (action.kind) {
    case 'forward':
      return { case: 'route', value: forward(rule.id, action, variant, diagnostics) };
    case 'respond': {
      const bytes = Buffer.byteLength(action.body ?? '');
      if (bytes > longestBody) diagnostics.push(emit.longBody({ rule: rule.id, bytes }, { rule: rule.id }));
      return {
        case: 'directResponse',
        value: {
          status: action.status,
          ...(action.body === null ? {} : { body: { specifier: { case: 'inlineString', value: action.body } } }),
        },
      };
    }
    case 'respondGrpc':
      // answered as a local reply, which Envoy makes a trailers-only answer; the body is the message
      return {
        case: 'directResponse',
        value: {
          status: 200,
          ...(action.message === null ? {} : { body: { specifier: { case: 'inlineString', value: action.message } } }),
        },
      };
    case 'redirect':
      return {
        case: 'redirect',
        value: {
          responseCode: redirectCode[action.status],
          ...(action.host === null ? {} : { hostRedirect: action.host }),
          ...(action.path === null ? {} : { pathRewriteSpecifier: { case: 'pathRedirect', value: examplePath(action.path) } }),
        },
      };
    default:
      return assertNever(action);
  }
}
const redirectCode = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
} as const;

type RouteActionInit = Extract<NonNullable<Route['action']>, { case: 'route' }>['value'];
function forward(
  rule: string,
  action: Extract<RouteAction, { kind: 'forward' }>,
  variant: Variant,
  diagnostics: Diagnostic[],
): RouteActionInit {
  const { timeoutMs, retry } = stricter(action, variant.needs);
  const clusterOf = ({ port, version }: WeightedTarget): string => {
    const name = clusterName(port, version);
    return variant.clusters.get(name) ?? name;
  };
  for (const word of retry?.on ?? []) if (!retryWords.has(word)) diagnostics.push(emit.retryWord({ rule, word }, { rule }));
  const [only] = action.to;
  const clusterSpecifier: RouteActionInit['clusterSpecifier'] =
    only && action.to.length === 1
      ? { case: 'cluster', value: clusterOf(only) }
      : {
          case: 'weightedClusters',
          value: {
            clusters: action.to
              .map((target) => ({ name: clusterOf(target), weight: target.weight }))
              .sort((a, b) => (a.name < b.name ? -1 : 1)),
          },
        };
  return { clusterSpecifier, timeout: ms(timeoutMs), ...(retry && retry.atMost > 0 ? { retryPolicy: retryPolicy(retry) } : {}) };
}

function retryPolicy(retry: Retry): RetryPolicy {
  return {
    retryOn: [...retry.on].sort().join(','),
    numRetries: retry.atMost,
    perTryTimeout: ms(retry.perTryMs),
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: { case: 'typedConfig', value: pack(PreviousHostsPredicateSchema, {}) },
      },
    ],
    hostSelectionRetryMaxAttempts: 3n,
    retryBackOff: { baseInterval: ms(25), maxInterval: ms(250) },
  };
}
