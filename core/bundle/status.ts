/** What the control plane says about a roll-out. Served as JSON by its admin API; awaited by the Pulumi provider, the loop, the CLI and the status page. */
import type { Digest } from '../lib/digest';
import type { Part } from './objects';

/** `unknown`: the proxy is disconnected and its SVID has not lapsed. `rejected`: Envoy NACKed. */
export type ProxyPhase = 'none' | 'sent' | 'acked' | 'active' | 'rejected' | 'unknown';
export interface ProxyStatus {
  /** Instance id, unique in the mesh: `reviews-v1-1`. */
  readonly instance: string;
  readonly workload: string;
  readonly principal: string;
  readonly connected: boolean;
  readonly envoyVersion: string | null;
  /** Which set each part is to have, and how far it came. */
  readonly parts: { readonly [part in Part]: { readonly set: 'stable' | 'candidate'; readonly phase: ProxyPhase } };
  /** Whether the candidate differs from stable for this proxy. */
  readonly concerned: boolean;
  /** xDS responses sent to it since it connected; a proxy that a release does not concern gets none. */
  readonly responses: number;
  readonly lastError: string | null;
  /** Secrets that it has a use for and that do not serve, or soon will not. Absent: none. */
  readonly secrets?: readonly SecretTrouble[];
}
/** What is wrong with a secret of a proxy: what it names is there for as long as it is so. */
export interface SecretTrouble {
  /** `certificate`: of a listener, with its key; `authorities`: that certificates of clients, or of hosts outside, are verified by. */
  readonly kind: 'certificate' | 'authorities';
  /** As policy names it: `platform/edge-tls`. */
  readonly name: string;
  /** `unusable`: it ended, its key does not fit, or it is none; `ending`: it should have been renewed by now. */
  readonly state: 'missing' | 'unusable' | 'ending';
  /** One line. */
  readonly reason: string;
}
export type RolloutState = 'idle' | 'rolling' | 'holding' | 'converged' | 'aborted' | 'unproven';
export interface RolloutStatus {
  readonly environment: string;
  readonly generation: number;
  readonly release: Digest | null;
  readonly commit: string | null;
  readonly state: RolloutState;
  /** 0-based; null when nothing rolls. */
  readonly step: number | null;
  readonly steps: number;
  readonly wave: number | null;
  /** One line: what it waits for, or why it was aborted. */
  readonly message: string;
  readonly proxies: readonly ProxyStatus[];
  /** Milliseconds since the epoch by the control plane's clock. */
  readonly updatedAt: number;
  readonly startedAt: number | null;
  readonly convergedAt: number | null;
  /** Which set of the live release is in force, and so what the next release must name as `stable`: candidate once converged, else stable. Absent before any release. */
  readonly inForce?: 'stable' | 'candidate';
}
