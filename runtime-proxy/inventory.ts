/**
 * What runs where: universal mode reads it from a JSON file (`inventory.json`) that the control plane watches, on Kubernetes it is made from
 * Services, EndpointSlices and Pods. A change of endpoints reaches the proxies without any recompilation.
 */
import type { WorkloadKey } from '../core/mesh/ids';

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
  readonly zone?: string;
  /** Where the application itself listens, by port name. Empty for what is not called. */
  readonly app: { readonly [port: string]: Address };
  /** Where the proxy listens for callers, by port name. */
  readonly inbound: { readonly [port: string]: Address };
  /** Where the application reaches the proxy to call others. Absent for a gateway. */
  readonly outbound?: Address;
  /** A gateway's listeners, by name. */
  readonly listeners?: { readonly [listener: string]: Address };
  /** Ports that it has and is not to be called on now: it is not ready there, or on its way out. */
  readonly away?: readonly string[];
}
export interface Inventory {
  readonly instances: readonly Instance[];
}
