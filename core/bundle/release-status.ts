/**
 * `status` of a Release in the Kubernetes API: written by the control plane that holds the lease, on the status subresource, and read by everybody.
 * `progress` is its memory: a decision is in it before any proxy hears of it, so that any replica can go on from there.
 */
import type { Digest } from '../lib/digest';
import type { RolloutProgress } from '../rollout/rollout';
import type { ProxyPhase, RolloutState } from './status';

export interface ReleaseStatusResource {
  /** `metadata.generation` of the Release that this is about. */
  readonly observedGeneration: number;
  readonly state: RolloutState;
  /** 0-based; absent when nothing rolls. */
  readonly step?: number;
  readonly wave?: number;
  readonly steps: number;
  /** One line: what it waits for, or why it was aborted. */
  readonly message: string;
  readonly proxies: ConvergenceSummary;
  /** At most 20 proxies that hold the roll-out or refused it, in order of name. */
  readonly trouble?: readonly { readonly instance: string; readonly phase: ProxyPhase; readonly error?: string }[];
  /** Digest of the release that converged last: `pulumi.com/waitFor: jsonpath={.status.converged}=<digest>` cannot take an old answer for a new one. */
  readonly converged?: Digest;
  readonly progress?: RolloutProgress;
  /** Which replica wrote it, in which of its terms: `<identity>/<term>`. A new one writes this first, so that an old one finds itself overtaken. */
  readonly writer?: string;
  readonly conditions: readonly ReleaseCondition[];
}
/** How many proxies there are, and how many of them are where. `concerned`: the release differs from what was in force for them. */
export interface ConvergenceSummary {
  readonly total: number;
  readonly concerned: number;
  readonly active: number;
  readonly pending: number;
  readonly rejected: number;
  readonly unknown: number;
  readonly unconfigured: number;
}
/** `Accepted`: it verified and is in force. `Converged`: every proxy it concerns is active on it. `Aborted`: everything is back at stable. */
export interface ReleaseCondition {
  readonly type: 'Accepted' | 'Converged' | 'Aborted';
  readonly status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for machines. */
  readonly reason: string;
  readonly message: string;
  /** RFC 3339, UTC, whole seconds. */
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}
