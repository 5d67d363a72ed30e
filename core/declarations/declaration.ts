/**
 * What leaves the sandbox: wire types, apart from the authoring types (see docs/adr). Plain JSON; everything symbolic by
 * environment stays symbolic (`PerEnv`) until lower. typescript-json-schema makes the JSON Schema of `Declaration` from this file.
 */
import type { Span } from '../diagnostics/diagnostic';
import type { WireLimits, WireRetry, WireSettings } from './resilience';

export type * from './resilience';

/** A value that differs by environment, total over the mesh's environments. Told apart from a plain value by its one key. */
export interface PerEnv<T> {
  readonly $perEnv: { readonly [environment: string]: T };
}
/** `mostly(value, except)`: lower expands it. */
export interface MostlyEnv<T> {
  readonly $mostly: { readonly value: T; readonly except: { readonly [environment: string]: T } };
}
export type OrPerEnv<T> = T | PerEnv<T> | MostlyEnv<T>;

/** Points at another declaration by id. `port` names a service's port, `listener` and `host` a place at a gateway, `version` a version. */
export interface Ref {
  readonly ref: string;
  readonly port?: string;
  readonly listener?: string;
  readonly host?: string;
  readonly version?: string;
}
/** @pattern ^[0-9]+(\.[0-9]+)?(ms|s|m|h)$ */
export type WireDuration = string;
/** @pattern ^[0-9]+(\.[0-9]+)?%$ */
export type WirePercent = string;

export type CallerRef =
  | { readonly kind: 'ref'; readonly to: Ref } // service, workload, namespace, gateway
  | { readonly kind: 'tagged'; readonly tags: { readonly [tag: string]: string } }
  | { readonly kind: 'outside'; readonly network?: readonly string[]; readonly name: string; readonly through: Ref } // internet.through(edge), network(...).through(edge)
  | { readonly kind: 'anyone'; readonly except: readonly CallerRef[] };
/** What standards, guarantees and waivers are about. */
export type ScopeRef =
  | { readonly kind: 'ref'; readonly to: Ref }
  | { readonly kind: 'tagged'; readonly tags: { readonly [tag: string]: string } }
  | { readonly kind: 'mesh' };

export type WireTextMatch =
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' };
export interface WireTextFields {
  readonly [name: string]: WireTextMatch;
}
export interface WirePort {
  readonly protocol: string;
  readonly number: number;
  /** The contract: request lines, or gRPC methods. */
  readonly requests?: readonly string[];
  readonly urls?: 'rfc3986' | 'servlet' | 'case-insensitive';
  /** How long a WebSocket may live. */
  readonly maxAge?: OrPerEnv<WireDuration>;
  /** Versions that a client addresses one by one. */
  readonly brokers?: readonly string[];
  /** The application reads a PROXY header first. */
  readonly proxyProtocol?: 'v1' | 'v2';
}

export type WireDestination =
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'weights'; readonly weights: { readonly [version: string]: OrPerEnv<number> } }
  | { readonly kind: 'target'; readonly to: Ref }
  | { readonly kind: 'split'; readonly shares: readonly WireShare[] }
  | { readonly kind: 'respond'; readonly status: number; readonly body?: string }
  | { readonly kind: 'respondGrpc'; readonly status: string; readonly message?: string }
  | {
      readonly kind: 'redirect';
      readonly scheme?: 'http' | 'https';
      readonly host?: string;
      readonly port?: number;
      /** A path template over the parameters of the rule's requests. */
      readonly path?: string;
      readonly status?: number;
    }
  | { readonly kind: 'unsupported'; readonly feature: string };
