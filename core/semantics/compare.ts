/** What a change does to the calls of a mesh: every caller and port whose rules changed, asked before and after by probes. */
import { callableByWorkload, targetsOfRules } from '../ir/edges';
import { accessOf, doorOf, needsOf, portIn, serviceOf } from '../ir/lookup';
import type { GatewayListener, HostRoutes, MeshIr, RouteRule, RouteTable, Service, Workload } from '../ir/ir';
import { canonicalJson, type Json } from '../lib/json';
import { sortedUnique } from '../lib/order';
import type { PortKey, Principal, WorkloadKey } from '../mesh/ids';
import { serviceOfPort } from '../mesh/ids';
import { hostRoutesFor, listenerOf, namedCloser } from './address';
import { probesOfNames, saidOfNames, withNumbers } from './compare-names';
import { compareConnections, compareOutsideConnections, exampleAddresses } from './compare-connections';
import { decide } from './decide';
import type { Decision, MeshRequest } from './decision';
import { coversPrincipal } from './inbound';
import { corsProbes, decidersOf, differing, probesFor } from './probes';
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
  /** What the mesh itself answers before and after, beyond the status: a redirect's target, a body. null: it forwards or refuses. */
  readonly answers: readonly [Answer | null, Answer | null];
}
export type Answer = Exclude<RouteRule['action'], { kind: 'forward' }>;

/**
 * Only what differs in meaning is compared; what is the same in both is not asked. In order of place, caller and probe. `at`: only calls that may
 * end at one of these ports.
 */
export function* compareCalls(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null = null): Generator<Comparison> {
  yield* compareWithin(before, after, at);
  yield* compareConnections(before, after, at);
  yield* compareOutside(before, after, at);
  yield* compareOutsideConnections(before, after, at);
}

/** Whether some request of these rules may end at one of the ports. */
function leadsTo(at: ReadonlySet<PortKey> | null, rules: readonly RouteRule[]): boolean {
  return at === null || targetsOfRules(rules).some((port) => at.has(port));
}

/** Ports where another set of requests may be let in: new or gone, or their rules, their dialect, who judges by them or somebody's identity changed. */
export function portsWithOtherAccess(before: MeshIr, after: MeshIr): ReadonlySet<PortKey> {
  const principals = new Map(before.workloads.map((workload) => [workload.key, workload.principal]));
  const sameIdentities = after.workloads.every(({ key, principal }) => (principals.get(key) ?? principal) === principal);
  const meanings = (ir: MeshIr): ReadonlyMap<PortKey, string> =>
    new Map(
      ir.services.flatMap((service) =>
        service.ports.map((port) => {
          const access = accessOf(ir, port.key);
          const issuers = access.some(({ user }) => user !== null) ? ir.issuers : [];
          return [port.key, canonicalJson([port.urls, access, issuers, doorOf(ir, port.key), namesBehind(ir, service)])] as const;
        }),
      ),
    );
  const [old, fresh] = [meanings(before), meanings(after)];
  return new Set([...old.keys(), ...fresh.keys()].filter((port) => !sameIdentities || old.get(port) !== fresh.get(port)));
}

/** What a gateway on the way out lets through by name. */
function namesBehind(ir: MeshIr, service: Service): Json {
  return service.outside?.through ? [[...service.outside.hosts], [...namedCloser(ir.services, service)]] : [];
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
      const meaningFor = (side: ReturnType<typeof sideOf> | null): string =>
        `${side?.use(caller, port)} ${same ? '' : side?.meaning(port, caller)}`;
      if (meaningFor(sides[0]) === meaningFor(sides[1])) continue;
      probes ??= probesOf(before, after, port, [sides[0]?.tables.get(port), sides[1].tables.get(port)]);
      for (const probe of probes) {
        const request: MeshRequest = {
          from: { kind: 'workload', workload: caller },
          to: port,
          method: probe.method,
          path: probe.path,
          headers: probe.headers,
          ...(probe.claims ? { claims: probe.claims } : {}),
        };
        const [was, is] = [ask(slices[0], request, caller), ask(slices[1], request, caller)];
        const answers = [answerOf(sides[0]?.tables.get(port)?.rules, was), answerOf(sides[1].tables.get(port)?.rules, is)] as const;
        yield { caller, port, host: null, probe, before: was, after: is, answers };
      }
    }
  }
}

