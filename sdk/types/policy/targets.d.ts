import type { kind, requestLines, versionNames } from './marks';
import type { OrPerEnv, Scope } from './names';
import type { Duration, GrpcMethod, NonEmpty, RequestLine } from './units';

/** What a rule may say depends on the layer alone. */
export interface Layers {
  http: 'http';
  http2: 'http';
  websocket: 'http';
  grpc: 'grpc';
  tls: 'tls';
  tcp: 'tcp';
  kafka: 'tcp';
  amqp: 'tcp';
  mongo: 'tcp';
  mysql: 'tcp';
  postgres: 'tcp';
  redis: 'tcp';
}
export type Protocol = keyof Layers;

export interface PortSpec<out P extends Protocol = Protocol, out R extends string = string> {
  readonly protocol: P;
  readonly number: number;
  readonly [requestLines]: R;
}
export interface HttpPortSpec<R extends string> {
  /** The contract. If it is given, routes and rules may name these only; `import openapi` writes it. */
  readonly requests?: NonEmpty<R>;
  /** How the application reads URLs: decides normalisation and guards in front of it. */
  readonly urls?: 'rfc3986' | 'servlet' | 'case-insensitive';
}
export interface GrpcPortSpec<R extends string> {
  readonly methods?: NonEmpty<R>;
}
export declare function http<R extends RequestLine = RequestLine>(port: number, spec?: HttpPortSpec<R>): PortSpec<'http', R>;
export declare function http2<R extends RequestLine = RequestLine>(port: number, spec?: HttpPortSpec<R>): PortSpec<'http2', R>;
/** Outside only: verified TLS is originated, so rules may still speak of requests. */
export declare function https<R extends RequestLine = RequestLine>(port: number, spec?: HttpPortSpec<R>): PortSpec<'http', R>;
export declare function grpc<R extends GrpcMethod = GrpcMethod>(port: number, spec?: GrpcPortSpec<R>): PortSpec<'grpc', R>;
export interface ConnectionPortSpec {
  /** The application reads a PROXY header first, which says from where its proxy was dialled. It has to expect one: without it, it would read garbage. */
  readonly proxyProtocol?: 'v1' | 'v2';
}
/** Outside only: gRPC over verified TLS that the proxy makes. */
export declare function grpcs<R extends GrpcMethod = GrpcMethod>(port: number, spec?: GrpcPortSpec<R>): PortSpec<'grpc', R>;
/** TLS passed through: matched by SNI, never opened. */
export declare function tls(port: number, spec?: ConnectionPortSpec): PortSpec<'tls', never>;
export declare function tcp(port: number, spec?: ConnectionPortSpec): PortSpec<'tcp', never>;
export interface WebSocketPortSpec<R extends string> extends HttpPortSpec<R> {
  /** How long a socket may live, an hour if not said: access that is taken away ends with it at the latest. */
  readonly maxAge?: OrPerEnv<Duration>;
}
/** HTTP whose requests may be upgraded to a WebSocket; on any other port an upgrade is refused. */
export declare function websocket<R extends RequestLine = RequestLine>(port: number, spec?: WebSocketPortSpec<R>): PortSpec<'websocket', R>;
export interface KafkaPortSpec {
  /** The versions of the service that are brokers: a client addresses each of them by itself, as its cluster's metadata say. */
  readonly brokers?: NonEmpty<string>;
}
export declare function kafka(port: number, spec?: KafkaPortSpec): PortSpec<'kafka', never>;
export declare function amqp(port: number): PortSpec<'amqp', never>;
export declare function mongo(port: number): PortSpec<'mongo', never>;
export declare function mysql(port: number, spec?: ConnectionPortSpec): PortSpec<'mysql', never>;
export declare function postgres(port: number): PortSpec<'postgres', never>;
export declare function redis(port: number): PortSpec<'redis', never>;
export interface PortMap {
  readonly [name: string]: PortSpec;
}

/** A port as anybody may name it: as destination, in a guarantee, in a question. */
export interface Target<out P extends Protocol = Protocol, out V extends string = string, out R extends string = string> extends Scope {
  readonly protocol: P;
  /** Its endpoints of one version, as the destination of another port's routes. */
  version(name: V): TargetVersion<P>;
  readonly [versionNames]: V;
  readonly [requestLines]: R;
}
export interface TargetVersion<out P extends Protocol = Protocol> {
  readonly [kind]: 'version of a port';
  readonly protocol: P;
}
export type HttpVersion = TargetVersion<'http' | 'http2' | 'websocket'>;
export type HttpTarget = Target<'http' | 'http2' | 'websocket'>;
