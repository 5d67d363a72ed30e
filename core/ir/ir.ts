/**
 * The mesh IR: one environment of one mesh, normalised. References are resolved, `per()` is gone, settings have their effective values, every
 * list is in a total order (stated beside it), and two policies that mean the same have the same canonical bytes. No origin, commit or time is in it.
 */
import type { DeployerMatch, Product, RuleMode } from '../mesh/deploy-time';
import type { PortKey, Principal, RuleId, WorkloadKey } from '../mesh/ids';
import type { Json } from '../lib/json';
import type { Networks } from './networks';
import type { Resilience } from './resilience';

export interface MeshIr {
  readonly version: 'meshwright.ir/1';
  readonly environment: string;
  readonly trustDomain: string;
  /** What the policy says it runs on: an input of emission. */
  readonly runs: { readonly envoy: string };
  /** By name. */
  readonly teams: readonly { readonly name: string; readonly namespaces: readonly string[] }[];
  /** By name. */
  readonly namespaces: readonly Namespace[];
  /** Everything with an identity: what stands behind services, bare workloads, gateways. By key. */
  readonly workloads: readonly Workload[];
  /** What is called by name, hosts outside the mesh included. By key. */
  readonly services: readonly Service[];
  /** By key. */
  readonly gateways: readonly Gateway[];
  /** Who says who an end user is. By name. */
  readonly issuers: readonly Issuer[];
  /** By id; order has no meaning. */
  readonly access: readonly AccessRule[];
  /** Exactly one for each http- and grpc-layer service port, synthesised where the owner wrote none (`id` null). By port. */
  readonly routes: readonly RouteTable[];
  /** The same for each tcp- and tls-layer port, whose connections are routed whole. By port. */
  readonly connectionRoutes: readonly ConnectionRoutes[];
  /** By gateway, listener, host. */
  readonly hostRoutes: readonly HostRoutes[];
  /** The same for listeners whose connections are routed whole. By gateway, listener, host. */
  readonly hostConnections: readonly HostConnections[];
  /** By id. */
  readonly needs: readonly Need[];
  /** By id. */
  readonly guarantees: readonly Guarantee[];
  /** By id. */
  readonly patches: readonly Patch[];
  /** By id; every rule that covers a workload holds. */
  readonly deploys: readonly DeployRule[];
  /** By id; every one holds. */
  readonly products: readonly ProductRule[];
  readonly rollout: Rollout;
  /** Absent: nothing is reached from another network. */
  readonly networks?: Networks;
}

