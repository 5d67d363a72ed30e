import type { AnyGateway } from './gateways';
import type { User } from './identity';
import type { kind } from './marks';
import type { Anyone, Caller, Scope } from './names';
import type { AtLeastOne, Duration, OneOrMore } from './units';
import type { Waiver, WaiverSpec } from './waivers';

export interface NeverClaim {
  readonly from: OneOrMore<Caller> | Anyone;
  readonly to: OneOrMore<Scope>;
}
export interface AlwaysClaim extends NeverClaim {
  readonly holds: AtLeastOne<{ readonly user: User; readonly mtls: 'strict'; readonly timeoutBelow: Duration }>;
}
export interface OnlyThroughClaim {
  readonly to: OneOrMore<Scope>;
  readonly through: OneOrMore<AnyGateway | Caller>;
}
/** Whoever stated it may waive it. */
export interface Guarantee extends Scope {
  readonly [kind]: 'guarantee';
  waive(waiver: WaiverSpec): Waiver;
}
/** Proved for every request, or refuted with one. */
export declare function never(claim: NeverClaim): Guarantee;
export declare function always(claim: AlwaysClaim): Guarantee;
export declare function onlyThrough(claim: OnlyThroughClaim): Guarantee;