export interface WireShare {
  readonly to: Ref;
  readonly percent: OrPerEnv<number>;
  readonly rewrite?: WireRewrite;
  readonly requestHeaders?: WireHeaderEdit;
  readonly responseHeaders?: WireHeaderEdit;
}
export interface WireRewrite {
  readonly path?: string;
  readonly host?: string;
}
export interface WireHeaderEdit {
  readonly set?: { readonly [name: string]: string };
  readonly add?: { readonly [name: string]: string };
  readonly remove?: readonly string[];
}
/** A share of requests goes there too. `version`: of the port that the list is for. */
export interface WireMirror {
  readonly to: Ref | { readonly version: string };
  readonly share: OrPerEnv<WirePercent>;
}
export interface WireFault {
  readonly delay?: { readonly for: WireDuration; readonly share: OrPerEnv<WirePercent> };
  /** A number: a status of HTTP; a word: one of gRPC. */
  readonly abort?: { readonly status: number | string; readonly share: OrPerEnv<WirePercent> };
}
export type WireSticky =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'issued'; readonly name: string; readonly for?: WireDuration };
export interface WireCors {
  /** `any`: whoever asks. */
  readonly origins: readonly WireTextMatch[] | 'any';
  readonly methods: readonly string[];
  readonly headers?: readonly string[];
  readonly exposed?: readonly string[];
  readonly credentials?: boolean;
  readonly maxAge?: WireDuration;
}
/** A valid token of the issuer, all of whose claims hold. */
export interface WireUser {
  readonly issuer: Ref;
  readonly claims: readonly WireClaim[];
}
export interface WireClaim {
  readonly name: string;
  readonly kind: 'is' | 'includes' | 'oneOf';
  readonly values: readonly string[];
}
export interface WireConditions {
  /** Request lines, or gRPC methods. */
  readonly request?: readonly string[];
  /** Of connections that are routed whole. */
  readonly sni?: readonly string[];
  readonly headers?: WireTextFields;
  /** None of them. */
  readonly withoutHeaders?: WireTextFields;
  readonly query?: WireTextFields;
  readonly cookies?: WireTextFields;
  readonly hosts?: readonly string[];
  readonly from?: readonly CallerRef[];
  readonly user?: WireUser;
}
export interface WireRouteElse {
  readonly to: WireDestination;
  readonly timeout?: OrPerEnv<WireDuration>;
  readonly retry?: OrPerEnv<WireRetry | 'none'>;
  readonly idle?: OrPerEnv<WireDuration>;
  readonly sticky?: WireSticky;
  readonly rewrite?: WireRewrite;
  readonly requestHeaders?: WireHeaderEdit;
  readonly responseHeaders?: WireHeaderEdit;
  readonly mirror?: readonly WireMirror[];
  readonly fault?: WireFault;
}
export interface WireRouteRule extends WireRouteElse {
  readonly when: WireConditions;
  readonly only?: readonly string[];
}

/** @pattern ^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$ */
export type WireVersion = string;
/** `min` included, `below` not. */
export interface WireVersionRange {
  readonly min?: WireVersion;
  readonly below?: WireVersion;
}
/**
 * A registry, a path, a final slash.
 * @pattern ^[a-z0-9][a-z0-9.-]{0,}(:[0-9]{1,5})?/([a-z0-9._-]{1,}/){0,}$
 */
export type WireImagePrefix = string;
/** @pattern ^[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}$ */
export type WireRepository = string;
/** @pattern ^(?!refs/)[^\u0000-\u0020~^:?*\[\\\u007f]{1,244}$ */
export type WireBranch = string;
export type WireDeployer =
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'account'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'github'; readonly repository: WireRepository; readonly branch: WireBranch; readonly environment?: string };

