import type { Gate } from './canary';
import type { kind } from './marks';
import type { Env, Scope, Team } from './names';
import type { AtLeastOne, Duration, NonEmpty, OneOrMore, Percent } from './units';

export interface RolloutSpec {
  readonly for: OneOrMore<Scope>;
  readonly waves: NonEmpty<Percent>;
  readonly hold: Duration;
  readonly gates?: readonly Gate[];
  readonly approve?: { readonly by: Team; readonly above: AtLeastOne<{ readonly lostCalls: number; readonly proxies: number }> };
  readonly only?: NonEmpty<Env>;
}
export interface Rollout extends Scope {
  readonly [kind]: 'rollout';
}
