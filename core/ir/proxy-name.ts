import type { MeshIr } from './ir';
import { nameOf, namespaceOf, type Principal, type WorkloadKey } from '../mesh/ids';

const shared = new WeakMap<MeshIr, ReadonlyMap<WorkloadKey, string>>();

/**
 * The name of a workload's ProxyConfig, `<namespace>/<service account>`; where several workloads share the account,
 * `<namespace>/<service account>.<workload name>` for each of them. Throws on a workload that the IR does not have.
 */
export function proxyNameOf(ir: MeshIr, workload: WorkloadKey): string {
  const name = proxyNames(ir).get(workload);
  if (name === undefined) throw new Error(`internal: no workload ${workload} in the mesh`);
  return name;
}

/** The same for every workload at once; computed once for an IR. */
export function proxyNames(ir: MeshIr): ReadonlyMap<WorkloadKey, string> {
  const known = shared.get(ir);
  if (known) return known;
  const users = new Map<Principal, number>();
  for (const workload of ir.workloads) users.set(workload.principal, (users.get(workload.principal) ?? 0) + 1);
  const names = new Map<WorkloadKey, string>();
  for (const workload of ir.workloads) {
    const base = `${namespaceOf(workload.key)}/${workload.serviceAccount}`;
    names.set(workload.key, (users.get(workload.principal) ?? 0) > 1 ? `${base}.${nameOf(workload.key)}` : base);
  }
  shared.set(ir, names);
  return names;
}
