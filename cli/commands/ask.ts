import { hasErrors } from '../../core/diagnostics/diagnostic';
import type { Layer, MeshIr } from '../../core/ir/ir';
import { isConnection } from '../../core/ir/layers';
import { portKey, serviceOfPort, nameOfPort, nameOf, type PortKey, type WorkloadKey } from '../../core/mesh/ids';
import type { JsonObject } from '../../core/lib/json';
import { canonicalNetwork, networkOf } from '../../core/lib/network';
import { isHostOutside, serverNameAsked } from '../../core/semantics/address';
import { decide } from '../../core/semantics/decide';
import { decideCrossing } from '../../core/semantics/decide-crossing';
import { matchesClass } from '../../core/semantics/match';
import { gatewaysOf } from '../../core/semantics/networks';
import { decideConnection, decideDialled, decideOutsideConnection, type ConnectionDecision } from '../../core/semantics/decide-connection';
import { nothing } from '../../core/semantics/follow';
import { joined } from '../../core/semantics/forwarded';
import { askedHost, wordsOf } from '../../core/semantics/words';
import { portAt } from '../../core/semantics/ranges';
import { decideInbound } from '../../core/semantics/inbound';
import type { Decision, MeshRequest } from '../../core/semantics/decision';
import { UsageError, type CommandContext, type Run } from '../command';
import { formatText, summary, toJson } from '../findings';
import { findPort, findWorkload } from '../names';
import { shownPlace } from '../places';
import { compileSources, sourcesOf, type Sources } from '../policies';
import { duration } from '../output';
import { reachText, triesText } from '../reach';
import type { Values } from '../values';
import type { Compiled } from '../../compiler/pipeline';

/** `meshwright ask`: the executable definition's answer, for each environment. */
export const run: Run = async (context, values) => {
  const sources = await sourcesOf(context, values.text('dir'));
  const compiled = await compileSources(context, values, sources, { stopAfter: 'lower' });
  if (compiled.irs.size === 0 || hasErrors(compiled.diagnostics)) {
    context.out.document({ ok: false, diagnostics: toJson(compiled.diagnostics, sources.show) });
    context.out.line(formatText(compiled.diagnostics, { show: sources.show, style: context.out.style }));
    context.out.line(`no answer: ${summary(compiled.diagnostics)}`);
    return 1;
  }
  const answers = new Map([...compiled.irs].map(([environment, ir]) => [environment, answer(ir, values)]));
  context.out.document({
    ok: true,
    answers: Object.fromEntries([...answers].map(([name, one]) => [name, { ...one, places: placesOf(one.decision, compiled, sources) }])),
  });
  print(context, compiled, sources, answers);
  return 0;
};

/** `192.0.2.7:5432`, `[2001:db8::7]:5432`: what an application dials. null: it is a name. */
function dialledOf(text = ''): { readonly address: string; readonly number: number } | null {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/i.exec(text) ?? [];
  const [address, number] = [bracketed ?? plain ?? '', Number(port)];
  return networkOf(address) !== null && number >= 1 && number <= 65_535 ? { address, number } : null;
}

interface Answer {
  readonly request: MeshRequest;
  readonly decision: Decision & Partial<Pick<ConnectionDecision, 'idleMs'>>;
}

const layerOf = (ir: MeshIr, key: PortKey): Layer =>
  ir.services.flatMap((service) => service.ports).find((port) => port.key === key)?.layer ?? 'http';

/** Whether a gateway reads requests at a listener, or sends its connections on whole. */
function readsRequests(ir: MeshIr, { gateway, listener }: Outside): boolean {
  const speaks = ir.gateways.find(({ key }) => key === gateway)?.listeners.find(({ name }) => name === listener)?.speaks.kind;
  return speaks !== 'tls' && speaks !== 'tcp';
}
type Outside = Extract<MeshRequest['from'], { readonly kind: 'outside' }>;

/** RFC 9110 section 9.1: a token. */
function methodOf(values: Values, unsaid: string): string {
  const method = values.text('method') ?? unsaid;
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) throw new UsageError(`\`--method\` takes a word such as \`GET\`, not \`${method}\``);
  return method.toUpperCase();
}

