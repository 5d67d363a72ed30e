/**
 * The order in which the names that a gateway passes on reach the proxies, those of exports and those of hosts outside: the gateway knows a name before
 * any caller is sent there by it, and forgets it after the last one has been told. Such a gateway has both its moves for that: with the inbound part it
 * gains names, with the outbound one it loses them (control-plane/target.ts), and what it gains and loses in one release contradicts nothing (ADR 0182, 0198).
 */
import { callableByWorkload, targetsOfRules } from '../../core/ir/edges';
import type { Part } from '../../core/bundle/objects';
import type { MeshIr } from '../../core/ir/ir';
import { sortedUnique } from '../../core/lib/order';
import type { PortKey, WorkloadKey } from '../../core/mesh/ids';
import { namedCloser } from '../../core/semantics/address';
import { hostCovers } from '../../core/semantics/match';
import { passagesOf, type Passage } from '../../core/semantics/networks';

/** `first` before `then`. `hard`: else a request that is legal on both sides is refused. */
export interface Edge {
  readonly first: string;
  readonly then: string;
  readonly hard: boolean;
  readonly why: string;
}

type NameOf = (ir: MeshIr, workload: WorkloadKey) => string;
/** A port of which a gateway passes on more than before, or less. `hard`: somebody may be under way by it. */
interface Change {
  readonly gateway: WorkloadKey;
  readonly port: PortKey;
  readonly kind: 'gains' | 'loses';
  readonly hard: boolean;
}

export function gatewayEdges(before: MeshIr, after: MeshIr, proxyNameOf: NameOf): readonly Edge[] {
  const changes = [...exportChanges(before, after), ...egressChanges(before, after)];
  if (changes.length === 0) return [];
  const callers = [callersByPort(before), callersByPort(after)] as const;
  const node = (part: Part, workload: WorkloadKey): string =>
    `${part} ${proxyNameOf(after.workloads.some(({ key }) => key === workload) ? after : before, workload)}`;
  return changes.flatMap(({ gateway, port, kind, hard }): readonly Edge[] =>
    sortedUnique(callers.flatMap((by) => by.get(port) ?? [])).map((caller) =>
      kind === 'gains'
        ? { first: node('inbound', gateway), then: node('outbound', caller), hard, why: `${gateway} passes on to ${port}` }
        : { first: node('outbound', caller), then: node('outbound', gateway), hard, why: `${gateway} passes on to ${port} until then` },
    ),
  );
}

/** None of them is ever part of a cycle: nothing else comes before the one part of a gateway between networks, and nothing after the other. */
function exportChanges(before: MeshIr, after: MeshIr): readonly Change[] {
  const gateways = sortedUnique([before, after].flatMap(({ networks }) => networks?.gateways.map(({ key }) => key) ?? []));
  return gateways.flatMap((gateway) => {
    const [was, is] = [passagesOf(before, gateway), passagesOf(after, gateway)];
    return [...new Set([...was, ...is].map(({ port }) => port))].sort().flatMap((port) => {
      const names = (passages: readonly Passage[]) => passages.flatMap((one) => (one.port === port ? [one.serverName] : []));
      return changesOf({ gateway, port }, names(was), names(is), () => true);
    });
  });
}

/** Hosts outside, by the gateways that dial them. Hard where the host is called before and after, were it by another port or without a gateway. */
function egressChanges(before: MeshIr, after: MeshIr): readonly Change[] {
  const [was, is] = [outsideBy(before), outsideBy(after)];
  const known = (ir: MeshIr, name: string): boolean =>
    ir.services.some(({ outside }) => outside?.hosts.some((host) => host === name || hostCovers(host, name)) === true);
  return sortedUnique([...was.keys(), ...is.keys()]).flatMap((door) => {
    const one = was.get(door) ?? is.get(door);
    if (one === undefined) return [];
    // what somebody names closer is no host of a wildcard any more: as if it had been one by itself
    const closer = sortedUnique([...(was.get(door)?.closer ?? []), ...(is.get(door)?.closer ?? [])]);
    const all = (side: Passed | undefined): readonly string[] => [
      ...(side?.names ?? []),
      ...closer.filter((name) => side?.closer.includes(name) === false && side.names.some((host) => hostCovers(host, name))),
    ];
    return changesOf(one, all(was.get(door)), all(is.get(door)), (name) => known(before, name) && known(after, name));
  });
}

interface Passed extends Pick<Change, 'gateway' | 'port'> {
  readonly names: readonly string[];
  readonly closer: readonly string[];
}
function outsideBy(ir: MeshIr): ReadonlyMap<string, Passed> {
  return new Map(
    ir.services.flatMap((service) => {
      const { outside, ports } = service;
      const gateway = outside?.through;
      if (!outside || !gateway) return [];
      const closer = namedCloser(ir.services, service);
      return ports.map(({ key }): [string, Passed] => [`${gateway} ${key}`, { gateway, port: key, names: outside.hosts, closer }]);
    }),
  );
}

function changesOf(
  { gateway, port }: Pick<Change, 'gateway' | 'port'>,
  was: readonly string[],
  is: readonly string[],
  isUnderWay: (name: string) => boolean,
): readonly Change[] {
  const [come, go] = [is.filter((name) => !was.includes(name)), was.filter((name) => !is.includes(name))];
  return [
    ...(come.length > 0 ? [{ gateway, port, kind: 'gains' as const, hard: come.some(isUnderWay) }] : []),
    ...(go.length > 0 ? [{ gateway, port, kind: 'loses' as const, hard: go.some(isUnderWay) }] : []),
  ];
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
