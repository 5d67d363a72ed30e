import type { Canary } from './canary';
import type { User } from './identity';
import type { kind } from './marks';
import type { Caller, Env, OrPerEnv, Scope } from './names';
import type { Retry } from './resilience';
import type { HttpTarget, HttpVersion, Target, TargetVersion } from './targets';
import type { AtLeastOne, Duration, NonEmpty, OneOrMore, Percent, RequestLine } from './units';

export interface TextMatch {
  readonly [kind]: 'text';
}
export declare function prefix(text: string): TextMatch;
export declare function pattern(re2: string): TextMatch;
export declare function present(): TextMatch;
/** A header that is not there, or says something else. For routes alone: who is let in is never decided by what is not said. */
export interface Negated {
  readonly [kind]: 'not';
}
export declare function not(match: string | TextMatch): Negated;
export interface HeaderConditions {
  readonly [name: string]: string | TextMatch | Negated;
}
/** A plain string matches exactly. */
export interface TextFields {
  readonly [name: string]: string | TextMatch;
}
/** All that are given must hold. */
export interface HttpConditions<R extends string> {
  readonly request?: OneOrMore<R>;
  /** `host` is the Host header without its port, matched exactly. */
  readonly headers?: HeaderConditions;
  readonly query?: TextFields;
  readonly cookies?: TextFields;
  readonly from?: OneOrMore<Caller>;
  readonly user?: User;
}
// Written out: the mapped `AtLeastOne<HttpConditions<R>>` says the same, and doubled the check time of 1,000 routes.
interface ByRequest<R extends string> extends HttpConditions<R> {
  readonly request: OneOrMore<R>;
}
interface ByHeaders<R extends string> extends HttpConditions<R> {
  readonly headers: HeaderConditions;
}
interface ByQuery<R extends string> extends HttpConditions<R> {
  readonly query: TextFields;
}
interface ByCookies<R extends string> extends HttpConditions<R> {
  readonly cookies: TextFields;
}
interface ByCaller<R extends string> extends HttpConditions<R> {
  readonly from: OneOrMore<Caller>;
}
interface ByUser<R extends string> extends HttpConditions<R> {
  readonly user: User;
}
export type AtLeastOneCondition<R extends string> = ByRequest<R> | ByHeaders<R> | ByQuery<R> | ByCookies<R> | ByCaller<R> | ByUser<R>;
export interface GrpcConditions<R extends string> {
  readonly method?: OneOrMore<R>;
  readonly headers?: TextFields;
  readonly from?: OneOrMore<Caller>;
  readonly user?: User;
}
interface ByMethod<R extends string> extends GrpcConditions<R> {
  readonly method: OneOrMore<R>;
}
interface ByMetadata<R extends string> extends GrpcConditions<R> {
  readonly headers: TextFields;
}
interface ByGrpcCaller<R extends string> extends GrpcConditions<R> {
  readonly from: OneOrMore<Caller>;
}
interface ByGrpcUser<R extends string> extends GrpcConditions<R> {
  readonly user: User;
}
export type AtLeastOneGrpcCondition<R extends string> = ByMethod<R> | ByMetadata<R> | ByGrpcCaller<R> | ByGrpcUser<R>;
export interface TlsConditions {
  readonly sni: OneOrMore<string>;
  readonly from?: OneOrMore<Caller>;
}
export interface TcpConditions {
  readonly from: OneOrMore<Caller>;
}

/** Shares in percent; they add up to 100 in every environment (checked). */
export type Weights<V extends string> = { readonly [K in V]?: OrPerEnv<number> };
type Versioned<V extends string> = [V] extends [never] ? never : V | Weights<V> | Canary<V>;
export interface Action {
  readonly [kind]: 'action';
}
export declare function respond(status: number, body?: string): Action;
export interface RedirectSpec {
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  readonly port?: number;
  /** Whole, or with the parameters of the rule's requests: `/new/{rest...}`. The query stays. */
  readonly path?: string;
  readonly status?: 301 | 302 | 303 | 307 | 308;
}
export declare function redirect(to: AtLeastOne<RedirectSpec>): Action;
/** The statuses of the gRPC protocol that are no success. */
export type GrpcStatus =
  | 'cancelled'
  | 'unknown'
  | 'invalid-argument'
  | 'deadline-exceeded'
  | 'not-found'
  | 'already-exists'
  | 'permission-denied'
  | 'resource-exhausted'
  | 'failed-precondition'
  | 'aborted'
  | 'out-of-range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'data-loss'
  | 'unauthenticated';
