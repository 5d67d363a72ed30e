import type { kind } from './marks';
import type { Caller, Env, OrPerEnv, Scope, Tags } from './names';
import type { AtLeastOne, Duration, NonEmpty, OneOrMore, Percent } from './units';
import type { Waiver, WaiverSpec } from './waivers';

// mesh > namespace > service > route rule; the nearest wins, whole field by whole field
/** Of HTTP answers, of connections, and of gRPC statuses. */
export type RetryOn =
  | '5xx'
  | 'gateway-error'
  | 'connect-failure'
  | 'reset'
  | 'retriable-4xx'
  | 'unavailable'
  | 'resource-exhausted'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal';
export interface Retry {
  /** Tries after the first one, so `atMost: 2` is three requests. */
  readonly atMost: 1 | 2 | 3 | 4 | 5;
  readonly perTry: Duration;
  readonly on: NonEmpty<RetryOn>;
  /** Retries may be at most this share of the active requests; 20% if not said. */
  readonly budget?: Percent;
}
export interface Ejection {
  readonly consecutive5xx: number;
  readonly for: Duration;
  readonly atMost: Percent;
}
export interface Connections {
  readonly max: number;
  readonly pending?: number;
}
export interface Settings {
  readonly mtls?: OrPerEnv<'strict' | 'permissive'>;
  readonly timeout?: OrPerEnv<Duration>;
  readonly retry?: OrPerEnv<Retry | 'none'>;
  readonly connections?: OrPerEnv<Connections>;
  readonly eject?: OrPerEnv<Ejection | 'none'>;
  readonly traceSample?: OrPerEnv<Percent>;
}
/** What teams choose within; outside is an error on the team's line, with the bound's line beside it: never a silent override. */
export interface Bounds {
  readonly mtls?: 'strict';
  readonly timeout?: { readonly max: Duration };
  readonly retries?: { readonly max: number };
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
export interface CallerSettings {
  readonly timeout?: OrPerEnv<Duration>;
  readonly retry?: OrPerEnv<Retry | 'none'>;
  readonly connections?: OrPerEnv<Connections>;
}
