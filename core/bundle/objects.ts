/**
 * The signed units. Objects are immutable and content-addressed: their bytes depend on their meaning only. `envoy` fields hold Envoy's own
 * messages in protobuf's JSON form (lowerCamelCase, `@type` for Any), made from the generated types in core/wire.
 *
 * Binding (a closed list, done by the control plane for one proxy instance; undoing it gives the signed bytes):
 *  - an address `{ socketAddress: { address: 'meshwright.bind', namedPort: <symbol> } }` becomes the instance's address and port. Symbols:
 *    `inbound/<port name>`, `outbound`, `outbound/<port key>` (with `|<version>` for one broker), `app/<port name>`, `listener/<gateway listener name>`
 *  - capture (an instance whose connections the kernel sends to its proxy): `inbound/...` listeners do not bind their port; `outbound` takes the
 *    capture's address, one copy of its filter chains for each port number of the hosts it serves, and the chains of TLS to hosts outside, each by its
 *    number and server name; `outbound/<port key>` takes the port's virtual addresses (outside: its own, where its host is one) and does not bind them; and there is one listener beside, `capture/inbound`, which refuses whatever no other listener is for
 *  - endpoints: a cluster of type EDS gets its hosts from discovery, by the `endpoints` entry of the same name, in the order of the proxy's own place
 *  - certificates: SDS names `workload` (the SVID), `trust` (the bundle to verify peers), `certificate/<namespace>/<name>` (a gateway's) and
 *    `authorities/system` or `authorities/<namespace>/<name>` (what hosts outside the mesh are verified against), from the agent
 *  - the outbound RouteConfiguration is the catch-all and the virtual hosts of the ServiceConfigs named, in order of name
 */
import type { LocalityRule } from '../ir/resilience';
import type { Digest } from '../lib/digest';
import type { JsonObject } from '../lib/json';
import type { PortKey, Principal, WorkloadKey } from '../mesh/ids';

export const apiVersion = 'meshwright.dev/v1alpha1';
export type ObjectKind = 'ServiceConfig' | 'ProxyConfig' | 'AdmissionRules';
/** Versions of Envoy an object is right for: `min` included, `below` not. */
export interface EnvoyRange {
  readonly min: string;
  readonly below: string;
}
export interface ObjectMeta {
  readonly namespace: string;
  /** Without the digest: `reviews.web`, `bookinfo-productpage`. What east-west gateways pass on to an exported port is `reviews.web+across`. A caller's variant is `reviews.web+<caller namespace>.<caller name>`; a port outside the mesh has one for each caller, in the caller's namespace, `outside.stripe.api+<caller namespace>.<caller name>`, and none beside. */
  readonly name: string;
}

/** One service port as its callers see it. */
export interface ServiceConfig {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'ServiceConfig';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly port: PortKey;
    readonly envoyRange: EnvoyRange;
    /** envoy.config.route.v3.VirtualHost; null where no proxy reads requests. */
    readonly virtualHost: JsonObject | null;
    /** envoy.config.listener.v3.Listener: where connections that are routed whole come in at a caller's proxy; absent where there is a virtual host, and for what east-west gateways pass on to. By broker, the one for all first. */
    readonly listeners?: readonly JsonObject[];
    /** envoy.config.cluster.v3.Cluster; a cluster of one name has the same bytes in every object. By name. */
    readonly clusters: readonly JsonObject[];
    /** What discovery fills each EDS cluster with. By cluster. */
    readonly endpoints: readonly EndpointSelector[];
  };
}
export interface EndpointSelector {
  readonly cluster: string;
  readonly port: PortKey;
  /** null: every version. */
  readonly version: string | null;
  /** By which places a caller's own decides whom it calls first; absent: none is nearer than another. */
  readonly locality?: LocalityRule;
  /** East-west gateways through which its endpoints of other networks are reached. Sorted; absent: they are not. */
  readonly across?: readonly WorkloadKey[];
}