/** An answer in the words of gRPC: for gRPC ports. */
export interface GrpcAnswer {
  readonly [kind]: 'grpcAnswer';
}
/** What a call on a gRPC port is answered with, as `respond` is on an HTTP one; at a gateway, where both come in, `respond(503)` is heard as `unavailable`. */
export declare function respondGrpc(status: GrpcStatus, message?: string): GrpcAnswer;
/** Edits of what goes to one destination of a split, and of what comes back; headers come before those of the rule, a rewrite in place of its own. */
export type DestinationEdits = AtLeastOne<{
  readonly rewrite?: RewriteSpec;
  readonly requestHeaders?: HeaderEdit;
  readonly responseHeaders?: HeaderEdit;
}>;
export declare function split(
  ...shares: NonEmpty<readonly [to: Target | TargetVersion, percent: OrPerEnv<number>, edits?: DestinationEdits]>
): Action;
/** A version, weights over versions, a canary; another service's port; an answer. */
export type HttpDestination<V extends string> = Versioned<V> | HttpTarget | HttpVersion | Action;
export type GrpcDestination<V extends string> = Versioned<V> | Target<'grpc'> | TargetVersion<'grpc'> | Action | GrpcAnswer;
export type TcpDestination<V extends string> = Versioned<V> | Target | TargetVersion | Action;

/** At least one of the three. */
export type HeaderEdit = AtLeastOne<{
  readonly set?: { readonly [name: string]: string };
  readonly add?: { readonly [name: string]: string };
  readonly remove?: NonEmpty<string>;
}>;
/** A key of the request, whose value chooses; or a cookie that the mesh gives out. */
export type Sticky =
  | { readonly header: string; readonly cookie?: never; readonly issue?: never }
  | { readonly cookie: string; readonly header?: never; readonly issue?: never }
  | { readonly issue: string; readonly for?: Duration; readonly header?: never; readonly cookie?: never };
