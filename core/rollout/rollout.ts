/**
 * The roll-out of one release over the proxies, as a pure state machine: what is known goes in, the next state comes out. Time is an argument,
 * state is plain JSON that survives a kill at any point, and deciding twice from the same facts gives the same answer.
 */
import { createHash } from 'node:crypto';
import { assertNever } from '../lib/brand';
import type { Digest } from '../lib/digest';
import type { Part, RolloutStep } from '../bundle/objects';
import type { ProxyPhase } from '../bundle/status';

export type SetName = 'stable' | 'candidate';
export const parts: readonly Part[] = ['inbound', 'outbound'];

/** What of a release the machine reads. */
export interface RolloutPlan {
  readonly release: Digest;
  readonly steps: readonly RolloutStep[];
  /** Percentages inside each step, ending with 100. */
  readonly waves: readonly number[];
  readonly holdMs: number;
}

/**
 * What is known of one proxy instance. `unknown`: disconnected, and its SVID has not lapsed, so it may still serve what it last had;
 * `absent`: never seen, or lapsed.
 */
export interface Observation {
  readonly instance: string;
  /** Hashed for the order: `<principal>/<instance>`. */
  readonly identity: string;
  /** ProxyConfig name, `<namespace>/<name>`. */
  readonly proxy: string;
  readonly presence: 'connected' | 'unknown' | 'absent';
  /** By part: whether candidate differs from stable for it, which set it was last given, and how far that came. */
  readonly parts: { readonly [part in Part]: { readonly concerned: boolean; readonly set: SetName; readonly phase: ProxyPhase } };
  readonly lastError: string | null;
}

interface At {
  readonly step: number;
  readonly wave: number;
}
export type RolloutPhase =
  | ({ readonly kind: 'unproven' } & At)
  | ({ readonly kind: 'rolling' } & At)
  | ({ readonly kind: 'holding'; readonly until: number } & At)
  | { readonly kind: 'converged'; readonly at: number }
  | { readonly kind: 'aborted'; readonly at: number; readonly reason: string };

export interface Expected {
  readonly instance: string;
  /** The steps in which it has something to move. Kept, so that an instance that goes away does not shift the others back. */
  readonly steps: readonly number[];
}

/** Persisted by the control plane after every change, before anything is sent because of it. */
export interface RolloutProgress {
  readonly release: Digest;
  readonly startedAt: number;
  /** Instances that were there when rolling began, in the order of their hashes: the order they move in. Who comes later is a joiner. */
  readonly expected: readonly Expected[];
  /** Set by `promote`: no more waves and holds, order across proxies stays. */
  readonly hurried: boolean;
  readonly phase: RolloutPhase;
}

/** The state in which a release begins. */
export function beginRollout(plan: RolloutPlan, now: number): RolloutProgress {
  return { release: plan.release, startedAt: now, expected: [], hurried: false, phase: { kind: 'unproven', step: 0, wave: 0 } };
}

/** A number in [0, 1) by the hash of an identity: uniform, and the same on every machine and after every restart. */
export function hashFraction(identity: string): number {
  return createHash('sha256').update(identity).digest().readUInt32BE(0) / 2 ** 32;
}

/** The step in which a part of a proxy moves: the first that names it, else the last. */
export function stepOf(plan: RolloutPlan, proxy: string, part: Part): number {
  const named = plan.steps.findIndex((step) => step.parts.some((moved) => moved.proxy === proxy && moved.part === part));
  return named >= 0 ? named : Math.max(0, plan.steps.length - 1);
}

/** Which set each part of each observed instance is to have now. */
export function assign(
  plan: RolloutPlan,
  progress: RolloutProgress,
  observations: readonly Observation[],
): ReadonlyMap<string, { readonly [part in Part]: SetName }> {
  const quotas = quotasOf(plan, progress);
  const result = new Map<string, { readonly [part in Part]: SetName }>();
  for (const seen of observations) {
    const setOf = (part: Part): SetName => (isMoved(plan, progress, quotas, seen, part) ? 'candidate' : 'stable');
    result.set(seen.instance, { inbound: setOf('inbound'), outbound: setOf('outbound') });
  }
  return result;
}