export interface Namespace {
  readonly id: RuleId;
  readonly name: string;
  readonly team: string;
  readonly adoption: 'observe' | 'shadow' | 'enforce';
}
export interface Workload {
  readonly id: RuleId;
  readonly key: WorkloadKey;
  /** `east-west`: it passes on what others say, and says nothing of its own. */
  readonly kind: 'service' | 'workload' | 'gateway' | 'east-west';
  readonly team: string;
  readonly serviceAccount: string;
  readonly principal: Principal;
  /** Pod labels `name=value`, sorted. */
  readonly labels: readonly string[];
  readonly tags: { readonly [tag: string]: string };
}
export type Layer = 'http' | 'grpc' | 'tls' | 'tcp';
export interface Service {
  readonly id: RuleId;
  /** Also the key of the workload behind it. */
  readonly key: WorkloadKey;
  readonly team: string;
  readonly versions: readonly string[];
  readonly versionLabel: string;
  /** By name. */
  readonly ports: readonly ServicePort[];
  /** Present: hosts that somebody else runs. No workload of the mesh stands behind, so the caller's proxy decides, or a gateway; the key is `outside/<name>`. */
  readonly outside?: Outside;
}
export interface Outside {
  /**
   * Exact, lower case; an IP address only where no port has names; where a proxy makes the TLS on all ports also `*.` and a domain, for any name under it
   * that nobody else names closer. Sorted; what is sent goes to the one that it addresses. Empty where there are
   * `addresses`.
   */
  readonly hosts: readonly string[];
  /** Present: the networks that names under its wildcards may lead to, and no others; absent: public addresses. Canonical, sorted. */
  readonly at?: readonly string[];
  /** Present: ranges in place of hosts. A connection goes to the address that was dialled, which is all that it is known by. Canonical (core/lib/network.ts), sorted, at least one. */
  readonly addresses?: readonly string[];
  /** `namespace/name` of the authorities whose certificates count on `https` ports; null: those of the system. */
  readonly trust: string | null;
  /** The gateway that alone dials the hosts and judges who may; null: each caller's own proxy does. */
  readonly through: WorkloadKey | null;
}
export interface ServicePort {
  readonly key: PortKey;
  readonly name: string;
  /** `https` and `grpcs` only outside the mesh: the application speaks HTTP to its proxy, and the last proxy TLS to the host. */
  readonly protocol: string;
  readonly layer: Layer;
  readonly number: number;
  /** The contract, if there is one. Sorted by text. A gRPC method `p.S/M` is the class `POST /p.S/M`. */
  readonly requests: readonly RequestClass[] | null;
  /** How long a WebSocket may live; null where the protocol has none. */
  readonly maxAgeMs: number | null;
  /** The versions that a client addresses one by one, as Kafka's do its brokers; empty where any endpoint will do. Sorted. */
  readonly brokers: readonly string[];
  /** Present: the application hears in a PROXY header, before anything else, from where its proxy was dialled. Only of connections that are routed whole. */
  readonly proxyProtocol?: 'v1' | 'v2';
  readonly urls: 'rfc3986' | 'servlet' | 'case-insensitive';
  readonly mtls: 'strict' | 'permissive';
  readonly resilience: Resilience;
}
export interface Gateway {
  readonly id: RuleId;
  readonly key: WorkloadKey;
  /** By name. */
  readonly listeners: readonly GatewayListener[];
}
export interface GatewayListener {
  readonly name: string;
  /** The number that the outside dials. */
  readonly port: number;
  readonly speaks: ListenerProtocol;
  /** Present: every connection begins with a PROXY header, which says who dialled; one without is closed. */
  readonly proxyProtocol?: true;
  /** By host; exact (`shop.acme.example`), one leading wildcard label (`*.books.acme.example`), or `*`. Lower case. */
  readonly hosts: readonly ServedHost[];
}
export interface ServedHost {
  readonly host: string;
  readonly team: string;
  /** `namespace/name` of a certificate of its own; absent: the listener's. Of an https listener alone. */
  readonly certificate?: string;
}
export interface ClientCertificates {
  /** `namespace/name` of the authorities that count, and no others: those of the mesh are not among them unless named. */
  readonly trust: string;
  /** Whether who shows none gets a connection. */
  readonly required: boolean;
}
export type ListenerProtocol =
  | {
      readonly kind: 'https';
      /** `namespace/name` of the certificate of hosts that have none of their own. */
      readonly certificate: string;
      /** What clients show of themselves; null: nobody is asked. */
      readonly clients: ClientCertificates | null;
      /** Present: no older TLS is spoken; else 1.2 is the oldest. */
      readonly minTls?: '1.3';
    }
  /** In the open: whoever is on the way may read and change what is said. */
  | { readonly kind: 'http' }
  /** TLS that is not ended here: connections go on whole, by the name that a client asks for. */
  | { readonly kind: 'tls' }
  /** Connections go on whole; their one host is `*`. */
  | { readonly kind: 'tcp' };

/** Signs the tokens of end users (RFC 7519). */
export interface Issuer {
  readonly id: RuleId;
  readonly name: string;
  /** The `iss` of its tokens; no two issuers have one. */
  readonly url: string;
  /** Any of them in the `aud` of a token. Sorted. */
  readonly audiences: readonly string[];
  readonly keys: IssuerKeys;
}
/** `jwks`: public keys (RFC 7517) as canonical JSON, in order of it; each says its `alg`. `fetched`: those that the control plane had last at the address. */
export type IssuerKeys = { readonly kind: 'pinned'; readonly jwks: string } | { readonly kind: 'fetched'; readonly url: string };
/** An end user: a valid token of the issuer with this `iss`, whose claims all hold. By canonical JSON. */
export interface UserMatch {
  readonly issuer: string;
  readonly claims: readonly ClaimMatch[];
}
/** `is` and `oneOf`: the claim is a text, one of these; `includes`: it is a list with this text in it. Values sorted. */
export interface ClaimMatch {
  readonly name: string;
  readonly kind: 'is' | 'includes' | 'oneOf';
  readonly values: readonly string[];
}

