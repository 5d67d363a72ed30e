import type { MeshIr, RouteRule } from './ir';
import type { PortKey, Principal, WorkloadKey } from '../mesh/ids';

/**
 * Which ports a workload's proxy holds: those that some enforced allow gives it by name, and those it needs and some allow, however broad, gives it.
 * The access policy is the dependency graph. Sorted.
 */
export function callablePorts(ir: MeshIr, workload: WorkloadKey): readonly PortKey[] {
  return callableByWorkload(ir).get(workload) ?? [];
}

const cache = new WeakMap<MeshIr, ReadonlyMap<WorkloadKey, readonly PortKey[]>>();

/** The same for every workload at once; computed once for an IR. */
export function callableByWorkload(ir: MeshIr): ReadonlyMap<WorkloadKey, readonly PortKey[]> {
  const known = cache.get(ir);
  if (known) return known;
  const named = new Map<Principal, Set<PortKey>>();
  const broad = new Map<Principal, Set<PortKey>>();
  for (const rule of ir.access) {
    if (rule.action !== 'allow' || rule.mode !== 'enforce' || rule.callers.kind !== 'principals') continue;
    for (const caller of rule.callers.principals) {
      const into = caller.named ? named : broad;
      let ports = into.get(caller.principal);
      if (!ports) into.set(caller.principal, (ports = new Set()));
      ports.add(rule.port);
    }
  }
  const needed = new Map<WorkloadKey, Set<PortKey>>();
  for (const need of ir.needs) {
    let ports = needed.get(need.caller);
    if (!ports) needed.set(need.caller, (ports = new Set()));
    for (const port of need.targets) ports.add(port);
  }
  const result = new Map<WorkloadKey, readonly PortKey[]>();
  for (const workload of ir.workloads) {
    const ports = new Set(named.get(workload.principal) ?? []);
    const wide = broad.get(workload.principal);
    if (wide) for (const port of needed.get(workload.key) ?? []) if (wide.has(port)) ports.add(port);
    result.set(workload.key, [...ports].sort());
  }
  cache.set(ir, result);
  return result;
}

/** The ports that a list of route rules may send requests to, copies included. Sorted, without duplicates. */
export function targetsOfRules(rules: readonly RouteRule[]): readonly PortKey[] {
  const ports = new Set<PortKey>();
  for (const rule of rules)
    if (rule.action.kind === 'forward') for (const { port } of [...rule.action.to, ...rule.action.mirrors]) ports.add(port);
  return [...ports].sort();
}
