/**
 * What a connection means that no proxy reads requests of: TCP and what is spoken over it, and TLS that is passed through. Both hops, like `decide`;
 * nobody answers with a status, a connection that is refused is closed.
 */
import { callablePorts } from '../ir/edges';
import { isConnection } from '../ir/layers';
import type { ConnectionMatch, ConnectionRule, MeshIr } from '../ir/ir';
import type { PortKey, Principal, WorkloadKey } from '../mesh/ids';
import { nameOf } from '../mesh/ids';
import { combined, nothing } from './follow';
import { decideInbound } from './inbound';
import { portOf, workloadOf } from './nouns';
import type { Decision } from './decision';
import { hostCovers } from './match';

/** A connection as the caller's application opens it. */
export interface MeshConnection {
  readonly from: WorkloadKey;
  readonly to: PortKey;
  /** The server name in its ClientHello (RFC 6066 section 3); null where it names none, and on ports that are not TLS. */
  readonly sni: string | null;
  /** The broker addressed, on a port that has them; null: whichever. */
  readonly broker?: string | null;
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
  const { rule, index, to } = connectionRuleFor(table.rules, caller.principal, sni, connection.broker ?? null, port.key);
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
  return { ...decision, status: null, idleMs: open ? rule.idleMs : null, connections: open ? port.resilience.connections.max : null };
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

/** The first rule that takes the connection. One that addresses a broker goes there whatever the rules say: another broker does not have its data. */
function connectionRuleFor(
  rules: readonly ConnectionRule[],
  principal: Principal,
  sni: string | null,
  broker: string | null,
  port: PortKey,
): { readonly rule: ConnectionRule; readonly index: number; readonly to: ConnectionRule['to'] } {
  const index = rules.findIndex((rule) => matchesConnection(rule.match, principal, sni));
  const rule = rules[index];
  if (!rule) throw new Error('internal: connection routes without a last rule');
  return { rule, index, to: broker === null ? rule.to : [{ port, version: broker, weight: 100 }] };
}

/** Whether a match takes a connection of that caller that asks for that server name (lower case; null: none). */
export function matchesConnection(match: ConnectionMatch | null, principal: Principal, sni: string | null): boolean {
  if (match === null) return true;
  return (
    (match.from.length === 0 || match.from.includes(principal)) &&
    (match.sni.length === 0 || (sni !== null && match.sni.some((name) => hostCovers(name, sni))))
  );
}
