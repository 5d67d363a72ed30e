import type { DeployRule, DeploySpec } from './deploy-time';
import type { kind } from './marks';
import type { Caller, Env, OrPerEnv, Scope, Tags, Team } from './names';
import type { PortsOf } from './ports';
import type { CallerSettings, Settings, Standard, StandardSpec } from './settings';
import type { PortMap, Target } from './targets';
import type { NonEmpty, OneOrMore } from './units';

export interface NamespaceSpec {
  readonly team: Team;
  readonly tags?: Tags;
  readonly settings?: Settings;
  /** How far the move has come: `observe` reads and reports, `shadow` evaluates and counts, `enforce` (the default) enforces. */
  readonly adoption?: OrPerEnv<'observe' | 'shadow' | 'enforce'>;
}
export interface Namespace extends Scope, Caller {
  readonly [kind]: 'namespace';
  readonly name: string;
  standard(spec: StandardSpec): Standard;
  deploys(rule: DeploySpec): DeployRule;
}
export declare function namespace(name: string, spec: NamespaceSpec): Namespace;
export interface Version extends Scope {
  readonly [kind]: 'version';
}

export interface WorkloadSpec {
  /** The identity that rules are about. Two workloads with one account are one caller: MW4019 where a rule tries to tell them apart. */
  readonly serviceAccount: string;
  /** Pod labels, `['app=reviews']`; `app=<name>` if not said. A list, because no type can refuse an empty record. */
  readonly labels?: NonEmpty<`${string}=${string}`>;
  readonly tags?: Tags;
  readonly settings?: Settings;
  /** Exists in these environments only. */
  readonly only?: NonEmpty<Env>;
}
export interface ServiceSpec<P extends PortMap, V extends string> extends WorkloadSpec {
  readonly ports: P;
  readonly versions?: readonly V[];
  /** The pod label that tells versions apart; `version` if not said (Argo Rollouts: `rollouts-pod-template-hash`). */
  readonly versionLabel?: string;
}
/** A stable name, its ports, and the workload behind it: as a caller it means that workload's service account. */
export interface Service<N extends string, P extends PortMap, V extends string> extends Scope, Caller {
  readonly [kind]: 'service';
  readonly name: N;
  readonly ports: PortsOf<P, V>;
  version(name: V): Version;
  /** A need, said by the caller: paired with the owner's allow, and only then does this proxy learn of the target. A caller may be stricter than the owner, never wider. */
  calls(target: OneOrMore<Target>, mine?: CallerSettings): Need;
  deploys(rule: DeploySpec): DeployRule;
}
export declare function service<N extends string, P extends PortMap, V extends string = never>(
  namespace: Namespace,
  name: N,
  spec: ServiceSpec<P, V>,
): Service<N, P, V>;
/** Something that calls and is not called: a consumer, a cron job, a VM. */
export interface Workload extends Scope, Caller {
  readonly [kind]: 'workload';
  readonly name: string;
  calls(target: OneOrMore<Target>, mine?: CallerSettings): Need;
  deploys(rule: DeploySpec): DeployRule;
}
export declare function workload(namespace: Namespace, name: string, spec: WorkloadSpec): Workload;
/** The consumer's side: a shorter timeout, fewer retries; the destination stays the owner's. */
export interface Need extends Scope {
  readonly [kind]: 'need';
}