function answer(ir: MeshIr, values: Values): Answer {
  const { key } = findWorkload(ir, values.need('from'));
  if (ir.networks?.gateways.some((one) => one.key === key)) return crossing(ir, key, values);
  const dialled = dialledOf(values.text('to'));
  if (dialled !== null) {
    const decision = decideDialled(ir, { from: key, ...dialled });
    const to = portAt(ir, dialled.address, dialled.number);
    return { request: { from: { kind: 'workload', workload: key }, to, method: 'GET', path: '/', headers: {} }, decision };
  }
  const request = requestOf(ir, values);
  const { from } = request;
  if (from.kind === 'outside' && !readsRequests(ir, from)) {
    // a host that is no name stands for a connection that names none
    const sni = from.host === '*' ? null : from.host;
    return {
      request,
      decision: decideOutsideConnection(ir, {
        gateway: from.gateway,
        listener: from.listener,
        sni,
        ...(from.address === undefined ? {} : { address: from.address }),
      }),
    };
  }
  if (request.to !== null && request.from.kind === 'workload' && isConnection(layerOf(ir, request.to))) {
    if (values.flag('inbound')) throw new UsageError('`--inbound` is about a request, and nobody reads requests on this port');
    return {
      request,
      decision: decideConnection(ir, {
        ...{ from: request.from.workload, to: request.to },
        sni: values.text('host') ?? serverNameAsked(ir, request.to, values.text('to')),
      }),
    };
  }
  if (!values.flag('inbound')) return { request, decision: decide(ir, request) };
  if (request.to === null || request.from.kind !== 'workload')
    throw new UsageError('`--inbound` takes a caller inside the mesh and `--to`');
  const { principal } = findWorkload(ir, request.from.workload);
  const service = ir.services.find((one) => one.ports.some((port) => port.key === request.to));
  const number = service?.ports.find((port) => port.key === request.to)?.number ?? 0;
  const host = request.headers['host'] ?? `${nameOf(serviceOfPort(request.to))}:${number}`;
  const { method, path, headers, claims } = request;
  const inbound = decideInbound(ir, { principal, port: request.to, method, path, headers, host, claims });
  const says =
    inbound.access === 'allow'
      ? `${inbound.because.join(', ')} lets ${request.from.workload} call ${request.to}`
      : inbound.because.length > 0
        ? `${inbound.because.join(', ')} denies ${request.from.workload} at ${request.to}`
        : inbound.status === 401
          ? `the token of the request is not valid for ${request.to}`
          : inbound.status === 400
            ? `the path is not in the form that ${request.to} reads`
            : `no rule of ${request.to} allows this request of ${request.from.workload}`;
  const destinations = [
    {
      port: request.to,
      version: null,
      share: 100,
      access: inbound.access,
      because: inbound.because,
      request: { method, path, host, headers },
      responseHeaders: [],
      resilience: null,
      hash: null,
    },
  ];
  return {
    request,
    decision: {
      ...nothing,
      outcome: inbound.access,
      stage: 'inbound',
      status: inbound.status,
      because: inbound.because,
      destinations,
      says,
    },
  };
}

/** Between networks nobody reads requests: what is asked is whether a connection is passed on. */
function crossing(ir: MeshIr, gateway: WorkloadKey, values: Values): Answer {
  if (values.text('to') !== undefined)
    throw new UsageError(`${gateway} calls nobody: ask with \`--host\` for the server name of a connection that comes to it`);
  const request: MeshRequest = { from: { kind: 'workload', workload: gateway }, to: null, method: 'GET', path: '/', headers: {} };
  return { request, decision: decideCrossing(ir, gateway, values.text('host') ?? null) };
}

