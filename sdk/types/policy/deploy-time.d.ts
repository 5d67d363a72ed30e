import type { kind } from './marks';
import type { Env, Scope } from './names';
import type { NonEmpty, SemVer } from './units';

/** Who deploys, by an exact name that the cluster or the CI proves. */
export interface Deployer {
  readonly [kind]: 'deployer';
}
/** `acme/books`. */
export type GithubRepository = `${string}/${string}`;
export interface GithubJob {
  readonly repository: GithubRepository;
  /** `main`, without `refs/heads/`. */
  readonly branch: string;
  readonly environment?: string;
}
/** A job of GitHub Actions, by the OIDC token that it presents with a release. To the cluster it is an account as well: a rule over pods names that one too. */
export declare function githubActions(job: GithubJob): Deployer;
/** A group, as the cluster's authentication says it. */
export declare function group(name: string): Deployer;
/** A user by name, as the cluster's authentication says it. */
export declare function kubernetesUser(name: string): Deployer;
/** `ci/deployer`: namespace and service account. */
export declare function kubernetesAccount(ref: `${string}/${string}`): Deployer;
/** `ghcr.io/acme/`: all below a registry and a path. */
export type ImagePrefix = `${string}/`;
export interface ImageRule {
  readonly from: NonEmpty<ImagePrefix>;
  readonly digest: 'required' | 'optional';
  readonly signedBy?: NonEmpty<string>;
}
/** `min` included, `below` not. */
export interface VersionRange {
  readonly min?: SemVer;
  readonly below?: SemVer;
}
/** Of the workload itself: label `app.kubernetes.io/version` of its pods. */
export interface VersionRule extends VersionRange {
  /** What an update of one object may take back. Whoever deletes the object and makes it anew has no version before: `min` holds for that too. */
  readonly downgrade: 'deny' | 'warn';
}
/** Everything said must hold; several rules over one workload all hold. */
export interface DeploySpec {
  /** Any of them. */
  readonly by: NonEmpty<Deployer>;
  readonly images?: ImageRule;
  readonly version?: VersionRule;
  readonly only?: NonEmpty<Env>;
  readonly mode?: 'deny' | 'warn' | 'audit';
}
export type Product = 'istiod' | 'istio-proxy' | 'envoy' | 'kubernetes' | 'gateway-api' | 'jaeger' | 'kiali' | 'prometheus';
/** At least one bound. Written out, so that a mistake prints this name. */
export type ProductRange = { readonly min: SemVer; readonly below?: SemVer } | { readonly min?: SemVer; readonly below: SemVer };
/** `of` may be at most `minor` minor versions older than `behind`, and not newer. */
export interface Skew {
  readonly of: Product;
  readonly behind: Product;
  readonly minor: number;
}
export interface ProductRules {
  readonly ranges: { readonly [K in Product]?: ProductRange };
  readonly skew?: NonEmpty<Skew>;
  readonly only?: NonEmpty<Env>;
  readonly mode?: 'deny' | 'warn' | 'audit';
}
export interface DeployRule extends Scope {
  readonly [kind]: 'deploy';
}
