/**
 * The order in which exports reach the proxies: a gateway knows a server name before any caller of another network is sent there by it, and forgets it
 * after the last one has been told. Better, not necessary: a gateway that gains one name and loses another of the same caller keeps to the first.
 */
import { callableByWorkload, targetsOfRules } from '../../core/ir/edges';
import type { MeshIr } from '../../core/ir/ir';
import { sortedUnique } from '../../core/lib/order';
import type { PortKey, WorkloadKey } from '../../core/mesh/ids';
import { gatewaysOf } from '../../core/semantics/networks';

/** `first` before `then`. `hard`: else a request that is legal on both sides is refused. */
export interface Edge {
  readonly first: string;
  readonly then: string;
  readonly hard: boolean;
  readonly why: string;
}

/** Those that something gained asks for come first. */
export function exportEdges(before: MeshIr, after: MeshIr, proxyNameOf: (ir: MeshIr, workload: WorkloadKey) => string): readonly Edge[] {
  const ports = sortedUnique([...(before.networks?.exports ?? []), ...(after.networks?.exports ?? [])].map(({ port }) => port));
  const changes = ports.map((port) => ({ port, was: gatewaysOf(before.networks, port), is: gatewaysOf(after.networks, port) }));
  if (changes.every(({ was, is }) => was.join() === is.join())) return [];
  const callers = [callersByPort(before), callersByPort(after)] as const;
  const outbound = (workload: WorkloadKey): string =>
    `outbound ${proxyNameOf(after.workloads.some(({ key }) => key === workload) ? after : before, workload)}`;
  const told = (port: PortKey): readonly string[] => sortedUnique(callers.flatMap((by) => by.get(port) ?? [])).map(outbound);
  const gained = changes.flatMap(({ port, was, is }) =>
    is
      .filter((gateway) => !was.includes(gateway))
      .flatMap((gateway) =>
        told(port).map((caller) => ({ first: outbound(gateway), then: caller, hard: false, why: `${gateway} passes on to ${port}` })),
      ),
  );
  const lost = changes.flatMap(({ port, was, is }) =>
    was
      .filter((gateway) => !is.includes(gateway))
      .flatMap((gateway) =>
        told(port).map((caller) => ({
          first: caller,
          then: outbound(gateway),
          hard: false,
          why: `${gateway} passes nothing on to ${port}`,
        })),
      ),
  );
  return [...gained, ...lost];
}

/** Whose proxies hold endpoints of a port: those who may call it, or a port whose routes lead there; and gateways with a host that does. */
function callersByPort(ir: MeshIr): ReadonlyMap<PortKey, readonly WorkloadKey[]> {
  const leads = new Map<PortKey, readonly PortKey[]>([
    ...ir.routes.map(({ port, rules }) => [port, [port, ...targetsOfRules(rules)]] as const),
    ...ir.connectionRoutes.map(({ port, rules }) => [port, [port, ...rules.flatMap(({ to }) => to.map((target) => target.port))]] as const),
  ]);
  const callers = new Map<PortKey, WorkloadKey[]>();
  const add = (port: PortKey, caller: WorkloadKey): void => void callers.set(port, [...(callers.get(port) ?? []), caller]);
  for (const [caller, ports] of callableByWorkload(ir))
    for (const port of new Set(ports.flatMap((one) => leads.get(one) ?? []))) add(port, caller);
  for (const { gateway, rules } of ir.hostRoutes) for (const port of targetsOfRules(rules)) add(port, gateway);
  for (const { gateway, rules } of ir.hostConnections)
    for (const port of new Set(rules.flatMap(({ to }) => to.map((target) => target.port)))) add(port, gateway);
  return callers;
}