/** One line `GET /reviews/{id}`: one request class. `method` is `*` for any. */
export interface RequestClass {
  readonly method: string;
  readonly path: PathTemplate;
  /** As written, normalised: method, space, template. */
  readonly text: string;
}
/** `/a/{id}/{rest...}`. `{x}` is one non-empty segment; `{x...}` is last and takes one or more characters, slashes included. `/` is the empty list. */
export type PathTemplate = readonly PathSegment[];
export type PathSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one'; readonly name: string }
  | { readonly kind: 'rest'; readonly name: string };

export type TextMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' };
/** `name` is lower case for headers and as written for query parameters and cookies. */
export interface FieldMatch {
  readonly name: string;
  readonly match: TextMatch;
}

/** Whom a rule is about. `named` is false for one taken in by a namespace or a tag: such an allow gives no configuration without a need. */
export type Callers =
  | { readonly kind: 'principals'; readonly principals: readonly { readonly principal: Principal; readonly named: boolean }[] }
  | { readonly kind: 'anyone'; readonly except: readonly Principal[] };

export interface AccessRule {
  readonly id: RuleId;
  readonly action: 'allow' | 'deny';
  /** `shadow` is evaluated and counted, and decides nothing. */
  readonly mode: 'enforce' | 'shadow';
  readonly port: PortKey;
  readonly callers: Callers;
  /** Any of them; `any` means every request. Sorted by text. On tcp-layer ports always `any`. */
  readonly requests: readonly RequestClass[] | 'any';
  /** All of them. By name. */
  readonly headers: readonly FieldMatch[];
  /** Any of them (the Host header without its port, case ignored; on a tls-layer port outside the mesh the server name asked for); empty means any host. */
  readonly hosts: readonly string[];
  /** null: whoever the end user is, if there is one. Only where requests are read. */
  readonly user: UserMatch | null;
  readonly because: string | null;
}