function requestOf(ir: MeshIr, values: Values): MeshRequest {
  const from = findWorkload(ir, values.need('from'));
  const headers: Record<string, string> = {};
  for (const header of values.many('header')) {
    const split = header.search(/[=:]/);
    if (split < 1) throw new UsageError(`\`--header\` takes \`name=value\`, not \`${header}\``);
    const name = header.slice(0, split).trim().toLowerCase();
    const value = header.slice(split + 1).trim();
    headers[name] = joined(name, Object.hasOwn(headers, name) ? headers[name] : undefined, value);
  }
  const path = values.text('path') ?? '/';
  if (!path.startsWith('/')) throw new UsageError(`\`--path\` begins with \`/\`, and \`${path}\` does not`);
  const said = { path, headers, ...claimsOf(values.text('claims')) };
  const to = values.text('to');
  if (to !== undefined) {
    const port = findPort(ir, to);
    const method = methodOf(values, port.layer === 'grpc' ? 'POST' : 'GET');
    const own = port.layer === 'grpc' && method === 'POST' ? { 'content-type': 'application/grpc' } : {};
    const host = isHostOutside(ir, port, to.toLowerCase()) ? { host: to } : {};
    return { ...said, method, headers: { ...own, ...host, ...headers }, from: { kind: 'workload', workload: from.key }, to: port.key };
  }
  const common = { ...said, method: methodOf(values, 'GET') };
  const gateway = ir.gateways.find((one) => one.key === from.key);
  if (!gateway) throw new UsageError(`\`--to\` is missing: ${from.key} is no gateway, so it has to address a port`);
  const named = values.text('listener');
  const listener =
    named === undefined
      ? gateway.listeners.length === 1
        ? gateway.listeners[0]
        : undefined
      : gateway.listeners.find((one) => one.name === named);
  if (!listener) throw new UsageError(`\`--listener\` has to be one of ${gateway.listeners.map((one) => `\`${one.name}\``).join(', ')}`);
  const host = values.text('host') ?? (listener.speaks.kind === 'tcp' ? '*' : undefined);
  if (host === undefined) throw new UsageError(`\`--host\` is missing: a request from outside asks ${from.key} for a host`);
  const shown = values.text('certificate');
  if (shown !== undefined && shown !== 'valid' && shown !== 'invalid')
    throw new UsageError(`\`--certificate\` is \`valid\` or \`invalid\`, not \`${shown}\``);
  const address = values.text('address');
  if (address !== undefined && canonicalNetwork(`${address}/0`) === null) throw new UsageError(`\`${address}\` is no address`);
  const who: Pick<Outside, 'certificate' | 'address'> = {
    ...(shown === undefined ? {} : { certificate: shown }),
    ...(address === undefined ? {} : { address }),
  };
  return {
    ...common,
    from: { kind: 'outside', gateway: from.key, listener: listener.name, host: host.toLowerCase(), ...who },
    to: null,
  };
}

/** `invalid`, or the claims of a valid token, `iss` among them. */
function claimsOf(text: string | undefined): Pick<MeshRequest, 'claims'> {
  if (text === undefined) return {};
  if (text === 'invalid') return { claims: 'invalid' };
  try {
    const claims: unknown = JSON.parse(text);
    if (typeof claims === 'object' && claims !== null && 'iss' in claims && typeof claims.iss === 'string')
      return { claims: claims as JsonObject }; // JSON.parse made it, and it is a record
  } catch {
    // said below
  }
  throw new UsageError(
    '`--claims` takes `invalid`, or the claims of a token as JSON, with its issuer: `{"iss":"https://accounts.example"}`',
  );
}

function placesOf(decision: Decision, compiled: Compiled, sources: Sources): Readonly<Record<string, string | null>> {
  const ids = [...decision.because, ...(decision.route ? [decision.route.rule] : [])];
  return Object.fromEntries(ids.map((id) => [id, shownPlace(compiled.sources, id, sources.show)]));
}

function print({ out }: CommandContext, compiled: Compiled, sources: Sources, answers: ReadonlyMap<string, Answer>): void {
  const { style } = out;
  const groups = new Map<string, { readonly answer: Answer; readonly environments: string[] }>();
  for (const [environment, one] of answers) {
    const key = JSON.stringify(one.decision);
    const group = groups.get(key);
    if (group) group.environments.push(environment);
    else groups.set(key, { answer: one, environments: [environment] });
  }
  const across =
    answers.size > 1 ? [...answers].map(([environment, { decision }]) => `${environment} ${decision.outcome}`).join(' · ') : '';
  let first = true;
  for (const { answer: one, environments } of groups.values()) {
    const { decision } = one;
    const word = decision.outcome.toUpperCase().padEnd(6);
    const painted = decision.outcome === 'allow' ? style.green(word) : decision.outcome === 'deny' ? style.red(word) : style.yellow(word);
    out.line(
      `${painted} ${decision.says}${decision.status === null ? '' : ` (${decision.status})`}${groups.size > 1 ? style.dim(`   in ${environments.join(', ')}`) : first && across ? style.dim(`   ${across}`) : ''}`,
    );
    first = false;
    for (const id of decision.because)
      out.line(`       because   ${id}  ${style.dim(shownPlace(compiled.sources, id, sources.show) ?? '')}`);
    if (decision.route)
      out.line(
        `       route     ${decision.route.rule}  ${style.dim(shownPlace(compiled.sources, decision.route.rule, sources.show) ?? '')}`,
      );
    const ir = compiled.irs.get(environments[0] ?? '');
    // What a connection carries nobody reads or changes.
    const { to, from } = one.request;
    const connection =
      ir !== undefined && (to === null ? from.kind === 'outside' && !readsRequests(ir, from) : isConnection(layerOf(ir, to)));
    for (const [label, text] of connection ? [] : wordsOf(one.request, askedHost(one.request), decision))
      out.line(`       ${label.padEnd(9)} ${text}`);
    if (decision.destinations.length > 0) {
      const to = decision.destinations
        .map(
          ({ port, version, share, access }) =>
            `${port}${version === null ? '' : ` ${version}`} ${share} %${throughText(ir, port)}${proxyHeaderText(ir, port)}${access === 'deny' && decision.outcome === 'mixed' ? ' (denied)' : ''}`,
        )
        .join(', ');
      out.line(
        `       goes to   ${to}${decision.timeoutMs === null ? '' : `   timeout ${duration(decision.timeoutMs)}`}${triesText(decision)}`,
      );
      for (const line of reachText(decision.destinations)) out.line(`       reached   ${line}`);
      for (const line of ir ? acrossText(ir, decision.destinations) : []) out.line(`       across    ${line}`);
    }
    // no rule would change what has no form, no routes or no name
    if (decision.outcome === 'deny' && decision.stage !== 'canonical' && decision.stage !== 'route' && decision.status !== 503 && ir)
      for (const line of nearestAllows(ir, one.request, compiled, sources)) out.line(`       ${line}`);
  }
}

