/** Settings as they leave the sandbox: how requests are tried, and how callers reach endpoints. */
import type { OrPerEnv, WireDuration, WirePercent } from './declaration';

export interface WireBackOff {
  readonly base: WireDuration;
  readonly max: WireDuration;
}
export interface WireRetry {
  readonly atMost: number;
  readonly perTry: WireDuration;
  readonly on: readonly (string | number)[];
  readonly budget?: WirePercent;
  readonly backOff?: WireBackOff;
  readonly hedge?: boolean;
  readonly methods?: 'idempotent' | 'all';
}
export interface WireLimits {
  readonly max?: number;
  readonly pending?: number;
  readonly requests?: number;
  readonly retries?: number;
  readonly connectTimeout?: WireDuration;
}
export interface WireConnections extends WireLimits {
  readonly perConnection?: number;
  readonly streams?: number;
  readonly idle?: WireDuration;
  readonly maxAge?: WireDuration;
  readonly keepAlive?: { readonly after: WireDuration; readonly every: WireDuration; readonly probes: number };
  readonly ping?: { readonly every: WireDuration; readonly timeout: WireDuration };
}
export interface WireEjection {
  readonly consecutive5xx?: number;
  readonly gatewayFailures?: number;
  readonly localFailures?: number;
  readonly successRate?: { readonly deviations: number; readonly hosts: number; readonly requests: number };
  readonly failureShare?: { readonly above: WirePercent; readonly hosts: number; readonly requests: number };
  readonly for: WireDuration;
  readonly forAtMost?: WireDuration;
  readonly atMost: WirePercent;
  readonly every?: WireDuration;
}
/** One of `path`, `grpc`, `tcp`. */
export interface WireHealth {
  readonly path?: string;
  readonly grpc?: string;
  readonly tcp?: 'connect';
  readonly every: WireDuration;
  readonly timeout: WireDuration;
  readonly healthyAfter?: number;
  readonly unhealthyAfter?: number;
}
export type WireHashKey =
  | { readonly kind: 'header' | 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly made?: WireDuration | 'session' }
  | { readonly kind: 'source' };
export type WireBalance =
  | 'least-request'
  | 'round-robin'
  | 'random'
  | { readonly to: 'least-request' | 'round-robin'; readonly slowStart: WireDuration }
  | { readonly by: WireHashKey; readonly with?: 'maglev' | 'ring' | { readonly ring: number } };
export type WireLocality =
  | 'off'
  | { readonly prefer: 'network' | 'region' | 'zone' | 'sub-zone'; readonly failover?: { readonly [from: string]: readonly string[] } }
  | { readonly spread: { readonly [from: string]: { readonly [to: string]: WirePercent } } };
export interface WireSettings {
  readonly mtls?: OrPerEnv<'strict' | 'permissive'>;
  readonly timeout?: OrPerEnv<WireDuration>;
  readonly idle?: OrPerEnv<WireDuration>;
  readonly retry?: OrPerEnv<WireRetry | 'none'>;
  readonly connections?: OrPerEnv<WireConnections>;
  readonly eject?: OrPerEnv<WireEjection | 'none'>;
  readonly health?: OrPerEnv<WireHealth | 'none'>;
  readonly balance?: OrPerEnv<WireBalance>;
  readonly locality?: OrPerEnv<WireLocality>;
  readonly panicBelow?: OrPerEnv<WirePercent>;
  readonly traceSample?: OrPerEnv<WirePercent>;
}
