/** What a change does to the calls of a mesh: every caller and port whose rules changed, asked before and after by probes. */
import { callableByWorkload, targetsOfRules } from '../ir/edges';
import { accessOf, needsOf, serviceOf } from '../ir/lookup';
import type { HostRoutes, MeshIr, RouteRule, RouteTable, Workload } from '../ir/ir';
import { canonicalJson } from '../lib/json';
import { sortedUnique } from '../lib/order';
import type { PortKey, WorkloadKey } from '../mesh/ids';
import { serviceOfPort } from '../mesh/ids';
import { decide } from './decide';
import type { Decision, MeshRequest } from './decision';
import { decidersOf, probesFor } from './probes';
import type { Deciders, Probe } from './probes';

/** One request, asked of both meshes. null: the mesh does not have the caller or the destination. */
export interface Comparison {
  readonly caller: WorkloadKey;
  /** The port addressed; null from outside. */
  readonly port: PortKey | null;
  /** The gateway's listener and host; null inside. */
  readonly host: { readonly listener: string; readonly host: string } | null;
  readonly probe: Probe;
  readonly before: Decision | null;
  readonly after: Decision | null;
}

/**
 * Only what differs in meaning is compared; what is the same in both is not asked. In order of place, caller and probe. `at`: only calls that may
 * end at one of these ports.
 */
export function* compareCalls(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null = null): Generator<Comparison> {
  yield* compareWithin(before, after, at);
  yield* compareOutside(before, after, at);
}

/** Whether some request of these rules may end at one of the ports. */
function leadsTo(at: ReadonlySet<PortKey> | null, rules: readonly RouteRule[]): boolean {
  return at === null || targetsOfRules(rules).some((port) => at.has(port));
}

/** Ports where another set of requests may be let in: new or gone, or their rules, their dialect or somebody's identity changed. */
export function portsWithOtherAccess(before: MeshIr, after: MeshIr): ReadonlySet<PortKey> {
  const principals = new Map(before.workloads.map((workload) => [workload.key, workload.principal]));
  const sameIdentities = after.workloads.every(({ key, principal }) => (principals.get(key) ?? principal) === principal);
  const meanings = (ir: MeshIr): ReadonlyMap<PortKey, string> =>
    new Map(
      ir.services.flatMap((service) =>
        service.ports.map((port) => [port.key, canonicalJson([port.urls, accessOf(ir, port.key)])] as const),
      ),
    );
  const [old, fresh] = [meanings(before), meanings(after)];
  return new Set([...old.keys(), ...fresh.keys()].filter((port) => !sameIdentities || old.get(port) !== fresh.get(port)));
}

function* compareWithin(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null): Generator<Comparison> {
  const sides = [before && sideOf(before), sideOf(after)] as const;
  const ports = sortedUnique([...(sides[0]?.tables.keys() ?? []), ...sides[1].tables.keys()]);
  for (const port of ports) {
    if (!sides.some((side) => leadsTo(at, side?.tables.get(port)?.rules ?? []))) continue;
    const same = sides[0]?.meaning(port) === sides[1].meaning(port);
    const callers = sortedUnique([...(sides[0]?.callersOf(port) ?? []), ...sides[1].callersOf(port)]);
    let probes: readonly Probe[] | undefined;
    const slices = [sides[0]?.slice(port, callers), sides[1].slice(port, callers)] as const;
    for (const caller of callers) {
      if (same && sides[0]?.use(caller, port) === sides[1].use(caller, port)) continue;
      probes ??= probesFor(sides.flatMap((side) => side?.deciders(port) ?? []));
      for (const probe of probes) {
        const request: MeshRequest = {
          from: { kind: 'workload', workload: caller },
          to: port,
          method: probe.method,
          path: probe.path,
          headers: probe.headers,
        };
        yield {
          caller,
          port,
          host: null,
          probe,
          before: ask(slices[0], request, caller),
          after: ask(slices[1], request, caller),
        };
      }
    }
  }
}

