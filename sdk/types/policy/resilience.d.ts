import type { kind } from './marks';
import type { AtLeastOne, Duration, NonEmpty, Percent } from './units';

/** Why a request is tried again: a word of what went wrong, or a status that the application answers. 403 and what else the mesh itself answers is no reason. */
export type RetryOn =
  | '5xx'
  | 'gateway-error'
  | 'connect-failure'
  | 'reset'
  | 'reset-before-request'
  | 'refused-stream'
  | 'retriable-4xx'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'
  | 'unavailable'
  | 'resource-exhausted'
  | RetryStatus;
export type RetryStatus = 409 | 425 | 500 | 501 | 502 | 503 | 504 | 507 | 508;
/** Before the nth retry: a random time up to `base` doubled n-1 times, never above `max`. */
export interface BackOff {
  readonly base: Duration;
  readonly max: Duration;
}
export interface Retry {
  /** Tries after the first one, so `atMost: 2` is three requests. */
  readonly atMost: 1 | 2 | 3 | 4 | 5;
  readonly perTry: Duration;
  readonly on: NonEmpty<RetryOn>;
  /** Retries may be at most this share of the active requests, and three always; 20% if not said. */
  readonly budget?: Percent;
  /** `{ base: '25ms', max: '250ms' }` if not said. */
  readonly backOff?: BackOff;
  /** A try that takes longer than `perTry` goes on beside the next one, and the first good answer counts. */
  readonly hedge?: true;
  /** `all`: a request may be done twice whatever its method. If not said, POST and PATCH are tried again only where nobody can have begun on them. */
  readonly methods?: 'idempotent' | 'all';
}

/** What takes an endpoint out: counts of failures in a row, or a rate. */
export interface EjectionCauses {
  /** Answers of 500 and above in a row; no answer at all counts too, unless `localFailures` counts those apart. */
  readonly consecutive5xx?: number;
  /** Answers 502, 503 and 504 in a row. */
  readonly gatewayFailures?: number;
  /** Connections refused or reset, and no answer in time, in a row. */
  readonly localFailures?: number;
  readonly successRate?: SuccessRate;
  readonly failureShare?: FailureShare;
}
/** Worse than the mean of the endpoints by so many standard deviations, looked at where there are `hosts` with `requests` each between two looks. */
export interface SuccessRate {
  readonly deviations: number;
  readonly hosts: number;
  readonly requests: number;
}
export interface FailureShare {
  readonly above: Percent;
  readonly hosts: number;
  readonly requests: number;
}
export interface EjectionTerms {
  readonly for: Duration;
  /** An endpoint that fails again stays out longer each time, up to this; `5m` if not said. */
  readonly forAtMost?: Duration;
  /** Share of the endpoints that may be out at once. */
  readonly atMost: Percent;
  /** How often rates are looked at and endpoints let in again; `10s` if not said. */
  readonly every?: Duration;
}
export type Ejection = AtLeastOne<EjectionCauses> & EjectionTerms;

/** Limits of each caller's proxy. `max` and `pending` also hold between the proxy of an instance and its application. */
export interface Limits {
  /** Connections at once. */
  readonly max?: number;
  /** Requests that wait for a connection, where `requests` lets more come than connections carry. */
  readonly pending?: number;
  /** Requests at once, those that wait for the application among them; as many as `max` if not said, of which none waits. */
  readonly requests?: number;
  /** Retries at once, in place of a retry's `budget`. */
  readonly retries?: number;
  readonly connectTimeout?: Duration;
}
export interface Connections extends Limits {
  /** Requests over one connection, after which it is closed. */
  readonly perConnection?: number;
  /** Requests at once over one connection. */
  readonly streams?: number;
  /** A connection without a request for so long is closed. */
  readonly idle?: Duration;
  readonly maxAge?: Duration;
  readonly keepAlive?: KeepAlive;
  readonly ping?: Ping;
}
/** Between proxies, over HTTP/2: a connection on which a PING is not answered is closed, and what is open on it has failed. `every` is at least a second. */
export interface Ping {
  readonly every: Duration;
  readonly timeout: Duration;
}
/** TCP keep-alive, in whole seconds: probes `every` so often once nothing was heard `after` so long. */
export interface KeepAlive {
  readonly after: Duration;
  readonly every: Duration;
  readonly probes: number;
}

export interface HealthTerms {
  readonly every: Duration;
  readonly timeout: Duration;
  /** Good answers in a row; 2 if not said. */
  readonly healthyAfter?: number;
  /** Bad ones in a row; 3 if not said. */
  readonly unhealthyAfter?: number;
}
/** `GET` of a path; any 2xx is good. Whoever may call the port may ask for it. */
export interface HttpHealth extends HealthTerms {
  readonly path: `/${string}`;
  readonly grpc?: never;
  readonly tcp?: never;
}
/** The gRPC health protocol, for one service or for the server as a whole. */
export interface GrpcHealth extends HealthTerms {
  readonly grpc: 'server' | `${string}.${string}`;
  readonly path?: never;
  readonly tcp?: never;
}
/** A connection can be made. */
export interface TcpHealth extends HealthTerms {
  readonly tcp: 'connect';
  readonly path?: never;
  readonly grpc?: never;
}
export type HealthCheck = HttpHealth | GrpcHealth | TcpHealth;

/** What requests have in common that go to one endpoint. */
export interface HashKey {
  readonly [kind]: 'hashKey';
}
export declare function header(name: string): HashKey;
export declare function queryParameter(name: string): HashKey;
/** With a time, the proxy gives the cookie to who has none, for so long; `session`: until the browser closes. Without, who has none goes anywhere. */
export declare function cookie(name: string, made?: Duration | 'session'): HashKey;
/** The address that the request comes from: at a gateway the client's, inside the calling instance's. */
export declare const source: HashKey;
/** Requests with the same key go to the same endpoint as long as it is there. */
export interface HashBalance {
  readonly by: HashKey;
  /** `maglev` if not said; `{ ring: 2048 }` is a ring with at least so many points. */
  readonly with?: 'maglev' | 'ring' | { readonly ring: number };
  /** A new endpoint takes its keys at once. */
  readonly slowStart?: never;
}
/** A new endpoint gets its full share only after this time. */
export interface SlowStart {
  readonly to: 'least-request' | 'round-robin';
  readonly slowStart: Duration;
  readonly by?: never;
}
export type Balance = 'least-request' | 'round-robin' | 'random' | SlowStart | HashBalance;

/** `eu-west`, `eu-west/a`, `eu-west/a/rack-7`: region, zone, sub-zone. */
export type Places = NonEmpty<string>;
/** `network`: the caller's own network first, and others, through their gateways, when it has nobody left. Else the caller's own sub-zone, zone or region first, then what lies around it, then the places named for it in their order, then the rest. */
export interface Prefer {
  readonly prefer: 'network' | 'region' | 'zone' | 'sub-zone';
  readonly failover?: { readonly [from: string]: Places };
  readonly spread?: never;
}
/** Shares of the requests from a place, by place; they add up to 100. */
export interface Spread {
  readonly spread: { readonly [from: string]: { readonly [to: string]: Percent } };
  readonly prefer?: never;
}
export type Locality = 'off' | Prefer | Spread;
