/** What emission asks of the IR again and again, found once. */
import { callableByWorkload } from '../../../core/ir/edges';
import type {
  AccessRule,
  ConnectionRoutes,
  HostRoutes,
  MeshIr,
  Patch,
  RouteTable,
  Service,
  ServicePort,
  Workload,
} from '../../../core/ir/ir';
import { builtInIdleMs } from '../../../core/ir/resilience';
import type { PortKey, WorkloadKey } from '../../../core/mesh/ids';
import { clusterName } from './names';

export interface PortFacts {
  readonly service: Service;
  readonly port: ServicePort;
  /** Whose proxy lets callers in: outside the mesh the gateway on the way there. null: nobody's. */
  readonly workload: Workload | null;
}
export interface IrIndex {
  readonly ir: MeshIr;
  readonly ports: ReadonlyMap<PortKey, PortFacts>;
  readonly services: ReadonlyMap<WorkloadKey, Service>;
  readonly access: ReadonlyMap<PortKey, readonly AccessRule[]>;
  readonly tables: ReadonlyMap<PortKey, RouteTable>;
  readonly connections: ReadonlyMap<PortKey, ConnectionRoutes>;
  /** The longest time that some route gives a request of the port (on connections: without a byte), in milliseconds. */
  readonly longest: ReadonlyMap<PortKey, number>;
  readonly patches: ReadonlyMap<PortKey, readonly Patch[]>;
  readonly callable: ReadonlyMap<WorkloadKey, readonly PortKey[]>;
  /** Cluster name -> the retry budgets of the rules that go there, in percent, ascending. */
  readonly budgets: ReadonlyMap<string, readonly number[]>;
  /** The longest that some rule lets a request to a port stand still, where that is longer than everywhere. */
  readonly idles: ReadonlyMap<PortKey, number>;
  /** Versions (null: all) of a port that gateways' hosts forward to. */
  readonly fromGateways: ReadonlyMap<PortKey, ReadonlySet<string | null>>;
  /** Ports that hosts of listeners in plain HTTP forward to. */
  readonly fromPlain: ReadonlySet<PortKey>;
}

export function indexIr(ir: MeshIr): IrIndex {
  const workloads = new Map(ir.workloads.map((workload) => [workload.key, workload]));
  const ports = new Map<PortKey, PortFacts>();
  for (const service of ir.services) {
    const workload = workloads.get(service.outside?.through ?? service.key) ?? null;
    if (!workload && !service.outside) throw new Error(`internal: no workload behind ${service.key}`);
    for (const port of service.ports) ports.set(port.key, { service, port, workload });
  }
  const fromGateways = new Map<PortKey, Set<string | null>>();
  for (const table of ir.hostRoutes) {
    for (const rule of table.rules) {
      if (rule.action.kind !== 'forward') continue;
      for (const target of [...rule.action.to, ...rule.action.mirrors])
        entry(fromGateways, target.port, () => new Set<string | null>()).add(target.version);
    }
  }
  for (const rule of ir.hostConnections.flatMap((table) => table.rules))
    for (const target of rule.to) entry(fromGateways, target.port, () => new Set<string | null>()).add(target.version);
  return {
    ir,
    ports,
    services: new Map(ir.services.map((service) => [service.key, service])),
    access: groupBy(ir.access, (rule) => rule.port),
    tables: new Map(ir.routes.map((table) => [table.port, table])),
    connections: new Map(ir.connectionRoutes.map((table) => [table.port, table])),
    longest: longestOf(ir),
    patches: groupBy(ir.patches, (patch) => patch.port),
    callable: callableByWorkload(ir),
    budgets: budgetsOf(ir),
    idles: idlesOf(ir),
    fromGateways,
    fromPlain: plainlyReached(ir),
  };
}

function plainlyReached(ir: MeshIr): ReadonlySet<PortKey> {
  const isPlain = ({ gateway, listener }: HostRoutes): boolean =>
    ir.gateways.some(
      ({ key, listeners }) => key === gateway && listeners.some(({ name, speaks }) => name === listener && speaks.kind === 'http'),
    );
  const actions = ir.hostRoutes.filter(isPlain).flatMap(({ rules }) => rules.map(({ action }) => action));
  return new Set(actions.flatMap((action) => (action.kind === 'forward' ? [...action.to, ...action.mirrors].map(({ port }) => port) : [])));
}

function longestOf(ir: MeshIr): ReadonlyMap<PortKey, number> {
  const longest = new Map<PortKey, number>();
  const add = (port: PortKey, time: number): void => void longest.set(port, Math.max(time, longest.get(port) ?? 0));
  for (const table of [...ir.routes, ...ir.hostRoutes])
    for (const { action } of table.rules) if (action.kind === 'forward') for (const { port } of action.to) add(port, action.timeoutMs);
  for (const table of ir.connectionRoutes)
    for (const rule of table.rules) for (const { port } of [...rule.to, { port: table.port }]) add(port, rule.idleMs);
  for (const table of ir.hostConnections) for (const rule of table.rules) for (const { port } of rule.to) add(port, rule.idleMs);
  return longest;
}

/** A cluster is shared by all rules that go to it, and Envoy keeps the budget there. A caller that asks for a smaller one gets a cluster of its own. */
function budgetsOf(ir: MeshIr): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, Set<number>>();
  for (const table of [...ir.routes, ...ir.hostRoutes]) {
    for (const rule of table.rules) {
      const budget = rule.action.kind === 'forward' ? (rule.action.retry?.budgetPercent ?? null) : null;
      if (rule.action.kind !== 'forward' || budget === null) continue;
      for (const target of rule.action.to) entry(found, clusterName(target.port, target.version), () => new Set<number>()).add(budget);
    }
  }
  return new Map([...found].map(([name, budgets]) => [name, [...budgets].sort((a, b) => a - b)]));
}

function idlesOf(ir: MeshIr): ReadonlyMap<PortKey, number> {
  const longest = new Map<PortKey, number>();
  for (const { action } of [...ir.routes, ...ir.hostRoutes].flatMap((table) => table.rules)) {
    if (action.kind !== 'forward' || action.idleMs <= builtInIdleMs) continue;
    for (const { port } of action.to) longest.set(port, Math.max(action.idleMs, longest.get(port) ?? 0));
  }
  return longest;
}

export function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): ReadonlyMap<K, readonly V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) entry(groups, keyOf(value), (): V[] => []).push(value);
  return groups;
}
