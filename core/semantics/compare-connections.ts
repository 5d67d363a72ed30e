/** compare.ts for connections that are routed whole: every caller of such a port, asked before and after for each server name that some rule tells apart. */
import { callableByWorkload } from '../ir/edges';
import { accessOf, doorOf, portIn, serviceOf } from '../ir/lookup';
import type { ConnectionRoutes, GatewayListener, HostConnections, MeshIr } from '../ir/ir';
import { canonicalJson } from '../lib/json';
import { addressIn, edgesOf, prefixLength } from '../lib/network';
import { sortedUnique } from '../lib/order';
import type { PortKey, WorkloadKey } from '../mesh/ids';
import { serviceOfPort } from '../mesh/ids';
import type { Comparison } from './compare';
import { decideConnection, decideOutsideConnection, type ConnectionDecision, type MeshConnection } from './decide-connection';
import { isByAddress, rangesOf, withinRanges } from './ranges';

/** In order of port, caller, server name. `at`: only connections that may end at one of these ports. */
export function* compareConnections(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null): Generator<Comparison> {
  const sides = [before && sideOf(before), sideOf(after)] as const;
  for (const port of sortedUnique([...(sides[0]?.tables.keys() ?? []), ...sides[1].tables.keys()])) {
    const tables = sides.flatMap((side) => side?.tables.get(port) ?? []);
    if (at !== null && !tables.some((table) => targetsOf(table).some((target) => at.has(target)))) continue;
    if (sides[0]?.meaning(port) === sides[1].meaning(port)) continue;
    const hosts = sides.flatMap((side) => side?.hostsOf(port) ?? []);
    const names = sortedUnique([...tables.flatMap((table) => table.rules.flatMap((rule) => rule.match?.sni ?? [])), ...hosts]);
    const stays = sides[0]?.way(port) === sides[1].way(port);
    const addresses = networksAskedAbout(
      [sides[0]?.rangesOf(port) ?? [], sides[1].rangesOf(port)],
      [sides[0]?.withinOf(port) ?? [], sides[1].withinOf(port)],
    );
    const probes: readonly Asked[] = [
      { sni: null, address: null },
      ...names.map((name): Asked => ({ sni: name.replace(/^\*/, 'any'), address: null })),
      ...sortedUnique(addresses.flatMap(edgesOf)).map((address): Asked => ({ sni: null, address })),
    ];
    for (const caller of sortedUnique(sides.flatMap((side) => side?.callersOf(port) ?? []))) {
      for (const asked of probes) {
        const [was, is] = [sides[0]?.ask(caller, port, asked) ?? null, sides[1].ask(caller, port, asked)];
        if (stays && meaningOf(was) === meaningOf(is)) continue;
        const to = asked.sni ?? asked.address;
        const text = to === null ? 'any connection' : `a connection to ${to}`;
        const probe = { text, method: '', path: '/', headers: {} };
        yield { caller, port, host: null, probe, before: was, after: is, answers: [null, null] };
      }
    }
  }
}

/** Ranges, and what is within them, before and after: all that is of one side alone, the widest first, and some of what stays. */
function networksAskedAbout(
  own: readonly [readonly string[], readonly string[]],
  within: readonly [readonly string[], readonly string[]],
): readonly string[] {
  const changed = [...differenceOf(own), ...differenceOf(within)].sort((a, b) => prefixLength(a) - prefixLength(b));
  const stays = [...new Set([...own.flat(), ...within.flat()])];
  return [...changed.slice(0, mostChanged), ...stays.slice(0, mostAddresses)];
}
function differenceOf([before, after]: readonly [readonly string[], readonly string[]]): readonly string[] {
  const [was, is] = [new Set(before), new Set(after)];
  return [...before.filter((one) => !is.has(one)), ...after.filter((one) => !was.has(one))];
}

/** What of a connection is looked at before any rule. */
type Asked = Required<Pick<MeshConnection, 'sni' | 'address'>>;

