import type { kind, versionNames } from './marks';
import type { Target } from './targets';
import type { Duration, NonEmpty, Percent } from './units';

export interface Canary<out V extends string> {
  readonly [kind]: 'canary';
  readonly [versionNames]: V;
}
export interface CanarySpec<V extends string> {
  readonly from: V;
  readonly to: V;
  readonly steps: NonEmpty<Percent>;
  readonly every: Duration;
  readonly gates: NonEmpty<Gate>;
}
/** Moves by itself from version to version, and back when a gate fails: Git holds the plan, the release its progress. */
export declare function canary<V extends string>(spec: CanarySpec<NoInfer<V>>): Canary<V>;
export interface Gate {
  readonly [kind]: 'gate';
}
/** All three are required: the silent cases (no data, too few requests) are where roll-outs go wrong. */
export interface GateRule {
  readonly window: Duration;
  readonly minRequests: number;
  readonly noData: 'hold' | 'roll-back';
}
export interface ErrorRate {
  below(limit: Percent, rule: GateRule): Gate;
  notWorseThanBaseline(by: Percent, rule: GateRule): Gate;
}
export interface Latency {
  below(limit: Duration, rule: GateRule): Gate;
  notWorseThanBaseline(by: Percent, rule: GateRule): Gate;
}
export declare function errorRate(of: Target): ErrorRate;
export declare function latency(of: Target, quantile: 'p50' | 'p90' | 'p99'): Latency;
