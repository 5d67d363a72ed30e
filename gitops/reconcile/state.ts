/** What the loop knows, as a fold over its journal. Pure: the same entries give the same state on every machine and after every crash. */
import type { Digest } from '../../core/lib/digest';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { assertNever } from '../../core/lib/brand';

export const legs = ['fetch', 'compile', 'diff', 'validate', 'sign', 'preview', 'update', 'converge'] as const;
/** The way of a commit, in this order. */
export type Leg = (typeof legs)[number];
export type Trigger = 'start' | 'push' | 'poll' | 'retry' | 'rollback';
/**
 * How an attempt ended. `live`: in force and converged. `unchanged`: nothing to do, no release was made. `refused`: the commit is bad and is not
 * tried again. `aborted`: it was released and given up; not tried again. `superseded`: a newer commit came before anything was released, or while
 * its roll-out was stuck.
 * `failed`: for a reason outside the commit; tried again. `interrupted`: the loop ended in the middle of it; tried again.
 */
export type AttemptOutcome = 'live' | 'unchanged' | 'refused' | 'aborted' | 'superseded' | 'failed' | 'interrupted';

export interface Intent {
  readonly generation: number;
  readonly release: Digest;
}
export interface Attempt {
  readonly id: number;
  readonly commit: string;
  readonly trigger: Trigger;
  readonly phase: Leg | 'done';
  /** Milliseconds of each leg that is over; `update` goes on a little after `converge`, and both parts are in it. */
  readonly legs: { readonly [leg in Leg]?: number };
  readonly diagnostics: readonly Diagnostic[];
  readonly outcome: AttemptOutcome | null;
  /** The release this attempt is about to put out, or did. */
  readonly intent: Intent | null;
  /** The newer commit that its roll-out is given up for, written down before the abort. */
  readonly supersededBy: string | null;
  /** One line on what it changes. */
  readonly summary: string | null;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number | null;
}
export interface Quarantined {
  readonly attempt: number;
  readonly at: number;
  readonly outcome: 'refused' | 'aborted';
}
export interface LoopState {
  /** Number of the last entry. */
  readonly seq: number;
  readonly head: string | null;
  readonly nextAttempt: number;
  readonly inFlight: Attempt | null;
  /** The newest first, `keptAttempts` at most. */
  readonly attempts: readonly Attempt[];
  /** Commits that are not tried again. */
  readonly quarantined: { readonly [commit: string]: Quarantined };
  /** The commit whose policy is in force as far as the loop did it: nothing to do while the branch points there. */
  readonly settled: string | null;
  /** A commit that somebody asked to try again, until that was done. */
  readonly pardoned: string | null;
  /** What the loop released last with success. */
  readonly live: (Intent & { readonly commit: string }) | null;
}

export type EntryBody =
  | { readonly kind: 'head'; readonly commit: string }
  | { readonly kind: 'begin'; readonly attempt: number; readonly commit: string; readonly trigger: Trigger }
  | { readonly kind: 'leg'; readonly attempt: number; readonly leg: Leg; readonly ms: number }
  | { readonly kind: 'note'; readonly attempt: number; readonly summary: string | null; readonly diagnostics: readonly Diagnostic[] }
  | ({ readonly kind: 'intent'; readonly attempt: number } & Intent)
  | { readonly kind: 'supersede'; readonly attempt: number; readonly by: string; readonly diagnostic: Diagnostic }
  | { readonly kind: 'end'; readonly attempt: number; readonly outcome: AttemptOutcome; readonly diagnostics: readonly Diagnostic[] }
  /** The commit is held although it was live: somebody rolled back. */
  | { readonly kind: 'hold'; readonly commit: string; readonly attempt: number }
  /** The commit may be tried again: somebody asked for it. */
  | { readonly kind: 'pardon'; readonly commit: string };
export type Entry = EntryBody & { readonly seq: number; readonly at: number };

export const keptAttempts = 50;
const keptQuarantined = 1_000;

export const emptyState: LoopState = {
  seq: 0,
  head: null,
  nextAttempt: 1,
  inFlight: null,
  attempts: [],
  quarantined: {},
  settled: null,
  pardoned: null,
  live: null,
};