/** One workload identity: what its proxies listen on, whom they let in, and by name what they may call. */
export interface ProxyConfig {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'ProxyConfig';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly workload: WorkloadKey;
    readonly principal: Principal;
    readonly envoyRange: EnvoyRange;
    /** false where a raw patch outside the allow-list is in force. */
    readonly proved: boolean;
    readonly inbound: {
      /** envoy.config.listener.v3.Listener. By name. */
      readonly listeners: readonly JsonObject[];
      /** envoy.config.route.v3.RouteConfiguration, with the access rules. By name. */
      readonly routes: readonly JsonObject[];
      /** envoy.config.cluster.v3.Cluster: the application's own ports. By name. */
      readonly clusters: readonly JsonObject[];
    };
    readonly outbound: {
      readonly listeners: readonly JsonObject[];
      /** Route configurations of a gateway's hosts; empty for others. */
      readonly routes: readonly JsonObject[];
      /** envoy.config.route.v3.VirtualHost `*`: answers 403 and names the pair. null for a gateway. */
      readonly catchAll: JsonObject | null;
      /** `<namespace>/<name>` of the ServiceConfigs it may call, sorted. */
      readonly services: readonly string[];
    };
  };
}
export interface AdmissionRules {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'AdmissionRules';
  readonly metadata: ObjectMeta;
  readonly spec: JsonObject;
}
export type MeshObject = ServiceConfig | ProxyConfig | AdmissionRules;

/** `ServiceConfig/bookinfo/reviews.web`: what a Release maps to a digest. */
export type ObjectName = string & { readonly __brand: 'ObjectName' };
export const objectName = (object: Pick<MeshObject, 'kind' | 'metadata'>): ObjectName =>
  `${object.kind}/${object.metadata.namespace}/${object.metadata.name}` as ObjectName;

/** An object and the compact JWS (EdDSA) over the canonical JSON of {environment, kind, namespace, name, sha256}, with `parts` for a packed one. */
export interface SignedObject {
  readonly object: MeshObject;
  readonly digest: Digest;
  readonly jws: string;
  /** Of an object that is too big for one resource: the same content as the base64 of the parts that were signed (packing.ts). */
  readonly packed?: readonly string[];
}

/** The map of everything in force. */
export type ReleaseSet = { readonly [name: string]: Digest };

/** A proxy's configuration changes in two parts, so that order across proxies can be kept: `inbound` (listeners, access) and `outbound` (clusters, routes to others). */
export type Part = 'inbound' | 'outbound';
export interface RolloutStep {
  /** ProxyConfig names (`<namespace>/<name>`) and the part that moves. */
  readonly parts: readonly { readonly proxy: string; readonly part: Part }[];
  /** One line: why these and why now. */
  readonly why: string;
}

export interface Release {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'Release';
  readonly environment: string;
  /** The live one's plus 1. */
  readonly generation: number;
  /** Digest of the live release (of its canonical JSON), null for the first. */
  readonly parent: Digest | null;
  readonly commit: string;
  readonly repository: string;
  readonly compiler: string;
  /** The day the compiler took for today, `2026-11-22`. */
  readonly asOf: string;
  /** RFC 3339, UTC. After it nobody accepts the release as new; one in force stays in force. */
  readonly notAfter: string;
  /** What is in force before (the parent's candidate), so that both sets are known while the candidate rolls. */
  readonly stable: ReleaseSet;
  readonly candidate: ReleaseSet;
  /** Order across proxies; parts that appear in no step have no order and move in the last one. */
  readonly steps: readonly RolloutStep[];
  /** Percentages inside each step, ending with 100. */
  readonly waves: readonly number[];
  readonly holdMs: number;
}
/** The release and its signature: a compact JWS whose payload is an in-toto statement that holds the release as predicate. */
export interface SignedRelease {
  readonly release: Release;
  readonly digest: Digest;
  readonly jws: string;
}

/** Rule id -> place. Beside the bundle, never in an object; unsigned, since nothing decides by it. */
export interface SourceMap {
  readonly [ruleId: string]: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly chain: readonly { readonly file: string; readonly line: number; readonly column: number }[];
  };
}