/** Moves the roll-out on as far as the observations allow. Call again after `assign` was carried out and observed; equal input, equal output. */
export function advance(plan: RolloutPlan, progress: RolloutProgress, observations: readonly Observation[], now: number): RolloutProgress {
  const { phase } = progress;
  switch (phase.kind) {
    case 'converged':
    case 'aborted':
      return progress;
    case 'unproven':
      return leaveUnproven(plan, progress, observations, now);
    case 'holding':
      return rejection(progress, observations, now) ?? (now < phase.until ? progress : nextWave(plan, progress, phase, now));
    case 'rolling': {
      const rejected = rejection(progress, observations, now);
      if (rejected) return rejected;
      if (waitingFor(plan, progress, observations).length > 0) return progress;
      if (concerned(observations).length > 0 && present(concerned(observations)).length === 0) {
        return { ...progress, phase: { kind: 'unproven', step: phase.step, wave: phase.wave } };
      }
      const last = isLast(plan, progress, phase);
      if (last || progress.hurried || plan.holdMs <= 0 || isEmptyWave(plan, progress)) return nextWave(plan, progress, phase, now);
      return { ...progress, phase: { kind: 'holding', step: phase.step, wave: phase.wave, until: now + plan.holdMs } };
    }
    default:
      return assertNever(phase);
  }
}

/** Everything back to stable. A release that has converged cannot be aborted: rolling back is a new release. */
export function abortRollout(progress: RolloutProgress, reason: string, now: number): RolloutProgress {
  return progress.phase.kind === 'converged' || progress.phase.kind === 'aborted'
    ? progress
    : { ...progress, phase: { kind: 'aborted', at: now, reason } };
}

/** No more waves and holds. Every proxy must still become active, and order across proxies is kept. */
export function promoteRollout(plan: RolloutPlan, progress: RolloutProgress): RolloutProgress {
  const { phase } = progress;
  if (phase.kind === 'converged' || phase.kind === 'aborted') return progress;
  const kind = phase.kind === 'unproven' ? 'unproven' : 'rolling';
  return { ...progress, hurried: true, phase: { kind, step: phase.step, wave: lastWave(plan) } };
}

/** Moved instances that are not active yet, in order of name, with why. Empty when the wave is through. */
export function waitingFor(
  plan: RolloutPlan,
  progress: RolloutProgress,
  observations: readonly Observation[],
): readonly { readonly instance: string; readonly why: string }[] {
  const quotas = quotasOf(plan, progress);
  const waiting: { instance: string; why: string }[] = [];
  for (const seen of observations) {
    if (seen.presence === 'absent') continue;
    const open = parts.filter(
      (part) =>
        seen.parts[part].concerned &&
        isMoved(plan, progress, quotas, seen, part) &&
        !(seen.presence === 'connected' && seen.parts[part].set === 'candidate' && seen.parts[part].phase === 'active'),
    );
    if (open.length === 0) continue;
    const why =
      seen.presence === 'unknown'
        ? 'is disconnected and its certificate has not lapsed'
        : `has ${open.map((part) => `${part} ${seen.parts[part].phase}`).join(', ')}`;
    waiting.push({ instance: seen.instance, why });
  }
  return waiting.sort((a, b) => (a.instance < b.instance ? -1 : 1));
}

function leaveUnproven(plan: RolloutPlan, progress: RolloutProgress, observations: readonly Observation[], now: number): RolloutProgress {
  const moving = concerned(observations);
  // Proxies are there, or known, and none of them is touched: nothing is left to prove.
  if (moving.length === 0) return observations.length > 0 ? { ...progress, phase: { kind: 'converged', at: now } } : progress;
  const there = present(moving);
  if (there.length === 0 || progress.phase.kind !== 'unproven') return progress;
  const expected = there
    .map((seen) => ({ instance: seen.instance, at: hashFraction(seen.identity), steps: stepsOf(plan, seen) }))
    .sort((a, b) => a.at - b.at || (a.instance < b.instance ? -1 : 1))
    .map(({ instance, steps }) => ({ instance, steps }));
  const { step, wave } = progress.phase;
  return { ...progress, expected, phase: { kind: 'rolling', step, wave: progress.hurried ? lastWave(plan) : wave } };
}

