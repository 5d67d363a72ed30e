import type { kind } from './marks';
import type { Env, Scope } from './names';
import type { AtLeastOne, NonEmpty, SemVer } from './units';

export interface Deployer {
  readonly [kind]: 'deployer';
}
export interface GithubJob {
  readonly repository: `${string}/${string}`;
  readonly branch: string;
  readonly environment?: string;
}
export declare function githubActions(job: GithubJob): Deployer;
export declare function group(name: string): Deployer;
export declare function kubernetesAccount(ref: `${string}/${string}`): Deployer;
export interface ImageRule {
  readonly from: NonEmpty<string>;
  readonly digest: 'required' | 'optional';
  readonly signedBy?: NonEmpty<string>;
}
export interface VersionRange {
  readonly min?: SemVer;
  readonly below?: SemVer;
}
export interface VersionRule extends VersionRange {
  readonly downgrade: 'deny' | 'warn';
}
export interface DeploySpec {
  readonly by: NonEmpty<Deployer>;
  readonly images?: ImageRule;
  readonly version?: VersionRule;
  readonly only?: NonEmpty<Env>;
  readonly mode?: 'deny' | 'warn' | 'audit';
}
export type Product = 'istiod' | 'istio-proxy' | 'envoy' | 'kubernetes' | 'gateway-api' | 'jaeger' | 'kiali' | 'prometheus';
export interface Skew {
  readonly of: Product;
  readonly behind: Product;
  readonly minor: number;
}
export interface ProductRules {
  readonly ranges: AtLeastOne<{ readonly [K in Product]?: AtLeastOne<VersionRange> }>;
  readonly skew?: NonEmpty<Skew>;
}
export interface DeployRule extends Scope {
  readonly [kind]: 'deploy';
}