/** The same for connections from outside: each host whose connections are routed whole. In order of gateway, listener, host. */
export function* compareOutsideConnections(before: MeshIr | null, after: MeshIr, at: ReadonlySet<PortKey> | null): Generator<Comparison> {
  const places = new Map([...(before ? placesOf(before) : []), ...placesOf(after)]);
  for (const name of sortedUnique([...places.keys()])) {
    const place = places.get(name);
    if (!place) continue;
    const { gateway, listener, host } = place;
    const sni = host === '*' ? null : host.replace(/^\*/, 'any');
    const ask = (ir: MeshIr | null, address: string | null): ConnectionDecision | null =>
      ir?.gateways.some(({ key, listeners }) => key === gateway && listeners.some((one) => one.name === listener && isWhole(one)))
        ? decideOutsideConnection(ir, { gateway, listener, sni, ...(address === null ? {} : { address }) })
        : null;
    const rules = [...(before?.hostConnections ?? []), ...after.hostConnections]
      .filter((table) => table.gateway === gateway && table.listener === listener)
      .flatMap((table) => table.rules);
    for (const address of exampleAddresses(rules.flatMap(({ match }) => match?.sources ?? []))) {
      const [was, is] = [ask(before, address), ask(after, address)];
      if (meaningOf(was) === meaningOf(is)) continue;
      const ends = [...(was?.destinations ?? []), ...(is?.destinations ?? [])];
      if (at !== null && !ends.some((end) => at.has(end.port))) continue;
      const text = `${sni === null ? 'any connection' : `a connection to ${sni}`}${address === null ? '' : ` from ${address}`}`;
      const probe = { text, method: '', path: '/', headers: {} };
      yield { caller: gateway, port: null, host: { listener, host }, probe, before: was, after: is, answers: [null, null] };
    }
  }
}
const mostAddresses = 20;
const mostChanged = 200;
/** An address of each network that rules speak of, and none of them (null). */
export const exampleAddresses = (networks: readonly string[]): readonly (string | null)[] => [
  null,
  ...sortedUnique(networks).slice(0, mostAddresses).map(addressIn),
];
const isWhole = ({ speaks }: GatewayListener): boolean => speaks.kind === 'tls' || speaks.kind === 'tcp';
type Place = Pick<HostConnections, 'gateway' | 'listener' | 'host'>;
function placesOf(ir: MeshIr): readonly (readonly [string, Place])[] {
  const served = ir.gateways.flatMap(({ key, listeners }) =>
    listeners.filter(isWhole).flatMap(({ name, hosts }) => hosts.map(({ host }): Place => ({ gateway: key, listener: name, host }))),
  );
  return [...served, ...ir.hostConnections].map((place) => [`${place.gateway} ${place.listener} ${place.host}`, place]);
}

const targetsOf = (table: ConnectionRoutes): readonly PortKey[] => table.rules.flatMap((rule) => rule.to.map((target) => target.port));
const meaningOf = (decision: ConnectionDecision | null): string =>
  decision === null
    ? ''
    : canonicalJson(JSON.parse(JSON.stringify({ ...decision, says: '', because: [], route: null, destinations: ends(decision) })));
const ends = (decision: ConnectionDecision): readonly unknown[] =>
  decision.destinations.map(({ port, version, share, access }) => [port, version, share, access]);

function sideOf(ir: MeshIr) {
  const tables = new Map(ir.connectionRoutes.map((table) => [table.port, table]));
  const callable = callableByWorkload(ir);
  const callers = new Map<PortKey, WorkloadKey[]>();
  for (const { key, kind } of ir.workloads) {
    if (kind === 'gateway') continue;
    for (const port of callable.get(key) ?? []) if (tables.has(port)) callers.set(port, [...(callers.get(port) ?? []), key]);
  }
  const withinOf = (port: PortKey): readonly string[] => {
    const found = portIn(ir, port);
    return found && isByAddress(found.service) ? withinRanges(ir, found.service, found.port) : [];
  };
  return {
    tables,
    callersOf: (port: PortKey): readonly WorkloadKey[] => callers.get(port) ?? [],
    /** The hosts outside that a port stands for. */
    hostsOf: (port: PortKey): readonly string[] => serviceOf(ir, serviceOfPort(port))?.outside?.hosts ?? [],
    /** The ranges that a port stands for. */
    rangesOf: (port: PortKey): readonly string[] => {
      const service = serviceOf(ir, serviceOfPort(port));
      return service ? rangesOf(service) : [];
    },
    /** What is within them that is not its. */
    withinOf,
    /** By whom connections leave the mesh. */
    way: (port: PortKey): WorkloadKey | null => doorOf(ir, port),
    /** All that decides about a port's connections, whoever opens them. */
    meaning: (port: PortKey): string => {
      const table = tables.get(port);
      if (!table) return '';
      const ends = sortedUnique([port, ...targetsOf(table)]);
      const principals = (callers.get(port) ?? []).map((caller) => [
        caller,
        ir.workloads.find(({ key }) => key === caller)?.principal ?? null,
      ]);
      const declared = ends.map((end) => portIn(ir, end)?.port ?? null);
      const access = ends.map((end) => accessOf(ir, end).map((rule) => ({ ...rule, id: '', because: null })));
      const rules = table.rules.map(({ match, to, idleMs }) => [match, to, idleMs]);
      const outside = serviceOf(ir, serviceOfPort(port))?.outside;
      return JSON.stringify([rules, access, declared, principals, outside, withinOf(port)]);
    },
    ask: (caller: WorkloadKey, port: PortKey, asked: Asked): ConnectionDecision | null =>
      tables.has(port) && ir.workloads.some(({ key }) => key === caller)
        ? decideConnection(ir, { from: caller, to: port, ...asked })
        : null,
  };
}
