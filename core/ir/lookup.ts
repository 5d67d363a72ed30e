import { serviceOfPort, type PortKey, type WorkloadKey } from '../mesh/ids';
import type { AccessRule, MeshIr, Need, Service, ServicePort } from './ir';

/** Lists of the IR by what they are asked for; made once for an IR. The definition (core/semantics/decide.ts) does without, on purpose. */
interface Lookup {
  readonly access: ReadonlyMap<PortKey, readonly AccessRule[]>;
  readonly needs: ReadonlyMap<WorkloadKey, readonly Need[]>;
  readonly services: ReadonlyMap<WorkloadKey, Service>;
}
const known = new WeakMap<MeshIr, Lookup>();

function lookup(ir: MeshIr): Lookup {
  let found = known.get(ir);
  if (!found) {
    found = {
      access: groupBy(ir.access, (rule) => rule.port),
      needs: groupBy(ir.needs, (need) => need.caller),
      services: new Map(ir.services.map((service) => [service.key, service])),
    };
    known.set(ir, found);
  }
  return found;
}

/** A port's access rules, in the order of the IR. */
export function accessOf(ir: MeshIr, port: PortKey): readonly AccessRule[] {
  return lookup(ir).access.get(port) ?? [];
}
/** What a workload needs, in the order of the IR. */
export function needsOf(ir: MeshIr, caller: WorkloadKey): readonly Need[] {
  return lookup(ir).needs.get(caller) ?? [];
}
export function serviceOf(ir: MeshIr, key: WorkloadKey): Service | undefined {
  return lookup(ir).services.get(key);
}

/** A port with its service; null: the IR does not have it. */
export function portIn(ir: MeshIr, key: PortKey): { readonly service: Service; readonly port: ServicePort } | null {
  const service = serviceOf(ir, serviceOfPort(key));
  const port = service?.ports.find((known) => known.key === key);
  return service && port ? { service, port } : null;
}

/** Whose proxy lets callers into a port: that of the workload behind it, or of the gateway on the way to a host outside. null: nobody but the caller's own. */
export function doorOf(ir: MeshIr, port: PortKey): WorkloadKey | null {
  const service = serviceOf(ir, serviceOfPort(port));
  return service?.outside ? service.outside.through : serviceOfPort(port);
}

function groupBy<K, T>(values: readonly T[], keyOf: (value: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}