/** `to`: a version of the port, or another service's port. */
export interface MirrorSpec<V extends string> {
  readonly to: V | HttpTarget | HttpVersion;
  readonly share: OrPerEnv<Percent>;
}
type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
type NumberIn<T extends string> = T extends `${infer N extends number}` ? N : never;
/** From 200 to 599, without those that have no body (204, 205, 304): an abort has one. */
export type AbortStatus = Exclude<NumberIn<`${2 | 3 | 4 | 5}${Digit}${Digit}`>, 204 | 205 | 304>;
/** Delay, then abort; each falls on its share of the requests, whatever the other does. At least one of the two. */
export type FaultSpec = AtLeastOne<{
  readonly delay?: { readonly for: Duration; readonly share: OrPerEnv<Percent> };
  readonly abort?: { readonly status: AbortStatus; readonly share: OrPerEnv<Percent> };
}>;
/** What the destination reads, at least one of the two. A path is whole, or has the parameters of the rule's requests: `/new/{rest...}`. */
export type RewriteSpec = AtLeastOne<{
  readonly path?: string;
  readonly host?: string;
}>;
export interface HttpElse<V extends string> {
  readonly to: HttpDestination<V>;
  readonly timeout?: OrPerEnv<Duration>;
  readonly idle?: OrPerEnv<Duration>;
  readonly retry?: OrPerEnv<Retry | 'none'>;
  /** By what a user keeps one destination of several. */
  readonly sticky?: Sticky;
  /** Copies whose answers nobody waits for. */
  readonly mirror?: OneOrMore<MirrorSpec<V>>;
  readonly fault?: FaultSpec;
  readonly rewrite?: RewriteSpec;
  readonly requestHeaders?: HeaderEdit;
  readonly responseHeaders?: HeaderEdit;
}
export interface HttpRule<V extends string, R extends string> extends HttpElse<V> {
  readonly when: AtLeastOneCondition<R>;
  readonly only?: NonEmpty<Env>;
}
/** Cross-origin requests: a preflight request is answered by the mesh, before any rule. */
export interface CorsSpec {
  /** `https://shop.example`, `pattern(...)`, or `any`. */
  readonly origins: NonEmpty<string | TextMatch> | 'any';
  readonly methods: NonEmpty<'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'>;
  readonly headers?: NonEmpty<string>;
  /** Headers of the answer that a page may read. */
  readonly exposed?: NonEmpty<string>;
  readonly credentials?: boolean;
  readonly maxAge?: Duration;
}
/** The first match wins. `otherwise` is required: nothing falls through unsaid. */
export interface HttpRoutes<V extends string, R extends string> {
  readonly cors?: CorsSpec;
  readonly rules?: readonly HttpRule<V, R>[];
  readonly otherwise: HttpElse<V>;
}
/** At a gateway, where calls of gRPC come in beside other requests: to ports of either, or an answer. */
export type HostDestination = HttpDestination<never> | Target<'grpc'> | TargetVersion<'grpc'>;
export interface HostElse extends Omit<HttpElse<never>, 'to'> {
  readonly to: HostDestination;
}
/** A gRPC method is a request: `{ when: { request: 'POST /shop.v1.Cart/Get' }, to: cart.ports.api }`. */
export interface HostRule extends HostElse {
  readonly when: AtLeastOneCondition<RequestLine>;
  readonly only?: NonEmpty<Env>;
}
export interface HostRoutes {
  readonly cors?: CorsSpec;
  readonly rules?: readonly HostRule[];
  readonly otherwise: HostElse;
}
export interface GrpcMirrorSpec<V extends string> {
  readonly to: V | Target<'grpc'> | TargetVersion<'grpc'>;
  readonly share: OrPerEnv<Percent>;
}
/** As in `FaultSpec`; a call that is aborted is answered with a status of gRPC. */
export type GrpcFaultSpec = AtLeastOne<{
  readonly delay?: { readonly for: Duration; readonly share: OrPerEnv<Percent> };
  readonly abort?: { readonly status: GrpcStatus; readonly share: OrPerEnv<Percent> };
}>;
/** By whose value in the metadata of a call one destination of several is kept. */
export interface GrpcSticky {
  readonly header: string;
}
export interface GrpcElse<V extends string> {
  readonly to: GrpcDestination<V>;
  readonly timeout?: OrPerEnv<Duration>;
  readonly idle?: OrPerEnv<Duration>;
  readonly retry?: OrPerEnv<Retry | 'none'>;
  readonly sticky?: GrpcSticky;
  readonly mirror?: OneOrMore<GrpcMirrorSpec<V>>;
  readonly fault?: GrpcFaultSpec;
  /** Metadata that a call begins with. */
  readonly requestHeaders?: HeaderEdit;
  /** Metadata that an answer begins with; trailers stay as they are. */
  readonly responseHeaders?: HeaderEdit;
}
export interface GrpcRule<V extends string, R extends string> extends GrpcElse<V> {
  readonly when: AtLeastOneGrpcCondition<R>;
  readonly only?: NonEmpty<Env>;
}
export interface GrpcRoutes<V extends string, R extends string> {
  readonly rules?: readonly GrpcRule<V, R>[];
  readonly otherwise: GrpcElse<V>;
}
export interface TcpElse<V extends string> {
  readonly to: TcpDestination<V>;
  readonly idle?: OrPerEnv<Duration>;
}
export interface TlsRule<V extends string> extends TcpElse<V> {
  readonly when: TlsConditions | TcpConditions;
  readonly only?: NonEmpty<Env>;
}
export interface TlsRoutes<V extends string> {
  readonly rules?: readonly TlsRule<V>[];
  readonly otherwise: TcpElse<V>;
}
export interface TcpRule<V extends string> extends TcpElse<V> {
  readonly when: TcpConditions;
  readonly only?: NonEmpty<Env>;
}
export interface TcpRoutes<V extends string> {
  readonly rules?: readonly TcpRule<V>[];
  readonly otherwise: TcpElse<V>;
}
/** The paths under one prefix of a port or host, given to another team, which routes them with `routeUnder`. */
export interface Delegation extends Scope {
  readonly [kind]: 'delegation';
}
export declare function routeUnder(delegation: Delegation, routes: HttpRoutes<never, RequestLine>): Route;
export interface Route extends Scope {
  readonly [kind]: 'route';
}

export {};
