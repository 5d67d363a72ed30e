import type { DeployRule, DeploySpec } from './deploy-time';
import type { Namespace } from './inventory';
import type { identity, kind } from './marks';
import type { Caller, Scope, Team } from './names';
import type { HttpPort, OutsidePortsOf } from './ports';
import type { HostRoutes, Route, TcpRoutes } from './routes';
import type { PortMap, Target } from './targets';
import type { Cidr, NonEmpty, RequestLine } from './units';

export interface Secret {
  readonly [kind]: 'secret';
}
export declare function secret(ref: `${string}/${string}`): Secret;
type HostUnder<H extends string> = H extends `*.${infer Rest}` ? `${string}.${Rest}` : H;
export interface BehindBalancer {
  /**
   * Every connection begins with a PROXY header, by which a load balancer says who dialled it; one without is closed. Whoever else can reach the
   * listener could say anything there: let the balancer alone.
   */
  readonly proxyProtocol?: 'required';
}
/** In the open: whoever is on the way may read and change what is said. `redirect` answers every request with the same address under https. */
export interface HttpListenerSpec extends BehindBalancer {
  readonly protocol: 'http';
  readonly port: number;
  readonly hosts: { readonly [host: string]: Team };
  readonly redirect?: 'https';
  readonly certificate?: never;
}
/** TLS that is not ended here: a connection goes on whole, to where the server name leads that its client asks for. */
export interface TlsListenerSpec extends BehindBalancer {
  readonly protocol: 'tls';
  readonly port: number;
  readonly hosts: { readonly [host: string]: Team };
  readonly certificate?: never;
}
/** Every connection goes on whole. The listener belongs to one team. */
export interface TcpListenerSpec extends BehindBalancer {
  readonly protocol: 'tcp';
  readonly port: number;
  readonly team: Team;
  readonly certificate?: never;
  readonly hosts?: never;
}
/** A host with a certificate of its own, which is shown to whoever asks for it by server name. */
export interface HostWithCertificate {
  readonly team: Team;
  readonly certificate: Secret;
}
/** Each host belongs to one team: nobody else routes it, and no wildcard of another team covers it. */
export interface HttpsListenerSpec extends BehindBalancer {
  readonly protocol?: 'https';
  /** The number that the outside dials. */
  readonly port: number;
  readonly hosts: { readonly [host: string]: Team | HostWithCertificate };
  /** Of the hosts that say none of their own. */
  readonly certificate: Secret;
  readonly clients?: ClientCertificates;
  /** The oldest TLS that is spoken; `1.2` if not said. */
  readonly minTls?: '1.2' | '1.3';
}
/** What clients show of themselves. Who shows a certificate of other authorities gets no connection; what it says is for applications, and no identity of the mesh. */
export interface ClientCertificates {
  /** The authorities that count (`ca.crt` of the secret). */
  readonly trust: Secret;
  /** Whether who shows none gets a connection. */
  readonly certificate: 'required' | 'optional';
}
export type ListenerSpec = TcpListenerSpec | TlsListenerSpec | HttpListenerSpec | HttpsListenerSpec;
export interface ListenerMap {
  readonly [name: string]: ListenerSpec;
}
/** Requests go on to ports that read them: of HTTP, and of gRPC. */
export interface HttpHost extends HttpPort<'http', never, RequestLine> {
  route(routes: HostRoutes): Route;
}
export interface Listener<out H extends string> extends Scope {
  readonly [kind]: 'listener';
  host(name: HostUnder<H>): HttpHost;
}
/** Where connections come in that go on whole, to ports that speak what they carry. */
export interface ConnectionHost<P extends 'tls' | 'tcp'> extends Target<P, never, never> {
  route(routes: TcpRoutes<never>): Route;
}
export interface TlsListener<out H extends string> extends Scope {
  readonly [kind]: 'listener';
  host(name: HostUnder<H>): ConnectionHost<'tls'>;
}
/** A host whose requests are all sent on to https: there is nothing to route, and a policy test may ask where they are sent. */
export type RedirectedHost = Target<'http', never, RequestLine>;
export interface RedirectListener<out H extends string> extends Scope {
  readonly [kind]: 'listener';
  host(name: HostUnder<H>): RedirectedHost;
}
type ListenerOf<S extends ListenerSpec> = S extends { readonly redirect: 'https' }
  ? RedirectListener<keyof S['hosts'] & string>
  : S extends TcpListenerSpec
    ? ConnectionHost<'tcp'>
    : S extends TlsListenerSpec
      ? TlsListener<keyof S['hosts'] & string>
      : Listener<keyof S['hosts'] & string>;
