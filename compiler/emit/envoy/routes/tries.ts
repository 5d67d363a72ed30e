/** Retries as Envoy has them. Methods that may be tried again otherwise than others take a route of their own. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Retry } from '../../../../core/ir/ir';
import { canonicalJson } from '../../../../core/lib/json';
import { idempotentMethods, looksElsewhere, triesOf, type Tries } from '../../../../core/semantics/timing';
import type { HeaderMatcherSchema, RouteActionSchema } from '../../../../core/wire/gen/envoy/config/route/v3/route_components_pb';
import { PreviousHostsPredicateSchema } from '../../../../core/wire/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb';
import { ms, pack } from '../any';

type RouteAction = MessageInitShape<typeof RouteActionSchema>;
export type HeaderMatcher = MessageInitShape<typeof HeaderMatcherSchema>;

/** The tries of the requests of one Envoy route: those of `method` (null: any), or only those that `matcher` takes. */
export interface MethodTries {
  readonly matcher: HeaderMatcher | null;
  readonly tries: Tries | null;
}
export function triesByMethod(retry: Retry | null, method: string | null): readonly MethodTries[] {
  if (method !== null) return [{ matcher: null, tries: triesOf(retry, method) }];
  const [idempotent, other] = [triesOf(retry, 'GET'), triesOf(retry, 'POST')];
  const rest = { matcher: null, tries: idempotent };
  return canonicalJson(idempotent) === canonicalJson(other) ? [rest] : [{ matcher: notIdempotent, tries: other }, rest];
}
const notIdempotent: HeaderMatcher = {
  name: ':method',
  invertMatch: true,
  headerMatchSpecifier: {
    case: 'stringMatch',
    value: { matchPattern: { case: 'safeRegex', value: { regex: [...idempotentMethods].sort().join('|') } } },
  },
};

export function retryFields(tries: Tries | null): Pick<RouteAction, 'retryPolicy' | 'hedgePolicy'> {
  if (tries === null) return {};
  const statuses = tries.on.filter((word) => isStatus.test(word)).map(Number);
  return {
    retryPolicy: {
      retryOn: [...tries.on.filter((word) => !isStatus.test(word)), ...(statuses.length > 0 ? ['retriable-status-codes'] : [])]
        .sort()
        .join(','),
      retriableStatusCodes: statuses,
      numRetries: tries.atMost,
      ...(tries.perTryMs === null ? {} : { perTryTimeout: ms(tries.perTryMs) }),
      retryHostPredicate: [
        {
          name: 'envoy.retry_host_predicates.previous_hosts',
          configType: { case: 'typedConfig', value: pack(PreviousHostsPredicateSchema, {}) },
        },
      ],
      hostSelectionRetryMaxAttempts: BigInt(looksElsewhere),
      retryBackOff: { baseInterval: ms(tries.backOff.baseMs), maxInterval: ms(tries.backOff.maxMs) },
    },
    ...(tries.hedge ? { hedgePolicy: { hedgeOnPerTryTimeout: true } } : {}),
  };
}
const isStatus = /^[0-9]{3}$/;