/** The state after one more entry. Entries that are not next in number are an error of the caller. */
export function apply(state: LoopState, entry: Entry): LoopState {
  const next = { ...state, seq: entry.seq };
  switch (entry.kind) {
    case 'head':
      return { ...next, head: entry.commit };
    case 'begin': {
      const attempt: Attempt = {
        id: entry.attempt,
        commit: entry.commit,
        trigger: entry.trigger,
        phase: 'fetch',
        legs: {},
        diagnostics: [],
        outcome: null,
        intent: null,
        supersededBy: null,
        summary: null,
        startedAt: entry.at,
        endedAt: null,
      };
      return { ...next, nextAttempt: entry.attempt + 1, inFlight: attempt };
    }
    case 'leg': {
      const following = legs[legs.indexOf(entry.leg) + 1];
      return inFlight(next, entry.attempt, (a) => ({
        ...a,
        legs: { ...a.legs, [entry.leg]: (a.legs[entry.leg] ?? 0) + entry.ms },
        phase: following ?? a.phase,
      }));
    }
    case 'note':
      return inFlight(next, entry.attempt, (a) => ({
        ...a,
        summary: entry.summary ?? a.summary,
        diagnostics: [...a.diagnostics, ...entry.diagnostics],
      }));
    case 'intent':
      return inFlight(next, entry.attempt, (a) => ({ ...a, intent: { generation: entry.generation, release: entry.release } }));
    case 'supersede':
      return inFlight(next, entry.attempt, (a) => ({ ...a, supersededBy: entry.by, diagnostics: [...a.diagnostics, entry.diagnostic] }));
    case 'end':
      return end(next, entry);
    case 'hold':
      return quarantine({ ...next, settled: null }, entry.commit, { attempt: entry.attempt, at: entry.at, outcome: 'aborted' });
    case 'pardon': {
      const { [entry.commit]: _pardoned, ...quarantined } = state.quarantined;
      return { ...next, quarantined, pardoned: entry.commit, settled: state.settled === entry.commit ? null : state.settled };
    }
    default:
      return assertNever(entry);
  }
}

function inFlight(state: LoopState, id: number, change: (attempt: Attempt) => Attempt): LoopState {
  return state.inFlight?.id === id ? { ...state, inFlight: change(state.inFlight) } : state;
}

function end(state: LoopState, entry: Extract<Entry, { kind: 'end' }>): LoopState {
  const attempt = state.inFlight;
  if (attempt?.id !== entry.attempt) return state;
  const done: Attempt = {
    ...attempt,
    outcome: entry.outcome,
    diagnostics: [...attempt.diagnostics, ...entry.diagnostics],
    endedAt: entry.at,
    phase: entry.outcome === 'live' || entry.outcome === 'unchanged' ? 'done' : attempt.phase,
  };
  const closed: LoopState = {
    ...state,
    inFlight: null,
    // Trouble outside the commit does not use a pardon up.
    pardoned: attempt.commit === state.pardoned && entry.outcome !== 'failed' && entry.outcome !== 'interrupted' ? null : state.pardoned,
    attempts: [done, ...state.attempts].slice(0, keptAttempts),
  };
  switch (entry.outcome) {
    case 'live':
      // A rollback puts an old commit in force while the branch stays where it is: the branch is not settled by it.
      return {
        ...closed,
        settled: attempt.trigger === 'rollback' ? null : attempt.commit,
        live: attempt.intent ? { ...attempt.intent, commit: attempt.commit } : state.live,
      };
    case 'unchanged':
      return { ...closed, settled: attempt.commit };
    case 'refused':
    case 'aborted':
      // A rollback that is given up says nothing about the commit it went back to.
      return attempt.trigger === 'rollback'
        ? closed
        : quarantine(closed, attempt.commit, { attempt: attempt.id, at: entry.at, outcome: entry.outcome });
    case 'interrupted':
    case 'superseded':
    case 'failed':
      return closed;
    default:
      return assertNever(entry.outcome);
  }
}

function quarantine(state: LoopState, commit: string, entry: Quarantined): LoopState {
  const { [commit]: _again, ...others } = state.quarantined;
  const kept = Object.entries(others).slice(-(keptQuarantined - 1));
  return { ...state, quarantined: { ...Object.fromEntries(kept), [commit]: entry } };
}
