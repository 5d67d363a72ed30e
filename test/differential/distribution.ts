/** What is left to chance, counted: shares of destinations and of faults over a whole run, held against Pearson's chi-square. */
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

/** Pearson's statistic over the percentages that were thrown often enough to say something (five expected either way). */
export function chiSquare(trials: readonly Trial[]): { readonly value: number; readonly degrees: number } {
  const groups = new Map<number, Trial[]>();
  for (const trial of trials) groups.set(trial.percent, [...(groups.get(trial.percent) ?? []), trial]);
  let [value, degrees] = [0, 0];
  for (const [percent, group] of groups) {
    const p = percent / 100;
    const n = group.length;
    if (n * Math.min(p, 1 - p) < 5) continue;
    const hits = group.filter(({ hit }) => hit).length;
    value += (hits - n * p) ** 2 / (n * p * (1 - p));
    degrees += 1;
  }
  return { value, degrees };
}

/** What a right mesh stays below but once in ten thousand runs or less (mean `degrees`, variance twice that; the tail of few degrees is long). */
export const chiSquareBound = (degrees: number): number => degrees + 4 * Math.sqrt(2 * degrees) + 12;
