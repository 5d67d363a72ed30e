/** How long a request may take, and when it is tried again. */
import type { Retry } from '../ir/ir';

/** RFC 9110 section 9.2.2: what may be done twice without harm. OPTIONS and TRACE are safe, and so idempotent. */
export const idempotentMethods: readonly string[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'TRACE'];
/** Nobody can have begun on the request: the connection was not made, the stream was refused (RFC 9113 section 8.7), or reset before it was sent. */
const nobodyBegan: readonly string[] = ['connect-failure', 'refused-stream', 'reset-before-request'];
/** These take in a try that did not answer at all, whatever the reason (Envoy: x-envoy-retry-on). */
const noAnswer: readonly string[] = ['5xx', 'gateway-error', 'reset'];

/** A repeated try looks so often for an endpoint that the request has not been sent to; where all looks find the same ones, it goes to one of those. */
export const looksElsewhere = 10;

/** How a request is tried. `perTryMs` null: a late try is not tried again, so only the timeout ends it. */
export interface Tries {
  readonly atMost: number;
  readonly perTryMs: number | null;
  /** Sorted. */
  readonly on: readonly string[];
  readonly budgetPercent: number | null;
  readonly backOff: Retry['backOff'];
  readonly hedge: boolean;
}

/** The tries of a request of that method; null: it is sent once. */
export function triesOf(retry: Retry | null, method: string): Tries | null {
  if (retry === null || retry.atMost === 0) return null;
  const repeatable = retry.methods === 'all' || idempotentMethods.includes(method);
  const on = repeatable ? retry.on : conditionsBeforeAnybodyBegan(retry.on);
  if (on.length === 0) return null;
  const lateIsRetried = repeatable && on.some((condition) => noAnswer.includes(condition));
  const { atMost, budgetPercent, backOff } = retry;
  return { atMost, perTryMs: lateIsRetried ? retry.perTryMs : null, on, budgetPercent, backOff, hedge: retry.hedge && lateIsRetried };
}
function conditionsBeforeAnybodyBegan(on: readonly string[]): readonly string[] {
  if (on.some((condition) => noAnswer.includes(condition))) return nobodyBegan;
  return on.filter((condition) => nobodyBegan.includes(condition));
}

/** The longest time that all back-offs together can take. Before the nth retry it is below the base doubled n-1 times, and never above the maximum. */
export function longestBackOffMs({ atMost, backOff }: Pick<Retry, 'atMost' | 'backOff'>): number {
  let sum = 0;
  for (let retry = 0; retry < atMost; retry += 1) sum += Math.min(backOff.maxMs, backOff.baseMs * 2 ** retry);
  return sum;
}