function* compareOutside(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null): Generator<Comparison> {
  const key = (table: HostRoutes): string => `${table.gateway} ${table.listener} ${table.host}`;
  const tables = [
    new Map((before?.hostRoutes ?? []).map((table) => [key(table), table])),
    new Map(after.hostRoutes.map((table) => [key(table), table])),
  ] as const;
  for (const name of sortedUnique([...tables[0].keys(), ...tables[1].keys()])) {
    const [old, fresh] = [tables[0].get(name), tables[1].get(name)];
    const table = fresh ?? old;
    if (!table || !(leadsTo(at, old?.rules ?? []) || leadsTo(at, fresh?.rules ?? []))) continue;
    const meaning = (ir: MeshIr | null, own: HostRoutes | undefined): string =>
      ir && own
        ? canonicalJson([own.rules, decidersOf(ir, own.rules, null).access, targetUrls(ir, own.rules), principalOf(ir, own.gateway)])
        : '';
    if (meaning(before, old) === meaning(after, fresh)) continue;
    const deciders = [
      ...(before && old ? [decidersOf(before, old.rules, null)] : []),
      ...(fresh ? [decidersOf(after, fresh.rules, null)] : []),
    ];
    const host = table.host.replace('*', 'any');
    const ask = (ir: MeshIr | null, probe: Probe): Decision | null => {
      if (!ir?.gateways.some((gateway) => gateway.key === table.gateway)) return null;
      return decide(ir, {
        from: { kind: 'outside', gateway: table.gateway, listener: table.listener, host },
        to: null,
        method: probe.method,
        path: probe.path,
        headers: probe.headers,
      });
    };
    for (const probe of probesFor(deciders)) {
      yield {
        caller: table.gateway,
        port: null,
        host: { listener: table.listener, host: table.host },
        probe,
        before: ask(before, probe),
        after: ask(after, probe),
      };
    }
  }
}

/** One mesh, indexed for asking about many ports. */
function sideOf(ir: MeshIr) {
  const tables = new Map<PortKey, RouteTable>(ir.routes.map((table) => [table.port, table]));
  const callable = callableByWorkload(ir);
  const workloads = new Map<WorkloadKey, Workload>(ir.workloads.map((workload) => [workload.key, workload]));
  const callers = new Map<PortKey, WorkloadKey[]>();
  for (const workload of ir.workloads) {
    if (workload.kind === 'gateway') continue;
    for (const port of callable.get(workload.key) ?? []) callers.set(port, [...(callers.get(port) ?? []), workload.key]);
  }
  const deciders = (port: PortKey): readonly Deciders[] => {
    const table = tables.get(port);
    return table ? [decidersOf(ir, table.rules, port)] : [];
  };
  return {
    tables,
    deciders,
    callersOf: (port: PortKey): readonly WorkloadKey[] => callers.get(port) ?? [],
    /** All that decides about a port but who its caller is. */
    meaning: (port: PortKey): string => {
      const table = tables.get(port);
      return table ? canonicalJson([table.rules, deciders(port).map((d) => d.access), targetUrls(ir, table.rules)]) : '';
    },
    /** What a caller has to do with a port. */
    use: (caller: WorkloadKey, port: PortKey): string =>
      canonicalJson([
        (callable.get(caller) ?? []).includes(port),
        workloads.get(caller)?.principal ?? null,
        needsOf(ir, caller)
          .filter((need) => need.targets.includes(port))
          .map(({ timeoutMs, retry }) => ({ timeoutMs, retry })),
      ]),
    /** The mesh less what cannot matter to these callers of this port: asking it costs what the port costs, not what the mesh does. */
    slice: (port: PortKey, callersOfBoth: readonly WorkloadKey[]): MeshIr | null => {
      const table = tables.get(port);
      if (!table) return null;
      const services = sortedUnique([port, ...targetsOfRules(table.rules)].map(serviceOfPort)).flatMap((key) => serviceOf(ir, key) ?? []);
      return {
        ...ir,
        workloads: callersOfBoth.flatMap((caller) => workloads.get(caller) ?? []),
        services,
        routes: [table],
        access: deciders(port).flatMap((decider) => decider.access),
        needs: callersOfBoth.flatMap((caller) => needsOf(ir, caller).filter((need) => need.targets.includes(port))),
      };
    },
  };
}

function ask(slice: MeshIr | null | undefined, request: MeshRequest, caller: WorkloadKey): Decision | null {
  return slice?.workloads.some((workload) => workload.key === caller) ? decide(slice, request) : null;
}

function targetUrls(ir: MeshIr, rules: RouteTable['rules']): readonly string[] {
  const ports = new Set(rules.flatMap((rule) => (rule.action.kind === 'forward' ? rule.action.to.map((target) => target.port) : [])));
  return [...ports].sort().map((port) => `${port} ${serviceOf(ir, serviceOfPort(port))?.ports.find((known) => known.key === port)?.urls}`);
}
function principalOf(ir: MeshIr, workload: WorkloadKey): string | null {
  return ir.workloads.find((known) => known.key === workload)?.principal ?? null;
}
