import type { AccessCommon, AccessRule, Denial, GrpcAccess, HttpAccess, HttpLimit, Limit, LimitRule, OutsideTlsAccess } from './access';
import type { requestLines } from './marks';
import type { Scope, Team } from './names';
import type { Export, ExportSpec } from './networks';
import type { EnvoyPatch } from './patch';
import type { Delegation, GrpcRoutes, HttpRoutes, Route, TcpRoutes, TlsRoutes } from './routes';
import type { HttpTarget, Layers, PortMap, PortSpec, Protocol, Target } from './targets';

/** The same port in its owner's hands. */
export interface HttpPort<P extends Protocol, V extends string, R extends string> extends Target<P, V, R> {
  allow(rule: HttpAccess<R>): AccessRule;
  deny(rule: Denial): AccessRule;
  route(routes: HttpRoutes<V, R>): Route;
  /** Gives the paths under `/catalog` to a team. */
  delegate(path: `/${string}`, to: Team): Delegation;
  limit(rule: HttpLimit<R>): Limit;
  patch(patch: EnvoyPatch): Scope;
  /** Reached from other networks too. */
  export(rule: ExportSpec): Export;
}
/** For shared helpers: any HTTP port, whatever its versions and contract. */
export interface AnyHttpPort extends HttpTarget {
  allow(rule: HttpAccess<never>): AccessRule;
  deny(rule: Denial): AccessRule;
  route(routes: HttpRoutes<never, never>): Route;
  limit(rule: LimitRule): Limit;
}
export interface GrpcPort<P extends Protocol, V extends string, R extends string> extends Target<P, V, R> {
  allow(rule: GrpcAccess<R>): AccessRule;
  deny(rule: Denial): AccessRule;
  route(routes: GrpcRoutes<V, R>): Route;
  limit(rule: LimitRule): Limit;
  patch(patch: EnvoyPatch): Scope;
  /** Reached from other networks too. */
  export(rule: ExportSpec): Export;
}
export interface TlsPort<P extends Protocol, V extends string> extends Target<P, V, never> {
  allow(rule: AccessCommon): AccessRule;
  deny(rule: Denial): AccessRule;
  route(routes: TlsRoutes<V>): Route;
  patch(patch: EnvoyPatch): Scope;
  /** Reached from other networks too. */
  export(rule: ExportSpec): Export;
}
export interface TcpPort<P extends Protocol, V extends string> extends Target<P, V, never> {
  allow(rule: AccessCommon): AccessRule;
  deny(rule: Denial): AccessRule;
  route(routes: TcpRoutes<V>): Route;
  patch(patch: EnvoyPatch): Scope;
  /** Reached from other networks too. */
  export(rule: ExportSpec): Export;
}
/** TLS to a host outside: nobody else's proxy is at the other end, so the caller's own reads the server name and judges by it. */
export interface OutsideTlsPort<P extends Protocol> extends Target<P, never, never> {
  allow(rule: OutsideTlsAccess): AccessRule;
  deny(rule: Denial): AccessRule;
  route(routes: TlsRoutes<never>): Route;
  patch(patch: EnvoyPatch): Scope;
}
export interface PortByLayer<P extends Protocol, V extends string, R extends string> {
  http: HttpPort<P, V, R>;
  grpc: GrpcPort<P, V, R>;
  tls: TlsPort<P, V>;
  tcp: TcpPort<P, V>;
}
type PortOf<S extends PortSpec, V extends string> = PortByLayer<S['protocol'], V, S[typeof requestLines]>[Layers[S['protocol']]];
export type PortsOf<P extends PortMap, V extends string> = { readonly [K in keyof P]: PortOf<P[K], V> };
type OutsidePortOf<S extends PortSpec> = Layers[S['protocol']] extends 'tls' ? OutsideTlsPort<S['protocol']> : PortOf<S, never>;
export type OutsidePortsOf<P extends PortMap> = { readonly [K in keyof P]: OutsidePortOf<P[K]> };
export type TargetsOf<P extends PortMap, V extends string> = {
  readonly [K in keyof P]: Target<P[K]['protocol'], V, P[K][typeof requestLines]>;
};

export {};
