/**
 * Answers the questions of policy tests by the executable definition. Text in, text out, as they cross the sandbox's border; rule ids in the
 * questions were already linked by the host.
 */
import type { Layer, MeshIr } from '../core/ir/ir';
import { isConnection } from '../core/ir/layers';
import { callableByWorkload, targetsOfRules } from '../core/ir/edges';
import { serviceOf } from '../core/ir/lookup';
import type { JsonObject } from '../core/lib/json';
import { addressIn } from '../core/lib/network';
import { portKey, type PortKey, type RuleId, serviceOfPort, type WorkloadKey } from '../core/mesh/ids';
import { serverNameAsked } from '../core/semantics/address';
import { decide } from '../core/semantics/decide';
import { decideCrossing } from '../core/semantics/decide-crossing';
import { nothing } from '../core/semantics/follow';
import { passageFor } from '../core/semantics/networks';
import { serverNameOf } from '../core/mesh/server-name';
import { decideConnection, decideOutsideConnection } from '../core/semantics/decide-connection';
import { coversPrincipal } from '../core/semantics/inbound';
import type { Decision } from '../core/semantics/decision';
import { suggest } from '../core/lib/suggest';

/**
 * One question, as JSON text, of `{op: 'ask' | 'callersOf' | 'reachableFrom', env, ...}`. Beside the answer, `decidedBy` names the rules, routes and
 * guarantees that it is about, for coverage. What cannot be answered is `{error}`, never a throw.
 */
export function answerQuestion(irs: ReadonlyMap<string, MeshIr>, questionText: string): string {
  try {
    return JSON.stringify(answer(irs, JSON.parse(questionText)));
  } catch (error) {
    return JSON.stringify({ error: error instanceof Unanswerable ? error.message : 'the question is not of a known form' });
  }
}

class Unanswerable extends Error {}

function answer(irs: ReadonlyMap<string, MeshIr>, question: unknown): unknown {
  const op = textOf(question, 'op');
  const environment = op === 'idOf' ? ([...irs.keys()][0] ?? '') : textOf(question, 'env');
  const ir = irs.get(environment);
  if (!ir) throw new Unanswerable(`the mesh has no environment \`${environment}\``);
  switch (op) {
    case 'ask':
      return askOf(ir, question);
    case 'callersOf': {
      const port = portOf(ir, member(question, 'to'));
      const allows = ir.access.filter((rule) => rule.port === port && rule.action === 'allow' && rule.mode === 'enforce');
      const refused = ir.access.filter(
        (rule) =>
          rule.port === port &&
          rule.action === 'deny' &&
          rule.mode === 'enforce' &&
          rule.requests === 'any' &&
          rule.headers.length === 0 &&
          rule.hosts.length === 0,
      );
      const callers = ir.workloads.filter(
        ({ principal }) =>
          allows.some((rule) => coversPrincipal(rule.callers, principal)) &&
          !refused.some((rule) => coversPrincipal(rule.callers, principal)),
      );
      // Who may call at all is what a guarantee says; which requests an access rule takes, only a request decides.
      return {
        callers: callers.map((workload) => workload.id).sort(),
        decidedBy: ir.guarantees.filter((guarantee) => guarantee.to.includes(port)).map((guarantee) => guarantee.id),
      };
    }
    case 'reachableFrom': {
      const from = member(question, 'from');
      const outside = member(from, 'outside');
      const caller = workloadOf(ir, outside === undefined ? from : member(outside, 'through'));
      const ports = outside === undefined ? (callableByWorkload(ir).get(caller) ?? []) : behind(ir, caller);
      return { targets: ports.map((key) => targetOf(ir, key)), decidedBy: guaranteesOf(ir, caller, null) };
    }
    case 'idOf':
      return { id: textOf(member(question, 'of'), 'ref') };
    default:
      throw new Unanswerable(`there is no question \`${op}\``);
  }
}

type Request = Parameters<typeof decide>[1];

