import type { kind } from './marks';
import type { Caller, Env, OrPerEnv, Scope, Tags } from './names';
import type { Balance, Connections, Ejection, HealthCheck, Limits, Locality, Retry } from './resilience';
import type { AtLeastOne, Duration, NonEmpty, OneOrMore, Percent } from './units';
import type { Waiver, WaiverSpec } from './waivers';

// mesh > namespace > service > route rule; the nearest wins, whole field by whole field
export interface Settings {
  /** `strict` if not said. `permissive` is refused by name: an allow names who proves an identity, so nobody else could be let in. */
  readonly mtls?: OrPerEnv<'strict' | 'permissive'>;
  readonly timeout?: OrPerEnv<Duration>;
  /** Nothing is sent, neither way, for so long: the request ends; `5m` if not said. */
  readonly idle?: OrPerEnv<Duration>;
  readonly retry?: OrPerEnv<Retry | 'none'>;
  readonly connections?: OrPerEnv<Connections>;
  readonly eject?: OrPerEnv<Ejection | 'none'>;
  readonly health?: OrPerEnv<HealthCheck | 'none'>;
  readonly balance?: OrPerEnv<Balance>;
  readonly locality?: OrPerEnv<Locality>;
  /** Where a smaller share of the endpoints is healthy, health is not looked at; `50%` if not said, `0%`: it always is. */
  readonly panicBelow?: OrPerEnv<Percent>;
  readonly traceSample?: OrPerEnv<Percent>;
}
/** What teams choose within; outside is an error on the team's line, with the bound's line beside it: never a silent override. */
export interface Bounds {
  readonly mtls?: 'strict';
  readonly timeout?: { readonly max: Duration };
  readonly idle?: { readonly max: Duration };
  readonly retries?: { readonly max: number };
  /** Of a retry's share. */
  readonly budget?: { readonly max: Percent };
  /** Connections at once that one caller may have. */
  readonly connections?: { readonly max: number };
  /** Share of the endpoints that may be out at once. */
  readonly eject?: { readonly max: Percent };
  readonly internet?: 'user-required';
}
export type Mode = 'enforce' | 'shadow';
export interface StandardSpec {
  readonly for: OneOrMore<Scope>;
  readonly defaults?: AtLeastOne<Settings>;
  readonly bounds?: AtLeastOne<Bounds>;
  readonly only?: NonEmpty<Env>;
  readonly mode?: Mode;
}
/** Attached from outside, so nobody has to remember to call it. Two that set one field for one service at one level are an error. */
export interface Standard extends Scope {
  readonly [kind]: 'standard';
  waive(waiver: WaiverSpec): Waiver;
}
export interface Selection extends Scope, Caller {
  readonly [kind]: 'selection';
}
/** The services that carry all of these tags: closed vocabulary, at least one tag, an error if nothing carries it. */
export declare function tagged(tags: AtLeastOne<Tags>): Selection;
/** A caller may be stricter than the owner: shorter times, fewer and rarer tries, smaller limits. */
export interface CallerSettings {
  readonly timeout?: OrPerEnv<Duration>;
  readonly idle?: OrPerEnv<Duration>;
  readonly retry?: OrPerEnv<Retry | 'none'>;
  readonly connections?: OrPerEnv<Limits>;
}