export interface RouteTable {
  readonly id: RuleId | null;
  readonly port: PortKey;
  /** Answered before any rule is looked at; null: cross-origin requests are nothing special. */
  readonly cors: Cors | null;
  /** First match wins; the last one has `match: null` and takes the rest. */
  readonly rules: readonly RouteRule[];
}
/** One list for the connections of a port: the first rule that matches takes a connection, the last one has `match: null`. */
export interface ConnectionRoutes {
  readonly id: RuleId | null;
  readonly port: PortKey;
  readonly rules: readonly ConnectionRule[];
}
export interface ConnectionRule {
  /** As in `RouteRule`. */
  readonly id: RuleId;
  readonly match: ConnectionMatch | null;
  readonly to: readonly ConnectionTarget[];
  /** A connection on which nothing is sent for so long is closed. */
  readonly idleMs: number;
}
export type ConnectionTarget = Pick<WeightedTarget, 'port' | 'version' | 'weight'>;
/** All dimensions that are given must hold; empty means any. */
export interface ConnectionMatch {
  /** As in `RouteMatch`: only at a gateway. */
  readonly sources: readonly string[];
  /** Any of them. Sorted. */
  readonly from: readonly Principal[];
  /** Any of them: the server name a client asks for, exact or one leading wildcard label. Lower case, sorted. On tcp-layer ports empty. */
  readonly sni: readonly string[];
}
export interface HostRoutes {
  readonly id: RuleId;
  readonly gateway: WorkloadKey;
  readonly listener: string;
  readonly host: string;
  readonly team: string;
  readonly cors: Cors | null;
  readonly rules: readonly RouteRule[];
}
export interface HostConnections {
  readonly id: RuleId;
  readonly gateway: WorkloadKey;
  readonly listener: string;
  readonly host: string;
  readonly team: string;
  /** As in `ConnectionRoutes`. */
  readonly rules: readonly ConnectionRule[];
}
export interface RouteRule {
  /** `<table id>.rules.<index as written>` or `<table id>.otherwise`, of the list it was written in; for a synthesised table `<port key>.default`. */
  readonly id: RuleId;
  readonly match: RouteMatch | null;
  readonly action: RouteAction;
}
/** All dimensions that are given must hold. */
export interface RouteMatch {
  /** Any of them; empty means any request. */
  readonly requests: readonly RequestClass[];
  readonly headers: readonly FieldMatch[];
  /** None of them: a request without the header is taken. */
  readonly withoutHeaders: readonly FieldMatch[];
  readonly query: readonly FieldMatch[];
  readonly cookies: readonly FieldMatch[];
  /** Any of them (the Host header without its port, case ignored); empty means any host. Sorted, lower case. */
  readonly hosts: readonly string[];
  /** Whose requests; null: anybody's. Sorted. Only in the routes of a service port, where the caller's own proxy decides. */
  readonly callers: readonly Principal[] | null;
  /** From any of them does the connection come that carries the request; empty means from anywhere. Canonical, sorted. Only at a gateway. */
  readonly sources: readonly string[];
  /** null: whoever the end user is, if there is one. */
  readonly user: UserMatch | null;
}
export type RouteAction =
  | {
      readonly kind: 'forward';
      readonly to: readonly WeightedTarget[];
      readonly timeoutMs: number;
      /** A request or an answer on which nothing is sent for so long ends. */
      readonly idleMs: number;
      readonly retry: Retry | null;
      /** By what a user keeps one destination of several; null: each request anew. */
      readonly sticky: Sticky | null;
      readonly rewrite: Rewrite | null;
      /** Of every destination; those of a destination come first (`WeightedTarget`). */
      readonly requestHeaders: HeaderEdits;
      readonly responseHeaders: HeaderEdits;
      /** By port, version. */
      readonly mirrors: readonly Mirror[];
      readonly fault: Fault | null;
    }
  | { readonly kind: 'respond'; readonly status: number; readonly body: string | null; readonly responseHeaders: HeaderEdits }
  /** A gRPC status, by its number. */
  | { readonly kind: 'respondGrpc'; readonly status: number; readonly message: string | null }
  | {
      readonly kind: 'redirect';
      /** null: as asked. */
      readonly scheme: 'http' | 'https' | null;
      readonly host: string | null;
      readonly port: number | null;
      /** Without the query, which stays. */
      readonly path: PathTemplate | null;
      readonly status: 301 | 302 | 303 | 307 | 308;
      readonly responseHeaders: HeaderEdits;
    };