function* compareOutside(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null): Generator<Comparison> {
  const places = new Map([...placesOf(before), ...placesOf(after)]);
  for (const name of sortedUnique([...places.keys()])) {
    const place = places.get(name);
    if (!place) continue;
    const host = place.host.replace('*', 'any');
    const [old, fresh] = [before && routesAt(before, place, host), routesAt(after, place, host)];
    if (!(leadsTo(at, old?.rules ?? []) || leadsTo(at, fresh?.rules ?? []))) continue;
    const meaning = (ir: MeshIr | null, own: HostRoutes | null): string =>
      ir && own
        ? canonicalJson([meaningOf(ir, own, null, principalOf(ir, own.gateway)), principalOf(ir, own.gateway), spokenAt(ir, own)])
        : '';
    if (meaning(before, old) === meaning(after, fresh)) continue;
    const [was, is] = [before && old ? [decidersOf(before, old.rules, null)] : [], fresh ? [decidersOf(after, fresh.rules, null)] : []];
    const ask = (ir: MeshIr | null, probe: Probe, address: string | null): Decision | null => {
      if (
        !ir?.gateways.some(
          ({ key, listeners }) =>
            key === place.gateway && listeners.some(({ name, speaks }) => name === place.listener && isRequests(speaks)),
        )
      )
        return null;
      return decide(ir, {
        from: { kind: 'outside', gateway: place.gateway, listener: place.listener, host, ...(address === null ? {} : { address }) },
        to: null,
        method: probe.method,
        path: probe.path,
        headers: probe.headers,
        ...(probe.claims ? { claims: probe.claims } : {}),
      });
    };
    const addresses = exampleAddresses([...(old?.rules ?? []), ...(fresh?.rules ?? [])].flatMap(({ match }) => match?.sources ?? []));
    for (const plain of [...corsProbes([old?.cors ?? null, fresh?.cors ?? null]), ...probesFor([...was, ...is], differing(was, is))]) {
      for (const address of addresses) {
        const decisions = [ask(before, plain, address), ask(after, plain, address)] as const;
        yield {
          caller: place.gateway,
          port: null,
          host: { listener: place.listener, host: place.host },
          probe: address === null ? plain : { ...plain, text: `${plain.text} from ${address}` },
          before: decisions[0],
          after: decisions[1],
          answers: [answerOf(old?.rules, decisions[0]), answerOf(fresh?.rules, decisions[1])],
        };
      }
    }
  }
}

/** What is asked of a port: by what tells requests apart, and of each name that comes to be its own or ceases to be. */
function probesOf(
  before: MeshIr | null,
  after: MeshIr,
  port: PortKey,
  [old, fresh]: readonly [RouteTable | undefined, RouteTable | undefined],
): readonly Probe[] {
  const [was, is] = [before && old ? [decidersOf(before, old.rules, port)] : [], fresh ? [decidersOf(after, fresh.rules, port)] : []];
  const probes = withNumbers(fresh ? after : (before ?? after), port, probesFor([...was, ...is], differing(was, is)));
  return [...corsProbes([old?.cors ?? null, fresh?.cors ?? null]), ...probes, ...probesOfNames(before, after, port, probes)];
}

type Place = Pick<HostRoutes, 'gateway' | 'listener' | 'host'>;
/** Every host that a gateway serves or somebody routes there: one that is served and not routed takes requests away from a wildcard. */
function placesOf(ir: MeshIr | null): readonly (readonly [string, Place])[] {
  const served = (ir?.gateways ?? []).flatMap(({ key, listeners }) =>
    listeners
      .filter(({ speaks }) => isRequests(speaks))
      .flatMap((listener) => listener.hosts.map(({ host }): Place => ({ gateway: key, listener: listener.name, host }))),
  );
  return [...served, ...(ir?.hostRoutes ?? [])].map((place) => [
    `${place.gateway} ${place.listener} ${place.host}`,
    { gateway: place.gateway, listener: place.listener, host: place.host },
  ]);
}
const isRequests = ({ kind }: GatewayListener['speaks']): boolean => kind === 'http' || kind === 'https';
/** What a listener speaks, and with whom: a redirect keeps the scheme, and who shows no certificate may get no connection. */
function spokenAt(ir: MeshIr, { gateway, listener }: Place): Json {
  const known = ir.gateways.find((candidate) => candidate.key === gateway);
  const speaks = known && listenerOf(known, listener).speaks;
  return speaks ? [speaks.kind, ...(speaks.kind === 'https' && speaks.clients ? [canonicalJson(speaks.clients)] : [])] : [];
}
/** The routes that a request to a host comes to, its own or those of a wildcard over it. */
function routesAt(ir: MeshIr, { gateway, listener }: Place, host: string): HostRoutes | null {
  const known = ir.gateways.find((candidate) => candidate.key === gateway);
  const found = known?.listeners.some(({ name, speaks }) => name === listener && isRequests(speaks))
    ? hostRoutesFor(ir, known, listener, host, host)
    : 'not here';
  return typeof found === 'string' ? null : found;
}