export interface AnyGateway extends Scope, Caller {
  readonly [kind]: 'gateway';
}
export interface Gateway<L extends ListenerMap> extends AnyGateway {
  deploys(rule: DeploySpec): DeployRule;
  readonly listeners: { readonly [K in keyof L]: ListenerOf<L[K]> };
}
export interface GatewaySpec<L extends ListenerMap> {
  readonly serviceAccount: string;
  /** The ways in. A gateway without any is a way out (`through` of an `external`). */
  readonly listeners?: L;
  /** Teams whose hosts outside may be called through it (`through` of an `external`), beside its owner's. Who sees a gateway may not therefore leave by it. */
  readonly wayOutOf?: NonEmpty<Team>;
}
export declare function gateway<const L extends ListenerMap = Record<never, never>>(
  namespace: Namespace,
  name: string,
  spec: GatewaySpec<L>,
): Gateway<L>;
/** Callers that prove no mesh identity; a rule says by which gateway they come. */
export interface Outside {
  readonly [identity]: 'unidentified';
  through(gateway: AnyGateway): Caller;
}
export declare const internet: Outside;
/**
 * Whose connections come to a gateway from these networks, by their own address: a load balancer that makes connections of its own hides it. For `when.from` of
 * a gateway's routes.
 */
export declare function network(name: string, cidrs: NonEmpty<Cidr>): Outside;
export interface HostsOutside<P extends PortMap> {
  readonly team: Team;
  /** Names. A TCP port (`tcp`, `postgres` ...) stands for one host, by name or by IP address. `*.example.com`, any name under it, where all ports are `https` or `grpcs`. */
  readonly hosts: NonEmpty<string>;
  /** The networks that names under a wildcard may lead to, and then no others. Not said: any public address, and none of a network of one's own. */
  readonly at?: NonEmpty<Cidr>;
  readonly addresses?: never;
  readonly ports: P;
  /** The authorities whose certificates count on `https` and `grpcs` ports (`ca.crt` of the secret); those of the system if not said. */
  readonly trust?: Secret;
  /** The gateway that alone dials the hosts: callers reach it over mTLS, and it judges by who they are. */
  readonly through?: AnyGateway;
}
/** What has no names: whoever may call a port of it dials any address of its ranges, and goes there. */
export interface RangesOutside<P extends PortMap> {
  readonly team: Team;
  /**
   * Ranges of addresses. A connection goes to the address and port that the application dialled, so callers are workloads whose connections are captured.
   * What is narrower wins; the mesh's own addresses, loopback, and those of a link or a cloud are not among them.
   */
  readonly addresses: NonEmpty<Cidr>;
  readonly hosts?: never;
  /** Of TCP (`tcp`, `postgres` ...): there is no name to make TLS to. */
  readonly ports: P;
}
export type ExternalSpec<P extends PortMap> = HostsOutside<P> | RangesOutside<P>;
/** Hosts that somebody else runs: the owner here is the team that answers for calling them. Each caller's own proxy decides, since there is no other, or the gateway on the way. */
export interface External<P extends PortMap> extends Scope {
  readonly [kind]: 'external';
  readonly ports: OutsidePortsOf<P>;
}
export declare function external<P extends PortMap>(name: string, spec: ExternalSpec<P>): External<P>;

export {};