function stepsOf(plan: RolloutPlan, seen: Observation): readonly number[] {
  return [...new Set(parts.filter((part) => seen.parts[part].concerned).map((part) => stepOf(plan, seen.proxy, part)))].sort(
    (a, b) => a - b,
  );
}

function rejection(progress: RolloutProgress, observations: readonly Observation[], now: number): RolloutProgress | null {
  for (const seen of observations) {
    for (const part of parts) {
      const { set, phase, concerned: touched } = seen.parts[part];
      if (touched && set === 'candidate' && phase === 'rejected') {
        return abortRollout(
          progress,
          `\`${seen.instance}\` rejected its ${part} configuration: ${seen.lastError ?? 'no reason given'}`,
          now,
        );
      }
    }
  }
  return null;
}

function nextWave(plan: RolloutPlan, progress: RolloutProgress, at: At, now: number): RolloutProgress {
  if (isLast(plan, progress, at)) return { ...progress, phase: { kind: 'converged', at: now } };
  if (at.wave < lastWave(plan)) return { ...progress, phase: { kind: 'rolling', step: at.step, wave: at.wave + 1 } };
  return { ...progress, phase: { kind: 'rolling', step: at.step + 1, wave: progress.hurried ? lastWave(plan) : 0 } };
}

/** How many instances of each step's order have moved. */
interface Quota {
  readonly order: ReadonlyMap<string, number>;
  readonly moved: number;
  readonly percent: number;
}
type Quotas = { readonly current: number; readonly quota: Quota } | 'all' | 'none';

function quotasOf(plan: RolloutPlan, progress: RolloutProgress): Quotas {
  const { phase } = progress;
  switch (phase.kind) {
    case 'converged':
      return 'all';
    case 'aborted':
      return 'none';
    case 'unproven':
    case 'rolling':
    case 'holding': {
      const percent = progress.hurried ? 100 : (plan.waves[phase.wave] ?? 100);
      const inStep = progress.expected.filter((member) => member.steps.includes(phase.step));
      const order = new Map(inStep.map((member, index) => [member.instance, index]));
      return { current: phase.step, quota: { order, moved: Math.ceil((percent * inStep.length) / 100), percent } };
    }
    default:
      return assertNever(phase);
  }
}

function isMoved(plan: RolloutPlan, progress: RolloutProgress, quotas: Quotas, seen: Observation, part: Part): boolean {
  if (quotas === 'all') return true;
  if (quotas === 'none') return false;
  const step = stepOf(plan, seen.proxy, part);
  if (step !== quotas.current) return step < quotas.current;
  const index = quotas.quota.order.get(seen.instance);
  if (index !== undefined) return index < quotas.quota.moved;
  return !progress.expected.some((member) => member.instance === seen.instance) && hashFraction(seen.identity) * 100 < quotas.quota.percent;
}

const lastWave = (plan: RolloutPlan): number => Math.max(0, plan.waves.length - 1);
const isLast = (plan: RolloutPlan, progress: RolloutProgress, at: At): boolean =>
  at.step >= plan.steps.length - 1 && (progress.hurried || at.wave >= lastWave(plan));
const concerned = (observations: readonly Observation[]): readonly Observation[] =>
  observations.filter((seen) => parts.some((part) => seen.parts[part].concerned));
const present = (observations: readonly Observation[]): readonly Observation[] => observations.filter((seen) => seen.presence !== 'absent');

/** A wave that moved nobody proves nothing, so there is nothing to watch during a hold. */
function isEmptyWave(plan: RolloutPlan, progress: RolloutProgress): boolean {
  const quotas = quotasOf(plan, progress);
  if (typeof quotas === 'string') return true;
  return quotas.quota.moved === 0;
}
