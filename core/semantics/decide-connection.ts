/**
 * What a connection means that no proxy reads requests of: TCP and what is spoken over it, and TLS that is passed through. Both hops, like `decide`;
 * nobody answers with a status, a connection that is refused is closed.
 */
import { callablePorts } from '../ir/edges';
import { hostPort } from '../lib/host-port';
import { isConnection } from '../ir/layers';
import type { ConnectionMatch, ConnectionRule, MeshIr, Workload } from '../ir/ir';
import type { PortKey, Principal, WorkloadKey } from '../mesh/ids';
import { nameOf } from '../mesh/ids';
import { hostConnectionsFor } from './address';
import { combined, nothing } from './follow';
import { decideInbound } from './inbound';
import { portOf, workloadOf } from './nouns';
import type { Decision } from './decision';
import { hostCovers, isFrom } from './match';
import { faultOfDialled, isByAddress, portAt, reservedAs } from './ranges';

/** A connection as the caller's application opens it. */
export interface MeshConnection {
  readonly from: WorkloadKey;
  readonly to: PortKey;
  /** The server name in its ClientHello (RFC 6066 section 3); null where it names none, and on ports that are not TLS. */
  readonly sni: string | null;
  /** The broker addressed, on a port that has them; null: whichever. */
  readonly broker?: string | null;
  /** The address dialled, which is what ranges outside are known by; null: one that is the port's. */
  readonly address?: string | null;
}
/** `timeoutMs` and `retry` are null: neither is of connections. */
/** `idleMs`: after so long without a byte it is closed. */
export interface ConnectionDecision extends Decision {
  /** How many a caller's proxy opens at most to each of its destinations; one more is closed. null: no limit. */
  readonly connections: number | null;
}

/** Throws when it names a workload or port that the IR does not have, or a port of another layer. */
export function decideConnection(ir: MeshIr, connection: MeshConnection): ConnectionDecision {
  const caller = workloadOf(ir, connection.from);
  const { service, port } = portOf(ir, connection.to);
  if (!isConnection(port.layer))
    throw new Error(`internal: ${port.key} speaks ${port.protocol}: its requests are decided, not its connections`);
  const pair = `${caller.key} may not call ${nameOf(service.key)}:${port.number}`;
  if (!callablePorts(ir, caller.key).includes(port.key))
    return { ...nothing, outcome: 'deny', stage: 'outbound', status: null, says: pair, idleMs: null, connections: null };
  const table = ir.connectionRoutes.find((known) => known.port === port.key);
  if (!table) throw new Error(`internal: no routes for the connections of ${port.key}`);
  const sni = connection.sni?.toLowerCase() ?? null;
  if (service.outside && port.layer === 'tls' && (sni === null || !service.outside.hosts.includes(sni))) {
    const says = sni === null ? `a connection to ${port.key} names the host that it is for` : `\`${sni}\` is no host of ${port.key}`;
    return { ...nothing, outcome: 'deny', stage: 'outbound', status: null, says, idleMs: null, connections: null };
  }
  const dialled = connection.address ?? null;
  const elsewhere = dialled !== null && isByAddress(service) ? faultOfDialled(ir, service, port, dialled) : null;
  if (elsewhere !== null)
    return { ...nothing, outcome: 'deny', stage: 'outbound', status: null, says: elsewhere, idleMs: null, connections: null };
  const taken = connectionRuleFor(table.rules, caller.principal, sni);
  // who addresses a broker goes there whatever the rules say: another broker does not have its data
  const broker = connection.broker ?? null;
  const to = broker === null ? taken.rule.to : [{ port: port.key, version: broker, weight: 100 }];
  return goesTo(ir, caller, taken, to, sni, port.resilience.connections.max);
}

/** A connection as it leaves the application: to an address and a number, and to whatever outside the mesh stands there. */
export interface DialledConnection {
  readonly from: WorkloadKey;
  readonly address: string;
  readonly number: number;
}
/** Throws when it names a workload that the IR does not have. Addresses of the mesh are not in the IR: a service is asked about by its name. */
export function decideDialled(ir: MeshIr, { from, address, number }: DialledConnection): ConnectionDecision {
  const caller = workloadOf(ir, from);
  const to = portAt(ir, address, number);
  if (to !== null) return decideConnection(ir, { from, to, sni: null, address });
  const says = `${caller.key} has nobody outside at ${hostPort(address, number)}: ${reservedAs(address)}`;
  return { ...nothing, outcome: 'deny', stage: 'outbound', status: null, says, idleMs: null, connections: null };
}