/** One kind for each thing that can be in force. `unsupported` is a word of the vocabulary that this version does not enforce: lower refuses it by name. */
export type DeclarationValue =
  | {
      readonly kind: 'mesh';
      readonly trustDomain: string;
      readonly environments: readonly string[];
      readonly teams: { readonly [team: string]: { readonly namespaces: readonly string[]; readonly contact?: string } };
      readonly tags?: { readonly [tag: string]: readonly string[] };
      readonly runs: { readonly envoy: string; readonly istio?: string; readonly kubernetes?: string };
    }
  | {
      readonly kind: 'namespace';
      readonly name: string;
      readonly team: string;
      readonly tags?: { readonly [tag: string]: string };
      readonly settings?: WireSettings;
      readonly adoption?: OrPerEnv<string>;
    }
  | {
      readonly kind: 'service';
      readonly namespace: Ref;
      readonly name: string;
      readonly serviceAccount: string;
      readonly labels?: readonly string[];
      readonly tags?: { readonly [tag: string]: string };
      readonly settings?: WireSettings;
      readonly only?: readonly string[];
      readonly ports: { readonly [name: string]: WirePort };
      readonly versions?: readonly string[];
      readonly versionLabel?: string;
    }
  | {
      readonly kind: 'workload';
      readonly namespace: Ref;
      readonly name: string;
      readonly serviceAccount: string;
      readonly labels?: readonly string[];
      readonly tags?: { readonly [tag: string]: string };
      readonly settings?: WireSettings;
      readonly only?: readonly string[];
    }
  | {
      readonly kind: 'gateway';
      readonly namespace: Ref;
      readonly name: string;
      readonly serviceAccount: string;
      readonly listeners: {
        readonly [name: string]: {
          /** Absent: `https`. */
          readonly protocol?: 'https' | 'http' | 'tls' | 'tcp';
          readonly port: number;
          /** Of a tcp listener none: it has a `team`. */
          readonly hosts?: { readonly [host: string]: string | { readonly team: string; readonly certificate: string } };
          readonly team?: string;
          /** Of an https listener, and of no other: that of hosts which say none of their own. */
          readonly certificate?: string;
          /** Of an https listener: `trust` is the secret (`namespace/name`) with the authorities of its clients. */
          readonly clients?: { readonly trust: string; readonly certificate: 'required' | 'optional' };
          /** Of an https listener: the oldest TLS that is spoken. Absent: `1.2`. */
          readonly minTls?: '1.2' | '1.3';
          /** Every connection begins with a PROXY header. */
          readonly proxyProtocol?: 'required';
          /** Of an http listener: every request is answered with the same address under https. */
          readonly redirect?: 'https';
        };
      };
      /** Teams whose hosts outside may be called through it, beside its owner's. */
      readonly wayOutOf?: readonly string[];
    }
  /** A gateway between networks. */
  | {
      readonly kind: 'east-west';
      readonly namespace: Ref;
      readonly name: string;
      readonly serviceAccount: string;
      readonly port: number;
    }
  /** A port is reached from other networks, through gateways of the kind `east-west`. */
  | { readonly kind: 'export'; readonly port: Ref; readonly through: readonly Ref[]; readonly only?: readonly string[] }
  /** `file` is relative to the policy directory; `text` is what it holds, put there by the host. `url`: had while the mesh runs. */
  | {
      readonly kind: 'issuer';
      readonly name: string;
      readonly url: string;
      readonly audiences: readonly string[];
      readonly keys: { readonly file: string; readonly text?: string } | { readonly url: string };
    }
  | {
      /** Hosts outside the mesh, or ranges of addresses. `trust`: the authorities of its `https` and `grpcs` ports, `namespace/name`. */
      readonly kind: 'external';
      readonly name: string;
      readonly team: string;
      /** One of the two, and not both. */
      readonly hosts?: readonly string[];
      readonly addresses?: readonly string[];
      /** Networks that names under its wildcards may lead to. */
      readonly at?: readonly string[];
      readonly ports: { readonly [name: string]: WirePort };
      readonly trust?: string;
      readonly through?: Ref;
    }
  | {
      readonly kind: 'access';
      readonly action: 'allow' | 'deny';
      readonly port: Ref;
      readonly from: readonly CallerRef[];
      readonly requests: readonly string[] | 'any';
      readonly headers?: WireTextFields;
      /** Of the Host header; on a tls-layer port outside the mesh of the server name that a client asks for. */
      readonly hosts?: readonly string[];
      readonly user?: WireUser;
      readonly mode?: 'enforce' | 'shadow';
      readonly because?: string;
      readonly only?: readonly string[];
    }
  | {
      readonly kind: 'route';
      /** A port, a host at a gateway, or a delegation. */
      readonly on: Ref;
      readonly cors?: WireCors;
      readonly rules: readonly WireRouteRule[];
      readonly otherwise: WireRouteElse;
    }
  /** The paths under `path` of a port or host are routed by team `to`. */
  | { readonly kind: 'delegation'; readonly on: Ref; readonly path: string; readonly to: string }
  | {
      readonly kind: 'need';
      readonly caller: Ref;
      readonly targets: readonly Ref[];
      readonly timeout?: OrPerEnv<WireDuration>;
      readonly idle?: OrPerEnv<WireDuration>;
      readonly retry?: OrPerEnv<WireRetry | 'none'>;
      readonly connections?: OrPerEnv<WireLimits>;
    }
  | {
      readonly kind: 'standard';
      readonly for: readonly ScopeRef[];
      readonly defaults?: WireSettings;
      readonly bounds?: {
        readonly mtls?: 'strict';
        readonly timeoutMax?: WireDuration;
        readonly idleMax?: WireDuration;
        readonly retriesMax?: number;
        readonly budgetMax?: WirePercent;
        readonly connectionsMax?: number;
        readonly ejectMax?: WirePercent;
      };
      readonly only?: readonly string[];
      readonly mode?: 'enforce' | 'shadow';
    }
  | { readonly kind: 'guarantee'; readonly claim: 'never'; readonly from: readonly CallerRef[]; readonly to: readonly ScopeRef[] }
  | {
      readonly kind: 'waiver';
      readonly code?: string;
      readonly rule?: Ref;
      readonly at: readonly ScopeRef[];
      readonly because: string;
      readonly ticket: string;
      readonly until: string;
    }
  | {
      readonly kind: 'rollout';
      readonly for: readonly ScopeRef[];
      readonly waves: readonly WirePercent[];
      readonly hold: WireDuration;
      readonly only?: readonly string[];
    }
  | {
      readonly kind: 'patch';
      readonly on: Ref;
      readonly direction: 'inbound' | 'outbound';
      readonly envoy: { readonly min?: string; readonly below?: string };
      readonly because: string;
      readonly merge: { readonly [field: string]: unknown };
    }
  | {
      readonly kind: 'deploy';
      /** A namespace, service, workload or gateway. */
      readonly on: Ref;
      readonly by: readonly WireDeployer[];
      readonly images?: { readonly from: readonly WireImagePrefix[]; readonly digest: 'required' | 'optional' };
      readonly version?: WireVersionRange & { readonly downgrade: 'deny' | 'warn' };
      readonly only?: readonly string[];
      readonly mode?: 'deny' | 'warn' | 'audit';
    }
  | {
      readonly kind: 'versions';
      readonly ranges: { readonly [product: string]: WireVersionRange };
      readonly skew?: readonly { readonly of: string; readonly behind: string; readonly minor: number }[];
      readonly only?: readonly string[];
      readonly mode?: 'deny' | 'warn' | 'audit';
    }
  | { readonly kind: 'unsupported'; readonly feature: string };

/** A declaration in force. `team` is the owner of the folder of the module that exports it, by the host's attribution, never by a stack. */
export interface Declaration {
  readonly id: string;
  readonly team: string;
  readonly value: DeclarationValue;
}

/** Where a declaration was written; kept beside it, never in it. `chain` leads from the exporting module inwards through helpers. */
export interface Origin {
  readonly span: Span;
  readonly chain: readonly Span[];
  /** Places inside the declaration, by JSON path (`rules.0`, `otherwise`), where known. */
  readonly parts?: { readonly [path: string]: Span };
}
export interface Origins {
  readonly [id: string]: Origin;
}

/** The result of evaluate: everything in force, in order of id, and where it came from. */
export interface Evaluated {
  readonly declarations: readonly Declaration[];
  readonly origins: Origins;
  /** Fuel used (interrupt callbacks and charged built-ins), for `--json` and the bench. */
  readonly fuel: number;
}
