/**
 * How objects and releases lie in the Kubernetes API. The custom resource definitions are generated from these types, their comments and the limits
 * in them (scripts/crds), and custom-resource.ts writes them: what may be null or empty in a signed thing is absent here when it is.
 */
import type { AdmissionRulesSpec } from './admission-rules';
import type { ReleaseStatusResource } from './release-status';

/** A message of Envoy's API in protobuf's JSON form, kept as it is. */
export interface EnvoyMessage {
  readonly [field: string]: unknown;
}
/** Versions of Envoy an object is right for. */
export interface StoredEnvoyRange {
  /**
   * Included.
   * @maxLength 64
   */
  readonly min: string;
  /**
   * Not included.
   * @maxLength 64
   */
  readonly below: string;
}
/** What is claimed of an object. Nothing in it is believed before the signature was checked. */
export interface StoredObjectProof {
  /**
   * The environment it was signed for.
   * @pattern ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$
   * @maxLength 63
   */
  readonly environment: string;
  /**
   * The object's name without its digest.
   * @pattern ^[a-z0-9]([a-z0-9.+_-]{0,251}[a-z0-9])?$
   * @maxLength 253
   */
  readonly name: string;
  /**
   * SHA-256 of the object's canonical JSON.
   * @pattern ^sha256:[0-9a-f]{64}$
   * @maxLength 71
   */
  readonly digest: string;
  /**
   * Compact JWS (EdDSA) over environment, kind, namespace, name and digest, and over the digests of the parts of a packed object.
   * @pattern ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$
   * @maxLength 32768
   */
  readonly jws: string;
}
/** One piece of an object that is too big for one resource: its canonical JSON, compressed and cut. The signature in `proof` covers every piece. */
export interface StoredPart {
  /**
   * How many pieces there are. Piece 0 has the object's name, the others `<name>.part-<i>`.
   * @minimum 1
   * @maximum 128
   */
  readonly parts: number;
  /**
   * Which one this is, from 0.
   * @minimum 0
   * @maximum 127
   */
  readonly part: number;
  /**
   * Base64 of this piece of the gzip file.
   * @pattern ^[A-Za-z0-9+/]+={0,2}$
   * @minLength 1
   * @maxLength 900000
   */
  readonly data: string;
}

/** One service port as its callers see it. */
export interface StoredServiceConfigSpec {
  /**
   * `<namespace>/<service>.<port name>`
   * @maxLength 512
   */
  readonly port: string;
  readonly envoyRange: StoredEnvoyRange;
  /** envoy.config.route.v3.VirtualHost */
  readonly virtualHost?: EnvoyMessage;
  /** envoy.config.listener.v3.Listener, of a port whose connections are routed whole. What east-west gateways pass on to has neither these nor a virtual host. */
  readonly listeners?: readonly EnvoyMessage[];
  /** envoy.config.cluster.v3.Cluster, by name. */
  readonly clusters?: readonly EnvoyMessage[];
  /** What discovery fills each cluster with. */
  readonly endpoints?: readonly StoredEndpointSelector[];
}
/** The endpoints of one cluster: those of a service's port, of one version if it is named. */
export interface StoredEndpointSelector {
  /** Name of the cluster that it fills. */
  readonly cluster: string;
  /** `<namespace>/<service>.<port name>` */
  readonly port: string;
  /** Absent: every version. */
  readonly version?: string;
  /** By which places a caller's own decides whom it calls first (core/ir/resilience.ts). Absent: none is nearer than another. */
  readonly locality?: EnvoyMessage;
  /** East-west gateways, `<namespace>/<name>`, through which its endpoints of other networks are reached. Absent: they are not. */
  readonly across?: readonly string[];
}
/** What the proxies of one workload identity listen on, whom they let in, and by name what they may call. */
export interface StoredProxyConfigSpec {
  /**
   * `<namespace>/<name>`
   * @maxLength 512
   */
  readonly workload: string;
  /**
   * SPIFFE ID of the workload's service account.
   * @pattern ^spiffe://
   * @maxLength 2048
   */
  readonly principal: string;
  readonly envoyRange: StoredEnvoyRange;
  /** false where a raw patch outside the allow-list is in force: nothing is guaranteed about the workload. */
  readonly proved: boolean;
  readonly inbound?: {
    /** envoy.config.listener.v3.Listener, by name. */
    readonly listeners?: readonly EnvoyMessage[];
    /** envoy.config.route.v3.RouteConfiguration with the access rules, by name. */
    readonly routes?: readonly EnvoyMessage[];
    /** envoy.config.cluster.v3.Cluster: the application's own ports, by name. */
    readonly clusters?: readonly EnvoyMessage[];
  };
  readonly outbound?: {
    /** envoy.config.listener.v3.Listener, by name. */
    readonly listeners?: readonly EnvoyMessage[];
    /** envoy.config.route.v3.RouteConfiguration of a gateway's hosts, by name. */
    readonly routes?: readonly EnvoyMessage[];
    /** envoy.config.route.v3.VirtualHost that answers what is not declared. Absent for a gateway. */
    readonly catchAll?: EnvoyMessage;
    /** `<namespace>/<name>` of the ServiceConfigs it may call, sorted. */
    readonly services?: readonly string[];
  };
}

