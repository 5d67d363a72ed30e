/** What is left to chance, counted: shares of destinations and of faults over a whole run, held against the binomial distribution. */
import type { Decision } from '../../core/semantics/decision';
import { type Observed, saidBy } from './ask';
import type { World } from './world';

/** One throw: what was to happen to `percent` of the requests did or did not happen to this one. */
export interface Trial {
  readonly percent: number;
  readonly hit: boolean;
}

/** The throws that an answer shows. Only where what was seen says for sure which way it fell. */
export function trialsOf(world: World, decision: Decision, observed: Observed): readonly Trial[] {
  if (observed.kind === 'connection') return observed.line === null ? [] : fell(world, decision, saidBy(observed.line));
  if (typeof observed.answer === 'string' || decision.stage !== 'inbound') return [];
  const { answer, arrivals } = observed;
  const trials: Trial[] = [];
  const { fault } = decision;
  const answered = fault?.abort?.kind === 'grpc' ? 200 : fault?.abort?.status;
  const aborted = fault?.abort && answer.status === answered && answer.headers['x-app'] === undefined;
  const share = fault?.abort?.percent ?? 0;
  if (decision.outcome === 'allow' && share > 0 && share < 100) trials.push({ percent: share, hit: aborted === true });
  const main = arrivals.find(({ instance, port }) => answer.headers['x-app'] === `${instance}/${port}`);
  return main ? [...trials, ...fell(world, decision, main)] : trials;
}

/** To which of several destinations it went. */
function fell(
  world: World,
  { destinations: [first, ...others], outcome }: Decision,
  to: { readonly instance: string; readonly port: string },
): readonly Trial[] {
  if (!first || others.length === 0 || outcome !== 'allow') return [];
  // a destination without a version may be any of its endpoints, those of another destination among them
  if (others.some(({ port, version }) => port === first.port && (version === null || first.version === null))) return [];
  const at = world.standsFor(to);
  return [{ percent: first.share, hit: at.port === first.port && (first.version === null || at.version === first.version) }];
}

/**
 * How likely it is, where each percentage is as it was said, that one of them falls at least as far off as the one that is furthest off: the smaller tail of
 * its binomial distribution.
 */
export function likelihood(trials: readonly Trial[]): number {
  const percentages = [...new Set(trials.map(({ percent }) => percent))];
  return Math.min(
    1,
    ...percentages.map((percent) => {
      const thrown = trials.filter((trial) => trial.percent === percent);
      return tail(thrown.filter(({ hit }) => hit).length, thrown.length, percent / 100);
    }),
  );
}
/** What a right mesh stays above, but once in a thousand million runs. */
export const leastLikelihood = 1e-10;

/** Of as many hits or more, or of as many or fewer. */
function tail(hits: number, n: number, p: number): number {
  const times = (count: number, log: number): number => (count === 0 ? 0 : count * log); // of nothing too, which has none
  let [ways, below, exactly, above] = [0, 0, 0, 0]; // the first: the logarithm of n over k
  for (let k = 0; k <= n; k += 1) {
    if (k > 0) ways += Math.log((n - k + 1) / k);
    const likely = Math.exp(ways + times(k, Math.log(p)) + times(n - k, Math.log(1 - p)));
    if (k < hits) below += likely;
    else if (k > hits) above += likely;
    else exactly = likely;
  }
  return exactly + Math.min(below, above);
}
