/** What `GET /v1/status` of the loop answers. The CLI, the status page and the demo read it. */
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { HistoryEntry } from '../rollout/history';
import type { Attempt, LoopState } from '../reconcile/state';

export interface GitopsStatus {
  readonly repository: string;
  readonly branch: string;
  readonly environment: string;
  readonly ready: boolean;
  /** Newest commit of the branch that was seen. */
  readonly head: string | null;
  /** What the loop brought into force last. */
  readonly live: { readonly generation: number; readonly release: string; readonly commit: string } | null;
  readonly inFlight: Attempt | null;
  /** The newest first; the one in flight is the first. */
  readonly attempts: readonly Attempt[];
  /** Commits that are not tried again, with the attempt that tells why. */
  readonly quarantined: readonly {
    readonly commit: string;
    readonly outcome: 'refused' | 'aborted';
    readonly attempt: number;
    readonly at: number;
  }[];
  /** Releases on disk, the newest first: what a rollback can go back to. */
  readonly releases: readonly HistoryEntry[];
  /** What is in the way right now; empty when nothing is. */
  readonly trouble: readonly Diagnostic[];
  /** The control plane's own status; null when it does not answer. */
  readonly mesh: RolloutStatus | null;
}

export interface StatusParts {
  readonly repository: string;
  readonly branch: string;
  readonly environment: string;
  readonly ready: boolean;
  readonly state: LoopState;
  readonly releases: readonly HistoryEntry[];
  readonly trouble: readonly Diagnostic[];
  readonly mesh: RolloutStatus | null;
}

/** Puts the status together. */
export function statusOf({ state, ...parts }: StatusParts): GitopsStatus {
  return {
    ...parts,
    head: state.head,
    live: state.live,
    inFlight: state.inFlight,
    attempts: state.inFlight ? [state.inFlight, ...state.attempts] : state.attempts,
    quarantined: Object.entries(state.quarantined).map(([commit, { outcome, attempt, at }]) => ({ commit, outcome, attempt, at })),
  };
}
