import type { MeshIr, ServicePort, Workload } from '../ir/ir';
import type { PortKey, WorkloadKey } from '../mesh/ids';
import { nameOfPort, serviceOfPort } from '../mesh/ids';

/** Throws when the IR does not have it. */
export function workloadOf(ir: MeshIr, key: WorkloadKey): Workload {
  const workload = ir.workloads.find((known) => known.key === key);
  if (!workload) throw new Error(`internal: no workload ${key} in the IR`);
  return workload;
}

/** Throws when the IR does not have it. */
export function portOf(ir: MeshIr, key: PortKey): { readonly service: MeshIr['services'][number]; readonly port: ServicePort } {
  const service = ir.services.find((known) => known.key === serviceOfPort(key));
  const port = service?.ports.find((known) => known.name === nameOfPort(key));
  if (!service || !port) throw new Error(`internal: no port ${key} in the IR`);
  return { service, port };
}
