/** What an adjudicator is given beside the review: what is live, who is trusted, what time it is. */
import type { DeployerMatch, Product } from '../../core/bundle/admission-rules';
import type { ReleaseSet } from '../../core/bundle/objects';
import type { TrustRoot } from '../../core/bundle/trust';
import type { Digest } from '../../core/lib/digest';
import type { InjectionSettings } from '../inject/settings';
import type { RulesIndex } from './rules-index';
import type { SignatureCache } from './signatures';
import type { TokenVerifier } from './deployer-token';

/** The live release, as far as deletions depend on it. */
export interface LiveSets {
  readonly digest: Digest;
  readonly generation: number;
  readonly stable: ReleaseSet;
  readonly candidate: ReleaseSet;
  /** `<kind>/<namespace>/<resource name>` of what each set names. */
  readonly stableResources: ReadonlySet<string>;
  readonly candidateResources: ReadonlySet<string>;
}

/** The workload rules: those that the live release's set in force names. */
export type RulesInForce =
  | { readonly kind: 'none' }
  | { readonly kind: 'known'; readonly index: RulesIndex }
  /** There are some, and they cannot be had or believed: workloads are refused. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** What is followed from the API server, at one moment. */
export interface StateSnapshot {
  /** Everything was listed once. Nothing is decided by what was never seen. */
  readonly synced: boolean;
  /** The API server was away since: what is known may be old. */
  readonly stale: boolean;
  /** null: there is no release. `unreadable`: there is one, and nobody can say what it names. */
  readonly live: LiveSets | null | 'unreadable';
  readonly rules: RulesInForce;
  readonly terminating: ReadonlySet<string>;
  /** Labels of each namespace. */
  readonly namespaceLabels: ReadonlyMap<string, { readonly [name: string]: string }>;
  /** Versions of what runs, by product; a product that is absent does not run. null: not known, or no rule asks. */
  readonly products: ReadonlyMap<Product, readonly string[]> | null;
}

export interface Trusted {
  readonly root: TrustRoot;
  /** Changes with the file: what was verified by an older one is verified again. */
  readonly version: number;
}

export interface AdmitContext {
  readonly environment: string;
  readonly trust: Trusted;
  readonly signatures: SignatureCache;
  readonly state: StateSnapshot;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Who may write a Release. From the installation, never from policy. */
  readonly releaseDeployers: readonly DeployerMatch[];
  readonly tokens: TokenVerifier;
  /** Usernames of CI jobs that the API server authenticates begin with it; null: it authenticates none. */
  readonly jobUsernamePrefix: string | null;
  /** `system:serviceaccount:meshwright:control-plane` */
  readonly controlPlaneUser: string;
  /** Whoever empties a namespace that is deleted. */
  readonly namespaceControllers: readonly string[];
  /** What the installation decides about sidecars; null: pods get none. */
  readonly injection: InjectionSettings | null;
  /** Images that no workload rule is about, to the letter, beside those of the sidecar in its place. */
  readonly meshImages: ReadonlySet<string>;
}
