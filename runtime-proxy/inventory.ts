/**
 * What runs where: universal mode reads it from a JSON file (`inventory.json`) that the control plane watches, on Kubernetes it is made from
 * Services, EndpointSlices and Pods. A change of endpoints reaches the proxies without any recompilation.
 */
import type { PortKey, WorkloadKey } from '../core/mesh/ids';

export interface Address {
  readonly host: string;
  readonly port: number;
}
export interface Instance {
  /** Unique in the mesh. */
  readonly id: string;
  readonly workload: WorkloadKey;
  /** One of the service's versions, if it has any. */
  readonly version?: string;
  /** Where it is, from the widest to the narrowest: callers prefer what is near. */
  readonly region?: string;
  readonly zone?: string;
  readonly subZone?: string;
  /** Its share of calls beside the other endpoints of its locality and priority, 1 to 1,000; default 1. */
  readonly weight?: number;
  /** 0 (the default) is called first; a higher number only when too few of the lower ones are healthy. At most 15. */
  readonly priority?: number;
  /** What discovery knows of it; absent is `healthy`. `degraded` is called when too few others are healthy, `unhealthy` when nobody else is there. */
  readonly health?: Health;
  /** Where the application itself listens, by port name. Empty for what is not called. */
  readonly app: { readonly [port: string]: Address };
  /** Where the proxy listens for callers, by port name. */
  readonly inbound: { readonly [port: string]: Address };
  /** Where the application reaches the proxy to call others over HTTP by their host names. Absent for a gateway, and where calls are captured only. */
  readonly outbound?: Address;
  /** The same for one port that is not addressed by a host name (TCP): the symbol `outbound/<port key>`, with `|<version>` for one broker of it. */
  readonly outboundPorts?: { readonly [port: string]: Address };
  /** Ports that `outboundPorts` does not place are not called from here, and that is no fault: on Kubernetes, where nobody lists them for each pod. */
  readonly outboundAsPlaced?: true;
  /** Its connections are captured (runtime-proxy/capture): the kernel sends them here, whatever address the application dialled. */
  readonly capture?: Capture;
  /**
   * Where its addresses mean something; those of another network are reached through east-west gateways alone. Absent: the network of all who name none.
   * An east-west gateway stands before the network that it is in.
   */
  readonly network?: string;
  /** Where other networks reach an east-west gateway: what stands before it, if anything does. Absent: the address of its listener. */
  readonly eastWest?: Address;
  /** A gateway's listeners, by name. */
  readonly listeners?: { readonly [listener: string]: Address };
  /** Only its addresses are known: callers reach it there, and no proxy that connects to this control plane is it. */
  readonly endpointOnly?: boolean;
  /** Ports, and the listener `east-west`, that it has and is not to be called on now: it is not ready there, or on its way out. */
  readonly away?: readonly string[];
}
/** Where captured connections arrive at the proxy. What is of a family that is not named here is refused. */
export interface Capture {
  /** All addresses of the family of those that the instance is called at: `0.0.0.0` or `::`. */
  readonly inbound: Address;
  /** Loopback. */
  readonly outbound: Address;
  /** Loopback of the other family, on the same port, where the application has both. */
  readonly outboundAlso?: Address;
}
export type Health = 'healthy' | 'degraded' | 'unhealthy';
export interface Inventory {
  readonly instances: readonly Instance[];
  /** The addresses that applications dial a service port by (Kubernetes: cluster IPs), by port key (with `|<version>` for one broker): how a captured connection is recognised. */
  readonly virtual?: VirtualAddresses;
  /**
   * IP addresses of the mesh at which no port of an instance or of `virtual` says that they are: of who only calls, of a gateway's listeners, of a second family, of a Service whose ports
   * stand for nothing, of the mesh's own servers. No range outside takes them in (bind/ranges.ts).
   */
  readonly alsoOfMesh?: readonly string[];
}
export type VirtualAddresses = { readonly [port: PortKey]: readonly Address[] };