/** The one release of an environment: which objects are in force, which are to be, and how to get there. */
export interface StoredReleaseSpec {
  /**
   * The release's name too.
   * @pattern ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$
   * @maxLength 63
   */
  readonly environment: string;
  /**
   * One more than that of the release before.
   * @minimum 1
   */
  readonly generation: number;
  /**
   * Digest of the release before; absent in the first.
   * @pattern ^sha256:[0-9a-f]{64}$
   * @maxLength 71
   */
  readonly parent?: string;
  /**
   * The commit of the policies.
   * @maxLength 2048
   */
  readonly commit: string;
  /**
   * Where the policies come from.
   * @maxLength 2048
   */
  readonly repository: string;
  /**
   * Version of the compiler.
   * @maxLength 2048
   */
  readonly compiler: string;
  /**
   * The day that the compiler took for today.
   * @pattern ^[0-9]{4}-[0-9]{2}-[0-9]{2}$
   * @maxLength 10
   */
  readonly asOf: string;
  /**
   * After it nobody accepts the release as new. UTC.
   * @format date-time
   * @pattern ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z$
   * @maxLength 24
   */
  readonly notAfter: string;
  /** What is in force before: objects by `<kind>/<namespace>/<name>`, each with its digest. */
  readonly stable?: StoredSet;
  /** What is to be in force, in the same form. */
  readonly candidate?: StoredSet;
  /** Order across proxies. */
  readonly steps?: readonly StoredStep[];
  /**
   * `stable`, `candidate` and `steps` of a release that is too big with them: gzip and base64.
   * @pattern ^[A-Za-z0-9+/]+={0,2}$
   * @maxLength 1000000
   */
  readonly packed?: string;
  /**
   * Percentages of the proxies inside each step.
   * @minItems 1
   * @maxItems 100
   */
  readonly waves: readonly number[];
  /**
   * Milliseconds between two waves, a day at most.
   * @minimum 0
   * @maximum 86400000
   */
  readonly holdMs: number;
}
/** Objects by `<kind>/<namespace>/<name>`, each with its digest. */
export interface StoredSet {
  readonly [name: string]: string;
}
/** Parts of proxies that move together. */
export interface StoredStep {
  /** Why these and why now. */
  readonly why: string;
  /** What moves. */
  readonly parts?: readonly {
    /** `<namespace>/<name>` of a ProxyConfig. */
    readonly proxy: string;
    /** What of it moves. */
    readonly part: 'inbound' | 'outbound';
  }[];
}
/** What is claimed of a release. */
export interface StoredReleaseProof {
  /**
   * SHA-256 of the release's canonical JSON.
   * @pattern ^sha256:[0-9a-f]{64}$
   * @maxLength 71
   */
  readonly digest: string;
  /**
   * The compact JWS without its payload, which is made anew from `spec` and `byproducts`: `<header>..<signature>`.
   * @pattern ^([A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+)?$
   * @maxLength 8192
   */
  readonly signature: string;
  /** Digests of the files that were signed along with the release, by path. */
  readonly byproducts: StoredSet;
}

/** A signed object in force for callers of one service port. Immutable: another content is another object. */
export interface StoredServiceConfig {
  readonly spec?: StoredServiceConfigSpec;
  readonly packed?: StoredPart;
  readonly proof: StoredObjectProof;
}
/** The signed configuration of the proxies of one workload identity. Immutable: another content is another object. */
export interface StoredProxyConfig {
  readonly spec?: StoredProxyConfigSpec;
  readonly packed?: StoredPart;
  readonly proof: StoredObjectProof;
}
/** What the webhook evaluates at deploy time, signed. Immutable: another content is another object. */
export interface StoredAdmissionRules {
  readonly spec?: AdmissionRulesSpec;
  readonly packed?: StoredPart;
  readonly proof: StoredObjectProof;
}
/** The signed release of one environment, updated in place. Only what it names is served. */
export interface StoredRelease {
  readonly spec: StoredReleaseSpec;
  readonly proof: StoredReleaseProof;
  readonly status?: ReleaseStatusResource;
}