/** The decision; where its destinations and mirrors are, as policies name them; the question in words. */
function askOf(ir: MeshIr, question: unknown): unknown {
  const line = textOf(question, 'request');
  const [first = '', second] = line.split(' ');
  const [method, path] = second === undefined ? ['POST', first.startsWith('/') ? first : `/${first}`] : [first, second]; // a gRPC method is a POST to its name
  const given = member(question, 'headers');
  const headers: Record<string, string> = second === undefined ? { 'content-type': 'application/grpc' } : {};
  if (typeof given === 'object' && given !== null)
    for (const [name, value] of Object.entries(given)) headers[name.toLowerCase()] = String(value);
  const claims = claimsOf(member(question, 'claims'));
  const [from, to] = [member(question, 'from'), member(question, 'to')];
  const outside = member(from, 'outside');
  const caller = workloadOf(ir, outside === undefined ? from : member(outside, 'through'));
  const port = typeof member(to, 'listener') === 'string' ? null : portOf(ir, to);
  if (ir.networks?.gateways.some(({ key }) => key === caller)) return crossingOf(ir, caller, portOf(ir, to), member(question, 'sni'));
  const connection = outside === undefined && port !== null && isConnection(layerOf(ir, port));
  const [sni, dialled] = [member(question, 'sni'), member(question, 'address')];
  const listener = outside === undefined ? null : connectionListenerFor(ir, caller, to, port);
  const decision = listener
    ? decideOutsideConnection(ir, {
        gateway: caller,
        listener: listener.name,
        sni: typeof sni === 'string' ? sni : listener.sni,
        ...addressOf(outside),
      })
    : connection
      ? decideConnection(ir, {
          ...{ from: caller, to: port, sni: typeof sni === 'string' ? sni : serverNameAsked(ir, port) },
          address: typeof dialled === 'string' ? dialled : null,
        })
      : outside === undefined
        ? decide(ir, { from: { kind: 'workload', workload: caller }, to: port ?? portOf(ir, to), method, path, headers, ...claims })
        : decideByGateway(
            ir,
            caller,
            to,
            port,
            { method, path, headers, ...claims },
            { ...shownOf(member(question, 'certificate')), ...addressOf(outside) },
          );
  const ports = [...new Set([...(port === null ? [] : [port]), ...decision.destinations.map((destination) => destination.port)])];
  const where = port ?? `${textOf(to, 'listener')} of ${caller}${listener?.sni === null ? '' : ` as \`${textOf(to, 'host')}\``}`;
  return {
    decision,
    targets: decision.destinations.map(({ port: to }) => ({ ...targetOf(ir, to), through: throughOf(ir, to) })),
    mirrors: decision.mirrors.map((mirror) => targetOf(ir, mirror.port)),
    asked: `${connection || listener ? 'a connection' : `${method} ${path}`} from ${outside === undefined ? caller : `outside by ${caller}`} to ${where}`,
    decidedBy: [
      ...new Set([
        ...decision.because,
        ...[...decision.destinations, ...decision.mirrors].flatMap((arrival) => arrival.because),
        ...(decision.route ? [decision.route.rule] : []),
        ...guaranteesOf(ir, caller, ports),
      ]),
    ],
  };
}

/** A connection that comes to a gateway between networks: by the server name that it asks for, else by the port's own. It arrives, or is closed. */
function crossingOf(ir: MeshIr, gateway: WorkloadKey, port: PortKey, sni: unknown): unknown {
  const serverName = typeof sni === 'string' ? sni : serverNameOf(port, null);
  const made = decideCrossing(ir, gateway, serverName);
  const decision: Decision = passageFor(ir, gateway, serverName)?.port === port ? made : { ...made, outcome: 'deny' };
  return {
    decision,
    targets: [],
    mirrors: [],
    asked: `a connection to ${serverName} by ${gateway}`,
    decidedBy: [...decision.because],
  };
}

/** What a test says of the token: nothing, that it is not valid, or its claims. */
function claimsOf(given: unknown): Pick<Request, 'claims'> {
  if (given === 'invalid') return { claims: given };
  if (typeof given !== 'object' || given === null) return {};
  return { claims: given as JsonObject }; // it came out of the sandbox as JSON
}

type Outside = Extract<Request['from'], { readonly kind: 'outside' }>;
const shownOf = (shown: unknown): Pick<Outside, 'certificate'> => (shown === 'valid' || shown === 'invalid' ? { certificate: shown } : {});
/** Who comes from a network comes from some address of it; who comes from the internet, from none that a rule names. */
function addressOf(outside: unknown): Pick<Outside, 'address'> {
  const network = member(outside, 'network');
  const [first]: readonly unknown[] = Array.isArray(network) ? network : [];
  return typeof first === 'string' ? { address: addressIn(first) } : {};
}

function decideByGateway(
  ir: MeshIr,
  gateway: WorkloadKey,
  to: unknown,
  port: PortKey | null,
  request: Pick<Request, 'method' | 'path' | 'headers' | 'claims'>,
  who: Pick<Outside, 'certificate' | 'address'>,
): Decision {
  const { host } = request.headers;
  const place = hostFor(ir, gateway, to, host);
  if (place === null) return nowhere(`no host of ${gateway} leads to \`${textOf(to, 'ref')}\``);
  const decision = decide(ir, {
    from: { kind: 'outside', gateway, ...place, ...who },
    to: null,
    ...request,
    headers: { ...request.headers, host: host ?? place.host },
  });
  // Asked about a port, what counts is whether the request gets there: a gateway's own answer (a 404, a redirect) does not.
  const arrives = port === null || decision.destinations.some((destination) => destination.port === port);
  return arrives || decision.outcome === 'deny' ? decision : { ...decision, outcome: 'deny' };
}

/** The guarantees that speak of a caller, and of one of these ports if they are given. */
function guaranteesOf(ir: MeshIr, caller: WorkloadKey, ports: readonly PortKey[] | null): readonly RuleId[] {
  const principal = ir.workloads.find((workload) => workload.key === caller)?.principal;
  if (principal === undefined) return [];
  return ir.guarantees
    .filter(
      (guarantee) => coversPrincipal(guarantee.from, principal) && (ports === null || guarantee.to.some((port) => ports.includes(port))),
    )
    .map((guarantee) => guarantee.id);
}

