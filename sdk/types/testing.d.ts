/** meshwright/testing: runs in the same sandbox as the policies, against core/semantics, in every environment unless one is named. */
import type {
  AnyEastWestGateway,
  AnyGateway,
  Caller,
  Connections,
  Duration,
  EjectionCauses,
  EjectionTerms,
  Env,
  GrpcMethod,
  GrpcStatus,
  HealthTerms,
  Locality,
  Percent,
  RequestLine,
  RetryOn,
  Route,
  Scope,
  Target,
} from './policy';
export interface Claims {
  readonly iss: string;
  readonly [name: string]: string | number | boolean | readonly string[];
}
export interface Question {
  /** A gateway between networks: whether it passes on a connection to `to`, whoever makes it. */
  readonly from: Caller | AnyEastWestGateway;
  readonly to: Target;
  /** One request as on the wire, `GET /reviews/7?page=2`, or a gRPC method; `GET /` if it is left out. */
  readonly request?: RequestLine | GrpcMethod;
  readonly headers?: { readonly [name: string]: string };
  /** Of a connection to a TLS port, or at a gateway between networks: the server name that it asks for. A TCP port is asked about without a request. */
  readonly sni?: string;
  /** Of a connection to a port of ranges outside: the address dialled; one of the port's if not said. */
  readonly address?: string;
  /** What the bearer token says, with its `iss`, where it is valid; or `invalid`. Left out: no token. */
  readonly claims?: Claims | 'invalid';
  /** From outside, at a listener that asks for certificates: what is shown; nothing if not said. */
  readonly certificate?: 'valid' | 'invalid';
  readonly env?: Env;
}
export interface Answer {
  readonly decision: 'allow' | 'deny' | 'mixed';
  readonly because: readonly string[];
}
export declare function ask(question: Question): Answer;
/** Everyone who can reach it with some request: the exhaustive form of a test. */
export declare function callersOf(to: Target, env?: Env): readonly Caller[];
export declare function reachableFrom(from: Caller, env?: Env): readonly Target[];

export interface RetryExpected {
  readonly atMost?: number;
  readonly perTry?: Duration;
  readonly on?: readonly RetryOn[];
  readonly budget?: Percent;
}
export interface RedirectExpected {
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  readonly path?: string;
  readonly status?: 301 | 302 | 303 | 307 | 308;
}
/** What a destination reads, after rewrites and edits of headers. `null`: no such header. */
export interface ArrivalExpected {
  readonly path?: string;
  readonly host?: string;
  readonly headers?: { readonly [name: string]: string | null };
}
/** Any of what settings have: the rest is not looked at. */
export interface ReachExpected {
  readonly connections?: Partial<Connections>;
  readonly eject?: 'none' | Partial<EjectionCauses & EjectionTerms>;
  readonly health?: 'none' | Partial<HealthTerms & { readonly path: string; readonly grpc: string; readonly tcp: 'connect' }>;
  readonly balance?: 'least-request' | 'round-robin' | 'random' | 'hash';
  readonly locality?: Locality;
  readonly panicBelow?: Percent;
}
export interface AnswerMatchers {
  /** Every destination lets it in, or a route rule answers it. */
  toBeAllowed(): void;
  /** Allowed, and the rule is one of those that let it in. */
  toBeAllowedBy(rule: Scope): void;
  /** Nobody lets it in: by a `deny`, by no rule, by a path that is not canonical, by a host that leads nowhere. */
  toBeDenied(): void;
  /** Denied by a `deny`. What no rule allows is denied by no rule: `toBeDenied`. */
  toBeDeniedBy(rule: Scope): void;
  /** Denied, and the caller sees this status: 400 not canonical, 403, 404 no such host, 421 host not served here, 503 a host under a wildcard that is no name. */
  toBeRefusedWith(status: number): void;
  /** A route rule answers by itself (`respond`, `redirect`, `respondGrpc`) with this status, of HTTP or of gRPC, and with this text where one is given. */
  toBeAnsweredWith(status: number | GrpcStatus, text?: string): void;
  /** The route table that decided, and its rule: from 0 in the order written, or `otherwise`. */
  toTakeRoute(route: Route, rule?: number | 'otherwise'): void;
  /** All of it, or this share in percent, goes to a version or a port; or shares by version. */
  toGoTo(where: string | Target, percent?: number): void;
  /** The shares, in percent, by version. */
  toGoTo(shares: { readonly [version: string]: number }): void;
  /** Each destination is a host outside the mesh that this gateway calls for it (`through` of an `external`). */
  toGoThrough(gateway: AnyGateway): void;
  /** The whole request, with its tries, may take so long: the owner's time or a caller's stricter one. */
  toTimeOutAfter(time: Duration | 'none'): void;
  /** The same in other words. */
  toHaveTimeout(time: Duration | 'none'): void;
  /** A connection is closed when nothing was sent for so long. */
  toCloseAfterIdle(time: Duration): void;
  /** It is retried: at most so often, or with what is given. */
  toRetry(wanted?: number | RetryExpected): void;
  /** An address, a path, or any of scheme, host, path and status. */
  toRedirectTo(wanted: string | RedirectExpected): void;
  /** What every destination reads of it. */
  toArriveAs(wanted: ArrivalExpected): void;
  /** A user keeps one of several destinations, by a header's or a cookie's value, or by a cookie that the mesh gives out (`issued`). */
  toStickBy(by: 'header' | 'cookie' | 'issued', name: string): void;
  /** How every destination is reached: limits, ejection, health checks, balancing, nearness. */
  toBeReachedWith(wanted: ReachExpected): void;
  /** All of it, or this share in percent, is copied to a version or a port. */
  toBeMirroredTo(where: string | Target, percent?: number): void;
  /** All of it, or this share in percent, waits so long first. */
  toBeDelayed(time: Duration, percent?: number): void;
  /** All of it, or this share in percent, is answered with this status in place of the application. */
  toBeAborted(status: number | GrpcStatus, percent?: number): void;
}
export interface ValueMatchers<T> {
  /** Handles are equal when they stand for the same thing; lists of handles in any order. */
  toEqual(value: T): void;
  /** A list has this in it. */
  toContain(member: T extends readonly (infer M)[] ? M : never): void;
}
export interface ExpectAnswer extends AnswerMatchers {
  /** Holds when what follows does not. */
  readonly not: AnswerMatchers;
}
export interface ExpectValue<T> extends ValueMatchers<T> {
  readonly not: ValueMatchers<T>;
}
export declare function expect(actual: Answer): ExpectAnswer;
export declare function expect<T>(actual: T): ExpectValue<T>;
/** A name of at most 200 characters, and what is expected. The body answers at once, and runs once in each environment. */
export declare function test(name: string, body: () => void): void;
