/** What a port says of how its callers reach its endpoints: limits, ejection, health, balancing, nearness. The same for every caller, but for what a need makes stricter. */

export interface Resilience {
  readonly connections: Connections;
  readonly eject: Ejection | null;
  readonly health: HealthCheck | null;
  readonly balance: Balance;
  readonly locality: LocalityRule;
  /** Where less than this share of the endpoints is healthy, health is not looked at. 0: it always is. */
  readonly panicBelowPercent: number;
}

/** Limits of one caller's proxy towards all endpoints of the port; null: what Envoy has. `max` and `pending` also hold between a proxy and its application. */
export interface Connections {
  readonly max: number | null;
  readonly pending: number | null;
  /** Requests at once. null: as many as `max`. */
  readonly requests: number | null;
  /** Retries at once. null: the retry's own share. */
  readonly retries: number | null;
  /** Requests that one connection carries before it is closed. */
  readonly perConnection: number | null;
  /** Requests at once over one connection. */
  readonly streams: number | null;
  readonly connectTimeoutMs: number;
  /** A connection without a request for so long is closed. */
  readonly idleMs: number | null;
  readonly maxAgeMs: number | null;
  readonly keepAlive: { readonly afterMs: number; readonly everyMs: number; readonly probes: number } | null;
  /** Over HTTP/2: so often a PING, and so long for its answer. */
  readonly ping: { readonly everyMs: number; readonly timeoutMs: number } | null;
}

/** An endpoint is left out for a time after any of these; at least one is not null. */
export interface Ejection {
  /** Answers of 500 and above in a row, and none at all where `localFailures` does not count those apart. */
  readonly consecutive5xx: number | null;
  /** Answers 502, 503, 504 in a row. */
  readonly gatewayFailures: number | null;
  /** Connections refused or reset, and no answer in time, in a row. */
  readonly localFailures: number | null;
  /** Below the mean of all endpoints by so many standard deviations. */
  readonly successRate: { readonly deviations: number; readonly hosts: number; readonly requests: number } | null;
  readonly failureShare: { readonly abovePercent: number; readonly hosts: number; readonly requests: number } | null;
  /** How often rates are looked at and endpoints are let in again. */
  readonly everyMs: number;
  /** For so long times the number of ejections in a row, and never longer than `forAtMostMs`. */
  readonly forMs: number;
  readonly forAtMostMs: number;
  /** Whole percent of the endpoints that may be out at once, rounded down. */
  readonly atMostPercent: number;
}

export interface HealthCheck {
  readonly by:
    | { readonly kind: 'http'; readonly path: string }
    /** The empty service is the server as a whole. */
    | { readonly kind: 'grpc'; readonly service: string }
    | { readonly kind: 'tcp' };
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly healthyAfter: number;
  readonly unhealthyAfter: number;
}

export type Balance =
  /** A new endpoint gets its full share only after `slowStartMs`. */
  | { readonly kind: 'least-request' | 'round-robin'; readonly slowStartMs: number | null }
  | { readonly kind: 'random' }
  | { readonly kind: 'hash'; readonly by: HashKey; readonly table: HashTable };
/** Header names are lower case. `madeForMs`: the proxy gives a cookie to who has none, for so long; 0 for a session, null: it makes none. */
export type HashKey =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly madeForMs: number | null }
  | { readonly kind: 'source' };
export type HashTable = { readonly kind: 'maglev' } | { readonly kind: 'ring'; readonly atLeast: number };

/** `region`, `region/zone` or `region/zone/sub-zone`. */
export type Place = string;
export type Nearness = 'network' | 'region' | 'zone' | 'sub-zone';
export type LocalityRule =
  | { readonly kind: 'off' }
  /** The caller's own place first, then what is around it, then the places named for it in their order, then the rest. `failover` by `from`. */
  | {
      readonly kind: 'prefer';
      readonly nearness: Nearness;
      readonly failover: readonly { readonly from: Place; readonly to: readonly Place[] }[];
    }
  /** Shares by the caller's place, in whole percent that add up to 100; elsewhere as `off`. By `from`; `to` by place. */
  | { readonly kind: 'spread'; readonly shares: readonly { readonly from: Place; readonly to: readonly PlaceShare[] }[] };
export interface PlaceShare {
  readonly place: Place;
  readonly percent: number;
}

export const noLimits: Connections = {
  max: null,
  pending: null,
  requests: null,
  retries: null,
  perConnection: null,
  streams: null,
  connectTimeoutMs: 2_000,
  idleMs: null,
  maxAgeMs: null,
  keepAlive: null,
  ping: null,
};
/** What holds where nobody said anything. */
export const builtInResilience: Resilience = {
  connections: noLimits,
  eject: null,
  health: null,
  balance: { kind: 'least-request', slowStartMs: null },
  locality: { kind: 'off' },
  panicBelowPercent: 50,
};
/** What Envoy's connection manager has, said once for every route. */
export const builtInIdleMs = 300_000;
export const builtInBackOff = { baseMs: 25, maxMs: 250 } as const;