/** The listener by which a connection from outside gets to what a question is about, and the server name it asks for; null where requests do. */
function connectionListenerFor(
  ir: MeshIr,
  gateway: WorkloadKey,
  to: unknown,
  port: PortKey | null,
): { readonly name: string; readonly sni: string | null } | null {
  const sniOf = (host: string): string | null => (host === '*' ? null : nameUnder(host.toLowerCase()));
  const [listener, host] = [member(to, 'listener'), member(to, 'host')];
  if (typeof listener === 'string') {
    const speaks = ir.gateways.find(({ key }) => key === gateway)?.listeners.find(({ name }) => name === listener)?.speaks.kind;
    return speaks === 'tls' || speaks === 'tcp' ? { name: listener, sni: sniOf(typeof host === 'string' ? host : '*') } : null;
  }
  const table = ir.hostConnections.find(
    (known) => known.gateway === gateway && known.rules.some((rule) => rule.to.some((target) => target.port === port)),
  );
  return table ? { name: table.listener, sni: sniOf(table.host) } : null;
}

/** The listener and host by which somebody outside gets to what a question is about; null where no host leads there. */
function hostFor(
  ir: MeshIr,
  gateway: WorkloadKey,
  to: unknown,
  wanted: string | undefined,
): { readonly listener: string; readonly host: string } | null {
  const [listener, host] = [member(to, 'listener'), member(to, 'host')];
  if (typeof listener === 'string' && typeof host === 'string') return { listener, host: nameUnder(host.toLowerCase()) };
  const port = portOf(ir, to);
  const tables = ir.hostRoutes.filter((table) => table.gateway === gateway && targetsOfRules(table.rules).includes(port));
  const table = tables.find((one) => one.host === wanted?.toLowerCase()) ?? tables[0];
  return table ? { listener: table.listener, host: nameUnder(table.host) } : null;
}
/** A name that a wildcard stands for. */
const nameUnder = (host: string): string => (host === '*' ? 'any.invalid' : host.replace(/^\*\./, 'any.'));

/** What a gateway's hosts lead to and its own identity is let into. Sorted. */
function behind(ir: MeshIr, gateway: WorkloadKey): readonly PortKey[] {
  const routed = new Set(ir.hostRoutes.filter((table) => table.gateway === gateway).flatMap((table) => targetsOfRules(table.rules)));
  for (const { gateway: by, rules } of ir.hostConnections)
    if (by === gateway) for (const rule of rules) for (const target of rule.to) routed.add(target.port);
  return (callableByWorkload(ir).get(gateway) ?? []).filter((port) => routed.has(port));
}

function nowhere(says: string): Decision {
  return { ...nothing, outcome: 'deny', stage: 'route', status: 404, says };
}

function workloadOf(ir: MeshIr, ref: unknown): WorkloadKey {
  const id = textOf(ref, 'ref');
  const found = ir.workloads.find((workload) => workload.id === id);
  if (!found) throw new Unanswerable(`\`${id}\` is not in environment \`${ir.environment}\`${near(id, ir)}`);
  return found.key;
}

function portOf(ir: MeshIr, ref: unknown): PortKey {
  const id = textOf(ref, 'ref');
  const service = ir.services.find((one) => one.id === id);
  if (!service) throw new Unanswerable(`\`${id}\` is not in environment \`${ir.environment}\`${near(id, ir)}`);
  const name = member(ref, 'port') ?? (service.ports.length === 1 ? service.ports[0]?.name : undefined);
  const port = service.ports.find((one) => one.name === name);
  if (!port) throw new Unanswerable(`\`${id}\` has no port \`${String(name)}\``);
  return portKey(service.key, port.name);
}

function layerOf(ir: MeshIr, key: PortKey): Layer {
  for (const service of ir.services) for (const port of service.ports) if (port.key === key) return port.layer;
  throw new Unanswerable(`\`${key}\` is not in the mesh`);
}

function targetOf(ir: MeshIr, key: PortKey): { readonly ref: string; readonly port: string } {
  for (const service of ir.services) for (const port of service.ports) if (port.key === key) return { ref: service.id, port: port.name };
  throw new Unanswerable(`\`${key}\` is not in the mesh`);
}

/** The gateway by which a host outside is called, as policies name it. */
function throughOf(ir: MeshIr, key: PortKey): string | null {
  const through = serviceOf(ir, serviceOfPort(key))?.outside?.through;
  return ir.workloads.find((workload) => workload.key === through)?.id ?? null;
}

function near(id: string, ir: MeshIr): string {
  const known = suggest(
    id,
    ir.workloads.map((workload) => workload.id),
  );
  return known === undefined ? '' : `; did you mean \`${known}\`?`;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textOf(value: unknown, name: string): string {
  const text = member(value, name);
  if (typeof text !== 'string') throw new Unanswerable(`the question needs \`${name}\``);
  return text;
}
