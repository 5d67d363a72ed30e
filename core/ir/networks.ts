/** What of the mesh is reached from another network. Which network an instance is in, the inventory says: no rule depends on it. */
import type { PortKey, RuleId, WorkloadKey } from '../mesh/ids';

export interface Networks {
  /** By key. */
  readonly gateways: readonly EastWestGateway[];
  /** One for each port that is exported. By port. */
  readonly exports: readonly Export[];
}
/** Stands before the network that its instance is in, and passes connections into it, as they are, by the server name that they ask for. */
export interface EastWestGateway {
  readonly id: RuleId;
  readonly key: WorkloadKey;
  readonly port: number;
}
/** The endpoints of a port, in each network where one of these gateways stands, are reached from the others through it. */
export interface Export {
  readonly id: RuleId;
  readonly port: PortKey;
  /** Sorted, at least one. */
  readonly gateways: readonly WorkloadKey[];
}