function answerOf(rules: readonly RouteRule[] | undefined, decision: Decision | null): Answer | null {
  const action = decision?.route && decision.stage === 'route' ? rules?.[decision.route.index]?.action : undefined;
  return action === undefined || action.kind === 'forward' ? null : action;
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
    /** All that decides about a port but who its caller is; of the rules only those about `caller` when one is given. */
    meaning: (port: PortKey, caller?: WorkloadKey): string => {
      const table = tables.get(port);
      return table ? meaningOf(ir, table, port, caller && (workloads.get(caller)?.principal ?? null)) : '';
    },
    /** What a caller has to do with a port. */
    use: (caller: WorkloadKey, port: PortKey): string =>
      canonicalJson([
        (callable.get(caller) ?? []).includes(port),
        workloads.get(caller)?.principal ?? null,
        needsOf(ir, caller)
          .filter((need) => need.targets.includes(port))
          .map(({ timeoutMs, idleMs, retry, connections }) => ({ timeoutMs, idleMs, retry, connections })),
      ]),
    /** The mesh less what cannot matter to these callers of this port: asking it costs what the port costs, not what the mesh does. */
    slice: (port: PortKey, callersOfBoth: readonly WorkloadKey[]): MeshIr | null => {
      const table = tables.get(port);
      if (!table) return null;
      const services = sortedUnique([port, ...targetsOfRules(table.rules)].map(serviceOfPort)).flatMap((key) => {
        const service = serviceOf(ir, key);
        return service ? saidOfNames(ir, service) : [];
      });
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

/** What rules and the access to where they lead say, whatever they are called. */
function meaningOf(
  ir: MeshIr,
  { cors, rules }: Pick<RouteTable, 'cors' | 'rules'>,
  port: PortKey | null,
  caller?: Principal | null,
): string {
  const access = decidersOf(ir, rules, port)
    .access.filter((rule) => caller === undefined || (caller !== null && coversPrincipal(rule.callers, caller)))
    .map((rule) => canonicalJson({ ...rule, id: '', because: null, callers: caller === undefined ? rule.callers : [] }));
  return canonicalJson([
    cors,
    rules.map(({ match, action }) => [match, action]),
    sortedUnique(access),
    targetUrls(ir, rules),
    ...outsideOf(ir, rules),
  ]);
}

function targetUrls(ir: MeshIr, rules: RouteTable['rules']): readonly string[] {
  return targetsOfRules(rules).map((port) => `${port} ${portIn(ir, port)?.port.urls}`);
}
/** Where requests that leave the mesh go, and whom they trust there. */
function outsideOf(ir: MeshIr, rules: RouteTable['rules']): readonly Json[] {
  return targetsOfRules(rules).flatMap((port) => {
    const found = portIn(ir, port);
    if (!found?.service.outside) return [];
    const { hosts, at, trust, through } = found.service.outside;
    const closer = [...namedCloser(ir.services, found.service)];
    return [
      [
        port,
        found.port.protocol,
        found.port.number,
        [...hosts],
        closer,
        [...(at ?? [])],
        trust,
        through && [through, principalOf(ir, through)],
      ],
    ];
  });
}
function principalOf(ir: MeshIr, workload: WorkloadKey): Principal | null {
  return ir.workloads.find((known) => known.key === workload)?.principal ?? null;
}
