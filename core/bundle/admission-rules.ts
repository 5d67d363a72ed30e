/**
 * What the webhook evaluates at deploy time: `spec` of the AdmissionRules object, emitted from `deploys` and `versions` of the policies, signed like any
 * other object, and in force when the live release's set in force names it. The installation's own configuration (trust root, who may write a
 * Release) is not in it: what policy says cannot widen who may change policy.
 */
import type { DeployerMatch, Product, RuleMode } from '../mesh/deploy-time';
import type { Principal, RuleId, WorkloadKey } from '../mesh/ids';

export type { DeployerMatch, Product, RuleMode };

/** A range as authors write it: `min` included, `below` not. A prerelease counts only when a bound names one of the same version (npm `semver`). */
export interface VersionRange {
  readonly min?: string;
  readonly below?: string;
}
/** One `deploys(...)`: every workload it covers must satisfy every part. Several rules that cover one workload all hold: the most restrictive wins. */
export interface DeployRule {
  readonly id: RuleId;
  readonly mode: RuleMode;
  /** What it covers: a namespace as a whole, or workloads of it by name. */
  readonly namespace: string;
  /** Absent: the whole namespace. */
  readonly workloads?: readonly string[];
  readonly by: readonly DeployerMatch[];
  readonly images?: {
    /** Prefixes that end with `/`, registry included: `ghcr.io/acme/`. Compared after Docker's aliases are written out. */
    readonly from: readonly string[];
    readonly digest: 'required' | 'optional';
  };
  /** Of the workload itself: label `app.kubernetes.io/version` of its pods. */
  readonly version?: VersionRange & { readonly downgrade: 'deny' | 'warn' };
}
/** A workload that policy declares. With `deploys` or injection in its namespace, a pod of a namespace that policy owns must be one of these. */
export interface DeclaredWorkload {
  readonly workload: WorkloadKey;
  readonly principal: Principal;
  readonly serviceAccount: string;
  /** Declared versions of the services behind it (label `version`); absent: it has none. */
  readonly versions?: readonly string[];
  /** Whether its pods get the agent and Envoy. */
  readonly injected: boolean;
}
export interface ProductRules {
  readonly id: RuleId;
  readonly mode: RuleMode;
  readonly ranges: { readonly [product in Product]?: VersionRange };
  /** `of` may be at most `minor` minor versions older than `behind`, and not newer. */
  readonly skew?: readonly { readonly of: Product; readonly behind: Product; readonly minor: number }[];
}
export interface AdmissionRulesSpec {
  readonly environment: string;
  readonly trustDomain: string;
  /** Namespaces that policy owns, sorted. Lists are absent when they are empty: an object in the Kubernetes API holds no empty list. */
  readonly namespaces?: readonly string[];
  /** By id. */
  readonly deploys?: readonly DeployRule[];
  /** By workload. */
  readonly workloads?: readonly DeclaredWorkload[];
  readonly products?: readonly ProductRules[];
}
/** The one AdmissionRules object of an environment: `AdmissionRules/meshwright/rules`. */
export const admissionRulesName = 'rules';
