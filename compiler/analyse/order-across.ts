/**
 * The order in which exports reach the proxies: a gateway knows a server name before any caller of another network is sent there by it, and forgets it
 * after the last one has been told. A gateway is nobody's callee, so that both its parts are free for that: with the inbound one it gains names, with the
 * outbound one it loses them (control-plane/target.ts), and what it gains and loses in one release contradicts nothing (ADR 0182).
 */
import { callableByWorkload, targetsOfRules } from '../../core/ir/edges';
import type { Part } from '../../core/bundle/objects';
import type { MeshIr } from '../../core/ir/ir';
import { sortedUnique } from '../../core/lib/order';
import type { PortKey, WorkloadKey } from '../../core/mesh/ids';
import { passagesOf, type Passage } from '../../core/semantics/networks';

/** `first` before `then`. `hard`: else a request that is legal on both sides is refused. */
export interface Edge {
  readonly first: string;
  readonly then: string;
  readonly hard: boolean;
  readonly why: string;
}

/** None of them is ever part of a cycle: nothing comes before the one part of a gateway, and nothing after the other. */
export function exportEdges(before: MeshIr, after: MeshIr, proxyNameOf: (ir: MeshIr, workload: WorkloadKey) => string): readonly Edge[] {
  const gateways = sortedUnique([before, after].flatMap(({ networks }) => networks?.gateways.map(({ key }) => key) ?? []));
  const changes = gateways.flatMap((gateway) => {
    const [was, is] = [passagesOf(before, gateway), passagesOf(after, gateway)];
    return [...new Set([...was, ...is].map(({ port }) => port))].sort().map((port) => {
      const names = (passages: readonly Passage[]) => passages.flatMap((one) => (one.port === port ? [one.serverName] : []));
      return { gateway, port, was: names(was), is: names(is) };
    });
  });
  const gains = changes.filter(({ was, is }) => is.some((name) => !was.includes(name)));
  const loses = changes.filter(({ was, is }) => was.some((name) => !is.includes(name)));
  if (gains.length + loses.length === 0) return [];
  const callers = [callersByPort(before), callersByPort(after)] as const;
  const node = (part: Part, workload: WorkloadKey): string =>
    `${part} ${proxyNameOf(after.workloads.some(({ key }) => key === workload) ? after : before, workload)}`;
  const told = (port: PortKey): readonly string[] =>
    sortedUnique(callers.flatMap((by) => by.get(port) ?? [])).map((caller) => node('outbound', caller));
  const first = gains.flatMap(({ gateway, port }): readonly Edge[] =>
    told(port).map((then) => ({ first: node('inbound', gateway), then, hard: true, why: `${gateway} passes on to ${port}` })),
  );
  const last = loses.flatMap(({ gateway, port }): readonly Edge[] =>
    told(port).map((caller) => ({
      first: caller,
      then: node('outbound', gateway),
      hard: true,
      why: `${gateway} passes on to ${port} until then`,
    })),
  );
  return [...first, ...last];
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
