import type { kind } from './marks';
import type { Scope } from './names';
import type { IsoDate, NonEmpty } from './units';

/** Never wider than `at`; an error again from `until` on (today's date is an input of the build, not a clock). */
export interface WaiverSpec {
  readonly at: NonEmpty<Scope>;
  readonly because: string;
  readonly ticket: string;
  readonly until: IsoDate;
}
/** Generated from the catalogue: a code that may not be waived is not here. */
export type Waivable = 'MW4003' | 'MW4011' | 'MW4019' | 'MW4027';
export interface Waiver {
  readonly [kind]: 'waiver';
}
export declare function waive(code: Waivable, waiver: WaiverSpec): Waiver;
