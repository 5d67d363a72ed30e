import type { WorkloadKey } from '../mesh/ids';
import { nameOf, namespaceOf } from '../mesh/ids';
import type { MeshIr } from './ir';

/**
 * The name of the ProxyConfig of a workload, `<namespace>/<account>`, or `<namespace>/<account>.<workload>` where several workloads run under
 * one account. Names hold no dot (lower sees to it), so the two forms cannot meet. Throws for a key that is not in the IR.
 */
export function proxyNameOf(ir: MeshIr, workload: WorkloadKey): string {
  const name = proxyNames(ir).get(workload);
  if (name === undefined) throw new Error(`internal: no workload ${workload} in the IR`);
  return name;
}

const known = new WeakMap<MeshIr, ReadonlyMap<WorkloadKey, string>>();

/** The same for every workload at once; computed once for an IR. */
export function proxyNames(ir: MeshIr): ReadonlyMap<WorkloadKey, string> {
  const before = known.get(ir);
  if (before) return before;
  const sharers = new Map<string, number>();
  for (const workload of ir.workloads) sharers.set(workload.principal, (sharers.get(workload.principal) ?? 0) + 1);
  const names = new Map<WorkloadKey, string>();
  for (const { key, serviceAccount, principal } of ir.workloads) {
    const account = `${namespaceOf(key)}/${serviceAccount}`;
    names.set(key, sharers.get(principal) === 1 ? account : `${account}.${nameOf(key)}`);
  }
  known.set(ir, names);
  return names;
}