/** A connection from outside, at a listener whose connections are routed whole. */
export interface OutsideConnection {
  readonly gateway: WorkloadKey;
  readonly listener: string;
  /** As in `MeshConnection`. */
  readonly sni: string | null;
  /** The address that it comes from; absent: one that no rule names. */
  readonly address?: string;
}
/** Throws when it names a gateway or listener that the IR does not have. */
export function decideOutsideConnection(
  ir: MeshIr,
  { gateway: key, listener, sni: asked, address }: OutsideConnection,
): ConnectionDecision {
  const gateway = ir.gateways.find((known) => known.key === key);
  if (!gateway) throw new Error(`internal: ${key} is no gateway`);
  const caller = workloadOf(ir, key);
  const sni = asked?.toLowerCase() ?? null;
  const table = hostConnectionsFor(ir, gateway, listener, sni);
  if (typeof table === 'string') {
    const says =
      table === 'no routes'
        ? `nobody routes ${sni === null ? `the connections of listener \`${listener}\`` : `\`${sni}\``}`
        : `listener \`${listener}\` of ${key} does not serve ${sni === null ? 'who names no server' : `\`${sni}\``}`;
    return { ...nothing, outcome: 'deny', stage: 'route', status: null, says, idleMs: null, connections: null };
  }
  const taken = connectionRuleFor(table.rules, caller.principal, sni, address);
  const limits = taken.rule.to.flatMap(({ port }) => portOf(ir, port).port.resilience.connections.max ?? []);
  return goesTo(ir, caller, taken, taken.rule.to, sni, limits.length === 0 ? null : Math.min(...limits));
}

/** What the destinations of a connection say to it. */
function goesTo(
  ir: MeshIr,
  caller: Workload,
  { rule, index }: Taken,
  to: ConnectionRule['to'],
  sni: string | null,
  limit: number | null,
): ConnectionDecision {
  const arrivals = to.map((target) => ({
    port: target.port,
    version: target.version,
    share: target.weight,
    ...decideInboundConnection(ir, caller.principal, target.port, sni),
    request: { ...noRequest, host: sni ?? '' },
    resilience: portOf(ir, target.port).port.resilience,
    hash: null,
    responseHeaders: [],
  }));
  const decision = { ...combined(caller, arrivals), route: { rule: rule.id, index } };
  const open = decision.outcome !== 'deny';
  return { ...decision, status: null, idleMs: open ? rule.idleMs : null, connections: open ? limit : null };
}

/** Where no request is read: what rules about connections look at is not in it. */
const noRequest = { method: '', path: '/', headers: {} };

/** The second hop: the destination's own reading of the connection as it arrives. */
export function decideInboundConnection(
  ir: MeshIr,
  principal: Principal,
  port: PortKey,
  sni: string | null,
): ReturnType<typeof decideInbound> {
  return decideInbound(ir, { ...noRequest, principal, port, host: sni ?? '' });
}

interface Taken {
  readonly rule: ConnectionRule;
  readonly index: number;
}
/** The first rule that takes the connection. */
function connectionRuleFor(rules: readonly ConnectionRule[], principal: Principal, sni: string | null, address?: string): Taken {
  const index = rules.findIndex((rule) => matchesConnection(rule.match, principal, sni, address));
  const rule = rules[index];
  if (!rule) throw new Error('internal: connection routes without a last rule');
  return { rule, index };
}

/** Whether a match takes a connection of that caller that asks for that server name (lower case; null: none). */
export function matchesConnection(match: ConnectionMatch | null, principal: Principal, sni: string | null, address?: string): boolean {
  if (match === null) return true;
  return (
    isFrom(match.sources, address) &&
    (match.from.length === 0 || match.from.includes(principal)) &&
    (match.sni.length === 0 || (sni !== null && match.sni.some((name) => hostCovers(name, sni))))
  );
}