/** `version` null: every endpoint of the port. Weights are whole numbers above 0 that add up to 100. By port, version. */
export interface WeightedTarget {
  readonly port: PortKey;
  readonly version: string | null;
  readonly weight: number;
  /** Of what goes to this destination: each part of it stands in place of the same part of the rule's. null: as the rule says. */
  readonly rewrite: Rewrite | null;
  /** Of what goes to, and comes from, this destination. */
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
}
/** Names lower case, each in one of the three lists once; by name. First what goes, then what is set (in place of all of that name) and added. */
export interface HeaderEdits {
  readonly remove: readonly string[];
  readonly set: readonly HeaderValue[];
  readonly add: readonly HeaderValue[];
}
export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}
/** What the destination reads instead; null: as it was. The query stays. Parameters of the path are those of every request class of the rule. */
export interface Rewrite {
  readonly path: PathTemplate | null;
  readonly host: string | null;
}
/** A copy whose answer nobody waits for. `percent` of the requests, in steps of 0.0001. */
export interface Mirror {
  readonly port: PortKey;
  readonly version: string | null;
  readonly percent: number;
}
/** Delay, then abort; each falls on its share of the requests (steps of 0.0001), independently of the other. */
export interface Fault {
  readonly delay: { readonly ms: number; readonly percent: number } | null;
  readonly abort: Abort | null;
}
/** `status`: of HTTP, or, where calls are gRPC, by number of gRPC. */
export interface Abort {
  readonly kind: 'http' | 'grpc';
  readonly status: number;
  readonly percent: number;
}
/** A header's or a cookie's value, hashed; or a cookie that the mesh gives out, which names the destination. `forMs` null: until the browser ends. */
export type Sticky =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'issued'; readonly name: string; readonly forMs: number | null };
/** Cross-origin requests (Fetch standard). Lists sorted; methods as written, header names lower case. */
export interface Cors {
  /** Any of them; exact or a regex. */
  readonly origins: readonly TextMatch[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeMs: number | null;
}
export interface Retry {
  readonly atMost: number;
  readonly perTryMs: number;
  /** Words, and statuses as text. Sorted. */
  readonly on: readonly string[];
  /** Share of the requests at once that may be retries, three always; null: as many as the port's `connections.retries`. */
  readonly budgetPercent: number | null;
  /** Before the nth retry a random time up to the base doubled n-1 times, and never above `maxMs`. */
  readonly backOff: { readonly baseMs: number; readonly maxMs: number };
  /** A try that takes longer than `perTryMs` goes on beside the next one; whichever answers well first counts. */
  readonly hedge: boolean;
  /** `idempotent`: a request of another method is tried again only where nobody can have begun on it. */
  readonly methods: 'idempotent' | 'all';
}

export interface Need {
  readonly id: RuleId;
  readonly caller: WorkloadKey;
  readonly targets: readonly PortKey[];
  /** The caller's stricter settings; null where it said nothing. */
  readonly timeoutMs: number | null;
  readonly idleMs: number | null;
  readonly retry: Retry | 'none' | null;
  readonly connections: CallerLimits | null;
}
/** null: as the owner has it. */
export interface CallerLimits {
  readonly max: number | null;
  readonly pending: number | null;
  readonly requests: number | null;
  readonly retries: number | null;
  readonly connectTimeoutMs: number | null;
}
/** `never`: none of `from` may reach any of `to` with any request. */
export interface Guarantee {
  readonly id: RuleId;
  readonly claim: 'never';
  readonly team: string;
  readonly from: Callers;
  readonly to: readonly PortKey[];
}
export interface Patch {
  readonly id: RuleId;
  readonly port: PortKey;
  readonly direction: 'inbound' | 'outbound';
  readonly envoy: { readonly min: string | null; readonly below: string | null };
  readonly merge: { readonly [field: string]: Json };
}
/** Percentages of the proxies of each step; ends with 100. */
export interface Rollout {
  readonly waves: readonly number[];
  readonly holdMs: number;
}

/** One `deploys`: who may change what it covers, and what may run there. */
export interface DeployRule {
  readonly id: RuleId;
  readonly mode: RuleMode;
  readonly namespace: string;
  /** Names, sorted; null: whatever runs in the namespace. */
  readonly workloads: readonly string[] | null;
  /** Any of them. By their words (`formatDeployer`). */
  readonly by: readonly DeployerMatch[];
  /** Prefixes that end with `/`, sorted. */
  readonly images: { readonly from: readonly string[]; readonly digest: 'required' | 'optional' } | null;
  readonly version: { readonly min: string | null; readonly below: string | null; readonly downgrade: 'deny' | 'warn' } | null;
}
/** Which versions of the products around the mesh go together. */
export interface ProductRule {
  readonly id: RuleId;
  readonly mode: RuleMode;
  /** By product. */
  readonly ranges: readonly { readonly product: Product; readonly min: string | null; readonly below: string | null }[];
  /** `of` is at most `minor` minor versions older than `behind`, and not newer. By `of`, `behind`. */
  readonly skew: readonly { readonly of: Product; readonly behind: Product; readonly minor: number }[];
}
