import type { DeployRule, ProductRules } from './deploy-time';
import type { kind } from './marks';
import type { MeshNames, Named, Scope } from './names';
import type { Rollout, RolloutSpec } from './rollout';
import type { Standard, StandardSpec } from './settings';
import type { NonEmpty, SemVer } from './units';

export interface MeshSpec {
  readonly trustDomain: string;
  readonly environments: NonEmpty<string>;
  /** A team owns its folder `policies/<team>/` and these namespaces; a rule on something of another team is MW3107, wherever it was written. */
  readonly teams: { readonly [team: string]: { readonly namespaces: readonly string[]; readonly contact?: string } };
  /** The closed vocabulary that standards select on. */
  readonly tags?: { readonly [tag: string]: NonEmpty<string> };
  /** What runs, as an input: a feature that it cannot enforce is an error. */
  readonly runs: { readonly envoy: SemVer; readonly istio?: SemVer; readonly kubernetes?: SemVer };
  /** Rules that stay in YAML for now: read, checked for conflicts, part of every answer and diff, never emitted. */
  readonly alongside?: { readonly istio?: NonEmpty<string>; readonly gatewayApi?: NonEmpty<string> };
}
type NamesOf<S extends MeshSpec> = {
  readonly env: S['environments'][number];
  readonly team: keyof S['teams'] & string;
  readonly tags: S extends { readonly tags: infer G extends { readonly [tag: string]: NonEmpty<string> } }
    ? { readonly [K in keyof G]: G[K][number] }
    : {};
};
export interface Mesh<out N extends MeshNames = MeshNames> extends Scope, Named<N> {
  readonly [kind]: 'mesh';
  standard(spec: StandardSpec): Standard;
  versions(products: ProductRules): DeployRule;
  rollout(spec: RolloutSpec): Rollout;
}
export declare function defineMesh<const S extends MeshSpec>(spec: S): Mesh<NamesOf<S>>;

export {};