/** The gateway on the way to a host outside; of ranges, that the address stays. */
function throughText(ir: MeshIr | undefined, port: PortKey): string {
  const outside = ir?.services.find(({ key }) => key === serviceOfPort(port))?.outside;
  const through = outside?.through ?? null;
  if (outside?.addresses) return ' at the address dialled';
  return through === null ? '' : ` through ${through}`;
}

/** By which gateways other networks reach the destinations; nothing where the mesh has one network. */
function acrossText({ networks }: MeshIr, destinations: Decision['destinations']): readonly string[] {
  if (!networks) return [];
  return [...new Set(destinations.map(({ port }) => port))].map((port) => {
    const gateways = gatewaysOf(networks, port);
    return gateways.length === 0
      ? `${port} is reached in its own network only`
      : `${port} in other networks through ${gateways.join(', ')}`;
  });
}
/** What an application reads before what the caller says. */
function proxyHeaderText(ir: MeshIr | undefined, port: PortKey): string {
  const found = ir?.services.flatMap(({ ports }) => ports).find(({ key }) => key === port)?.proxyProtocol;
  return found === undefined ? '' : `, behind a PROXY header (${found})`;
}

/** What there is, and the line the owner would add. */
function nearestAllows(ir: MeshIr, request: MeshRequest, compiled: Compiled, sources: Sources): readonly string[] {
  const port: PortKey | null = request.to;
  if (port === null || request.from.kind !== 'workload') return [];
  const allows = ir.access.filter((rule) => rule.port === port && rule.action === 'allow' && rule.mode === 'enforce');
  const nearest = allows.slice(0, 3).map((rule) => `nearest:  ${rule.id}  ${shownPlace(compiled.sources, rule.id, sources.show) ?? ''}`);
  const service = ir.services.find((one) => one.key === serviceOfPort(port));
  if (!service) return nearest;
  const exported = (id: string): string => id.slice(id.indexOf('/') + 1);
  const caller = ir.workloads.find((one) => one.key === (request.from.kind === 'workload' ? request.from.workload : ''));
  const path = request.path.split('?')[0] ?? '';
  const layer = layerOf(ir, port);
  const contract = service.ports.find(({ key }) => key === port)?.requests ?? null;
  const covering = contract?.find((cls) => matchesClass(cls, { method: request.method, path }));
  // An allow says what the contract says, to the letter.
  const first = contract && !covering ? ', once the contract of the port has it' : '';
  // What a connection says nobody reads; a gRPC method is named by its path.
  const what =
    layer === 'grpc'
      ? `, methods: ['${path.slice(1)}']`
      : isConnection(layer)
        ? ''
        : `, requests: ['${covering?.text ?? `${request.method} ${path}`}']`;
  const line = `${exported(service.id)}.ports.${nameOfPort(portKey(service.key, nameOfPort(port)))}.allow({ from: ${exported(caller?.id ?? '')}${what} })`;
  return [...nearest, `to allow it, team ${service.team} would add${first}:   ${line}`];
}
