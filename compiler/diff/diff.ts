import type { MeshIr, ServicePort } from '../../core/ir/ir';
import { builtInIdleMs, type Resilience } from '../../core/ir/resilience';
import { callableByWorkload } from '../../core/ir/edges';
import { accessOf } from '../../core/ir/lookup';
import { canonicalJson, type Json, type JsonObject } from '../../core/lib/json';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { grpcStatuses } from '../../core/mesh/grpc-status';
import { nameOf, namespaceOf, serviceOfPort } from '../../core/mesh/ids';
import type { PortKey, RuleId, WorkloadKey } from '../../core/mesh/ids';
import { compareCalls } from '../../core/semantics/compare';
import type { Answer, Comparison } from '../../core/semantics/compare';
import { deployChanges } from './deploys';
import type { DeployChange } from './deploys';
import { issuerChanges } from './issuers';
import type { IssuerChange } from './issuers';
import { gatewaysOf } from '../../core/semantics/networks';
import type { Decision } from '../../core/semantics/decision';
import type { Probe } from '../../core/semantics/probes';
import { wordsOf } from '../../core/semantics/words';
import type { Tries } from '../../core/semantics/timing';

/** `gained` and `lost`: more or fewer of these requests are let in. `rerouted`: as many, elsewhere. `changed`: the same, with other timeouts, retries or answers. */
export type CallChangeKind = 'gained' | 'lost' | 'rerouted' | 'changed';
export interface CallChange {
  readonly kind: CallChangeKind;
  /** Workload key. */
  readonly caller: string;
  /** Port key, or `<listener>/<host>` of the gateway that is the caller. */
  readonly target: string;
  /** Request classes, as `GET /reviews/{id}`. Sorted. */
  readonly requests: readonly string[];
  /** One request that shows it: `GET /reviews/7`, with the headers it takes. */
  readonly example: {
    readonly method: string;
    readonly path: string;
    readonly headers: { readonly [name: string]: string };
    /** Of the token that it carries; absent: none. */
    readonly claims?: JsonObject;
  };
  /** In words: `v1 90 %, v3 10 %`, `denied (403)`. */
  readonly before: string;
  readonly after: string;
  /** The rules that make it so, after the change; before it where something was lost. */
  readonly because: readonly RuleId[];
}
/** `port` is a service port's key, `<gateway>/<listener>`, or a workload's key (`identity`). `addressed`: by names with a port number only, or without one too. */
export interface PortChange {
  readonly port: string;
  readonly field:
    | 'proxyProtocol'
    | 'mtls'
    | 'urls'
    | 'protocol'
    | 'clients'
    | 'minTls'
    | 'number'
    | 'addressed'
    | 'certificate'
    | 'hosts'
    | 'identity'
    | 'outside'
    | 'exported'
    | keyof Resilience;
  readonly before: string;
  readonly after: string;
}
export interface MeshDiff {
  readonly environment: string;
  /** Nothing was in force before. Calls then stand for whole ports and were not asked one by one. */
  readonly first: boolean;
  /** Gained, lost, rerouted, changed; in each by caller, target, request. */
  readonly calls: readonly CallChange[];
  readonly ports: readonly PortChange[];
  /** Ports and hosts whose rules changed although no request was found that is answered otherwise. */
  readonly unshown: readonly string[];
  /** Hosts that the outside gains or loses. */
  readonly exposure: readonly {
    readonly gateway: string;
    readonly listener: string;
    readonly host: string;
    readonly change: 'exposed' | 'withdrawn';
  }[];
  /** Who may deploy what, and which versions go together. */
  readonly deploys: readonly DeployChange[];
  /** Whose tokens are valid, and signed with which keys. */
  readonly issuers: readonly IssuerChange[];
  /** Workload keys. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** What the caller counted from the objects; null where it did not. */
  readonly proxies: ProxyCount | null;
}
export interface ProxyCount {
  /** Names of the ProxyConfigs that change, sorted. */
  readonly changed: readonly string[];
  readonly total: number;
  /** Growth of all objects, in bytes. */
  readonly bytes?: number;
}

/** What a change means: who gains or loses which calls, what goes elsewhere, what else is different. `before` null: the first release. */
export function semanticDiff(before: MeshIr | null, after: MeshIr, proxies: ProxyCount | null = null): MeshDiff {
  const keys = (ir: MeshIr | null): readonly string[] => ir?.workloads.map((workload) => workload.key) ?? [];
  const missing = (from: readonly string[], list: readonly string[]): readonly string[] => list.filter((key) => !from.includes(key));
  const compared = before === null ? { calls: wholePorts(after), unshown: [] } : grouped(compareCalls(before, after));
  return {
    environment: after.environment,
    first: before === null,
    calls: compared.calls,
    ports: before === null ? [] : [...portChanges(before, after), ...listenerChanges(before, after), ...identityChanges(before, after)],
    unshown: compared.unshown,
    exposure: exposure(before, after),
    deploys: deployChanges(before, after),
    issuers: before === null ? [] : issuerChanges(before, after),
    added: missing(keys(before), keys(after)),
    removed: missing(keys(after), keys(before)),
    proxies,
  };
}

/** Whether nothing has changed that a request or a deployment could notice. */
export function isEmptyDiff(diff: MeshDiff): boolean {
  const { calls, ports, unshown, exposure: hosts, deploys, issuers, added, removed } = diff;
  return [calls, ports, unshown, hosts, deploys, issuers, added, removed].every((list) => list.length === 0);
}

function wholePorts(after: MeshIr): readonly CallChange[] {
  return [...callableByWorkload(after)].flatMap(([caller, ports]) =>
    ports.map((port): CallChange => ({
      kind: 'gained',
      caller,
      target: port,
      requests: ['(what its rules allow)'],
      example: { method: 'GET', path: '/', headers: {} },
      before: 'not there',
      after: 'callable',
      because: accessOf(after, port)
        .filter((rule) => rule.action === 'allow' && rule.mode === 'enforce')
        .map((rule) => rule.id),
    })),
  );
}

function grouped(comparisons: Iterable<Comparison>): Pick<MeshDiff, 'calls' | 'unshown'> {
  const compared = new Set<string>();
  const groups = new Map<string, CallChange & { readonly requests: string[] }>();
  for (const comparison of comparisons) {
    const change = changeOf(comparison);
    compared.add(targetOf(comparison));
    if (!change) continue;
    const key = JSON.stringify([change.kind, change.caller, change.target, change.before, change.after, change.because]);
    const known = groups.get(key);
    if (!known) groups.set(key, { ...change, requests: [comparison.probe.text] });
    else if (!known.requests.includes(comparison.probe.text)) known.requests.push(comparison.probe.text);
  }
  const rank: { readonly [kind in CallChangeKind]: string } = { lost: '0', gained: '1', rerouted: '2', changed: '3' };
  const calls = sortedBy(
    [...groups.values()].map((change) => ({ ...change, requests: sortedUnique(change.requests) })),
    (change) => rank[change.kind],
    (change) => change.caller,
    (change) => change.target,
    (change) => change.requests[0] ?? '',
    (change) => canonicalJson(change),
  );
  const shown = new Set(calls.map((change) => change.target));
  return { calls, unshown: sortedUnique([...compared].filter((target) => !shown.has(target))) };
}

const targetOf = ({ port, host }: Pick<Comparison, 'port' | 'host'>): string => port ?? `${host?.listener}/${host?.host}`;

function changeOf({ caller, port, host, probe, before, after, answers }: Comparison): Omit<CallChange, 'requests'> | null {
  const kind =
    kindOf(before, after) ?? (answers[0] && answers[1] && canonicalJson(answers[0]) !== canonicalJson(answers[1]) ? 'rerouted' : null);
  if (!kind) return null;
  const because =
    kind === 'lost'
      ? [...(after?.because ?? []), ...(before?.because ?? [])]
      : kind === 'gained'
        ? (after?.because ?? [])
        : after?.route
          ? [after.route.rule]
          : [];
  const settings = kind === 'changed';
  const service = port && serviceOfPort(port);
  const asked = probe.headers['host'] ?? (service ? `${nameOf(service)}.${namespaceOf(service)}` : (host?.host.replace('*', 'any') ?? ''));
  return {
    kind,
    caller,
    target: targetOf({ port, host }),
    example: {
      method: probe.method,
      path: probe.path,
      headers: probe.headers,
      ...(probe.claims ? { claims: probe.claims } : {}),
    },
    before: describe(before, settings, answers[0], probe, asked),
    after: describe(after, settings, answers[1], probe, asked),
    because: sortedUnique(because),
  };
}

function kindOf(before: Decision | null, after: Decision | null): CallChangeKind | null {
  const [was, is] = [letIn(before), letIn(after)];
  if (is > was) return 'gained';
  if (is < was) return 'lost';
  const answers = (decision: Decision | null): boolean => decision?.answer !== null && decision?.outcome === 'allow';
  if (was === 0 && !answers(before) && !answers(after)) return null;
  if (where(before) !== where(after)) return 'rerouted';
  if (before?.answer && after?.answer && canonicalJson(before.answer) !== canonicalJson(after.answer)) return 'rerouted';
  return canonicalJson(settingsOf(before)) === canonicalJson(settingsOf(after)) ? null : 'changed';
}

/** What a request is given: times, retries, and what its caller may have at once. How a port's endpoints are reached by all is told once, for the port. */
function settingsOf(decision: Decision | null): Json {
  if (decision === null) return null;
  const { timeoutMs, idleMs, retry, destinations } = decision;
  const limits = destinations.map(({ resilience }) => resilience?.connections ?? null);
  const forwarded = destinations.map(({ request, responseHeaders }) => [request, responseHeaders]);
  const { mirrors, fault, sticky } = decision;
  const copies = mirrors.map(({ port, version, share, access }) => [port, version, share, access]);
  return JSON.parse(JSON.stringify([timeoutMs, idleMs, retry, limits, forwarded, copies, fault, sticky]));
}

/** Percent of such requests that an application answers. */
function letIn(decision: Decision | null): number {
  return (decision?.destinations ?? [])
    .filter((destination) => destination.access === 'allow')
    .reduce((sum, destination) => sum + destination.share, 0);
}
function where(decision: Decision | null): string {
  return canonicalJson([
    decision?.status ?? null,
    (decision?.destinations ?? []).map(({ port, version, share, access }) => [port, version, share, access]),
  ]);
}

function describe(decision: Decision | null, settings: boolean, answer: Answer | null, probe: Probe, asked: string): string {
  if (!decision) return 'not there';
  // of a connection nobody reads what is sent, and it has no time to be over
  if (settings && decision.destinations.some(({ request }) => request.method === ''))
    return `closed after ${decision.idleMs ?? '-'} ms without a byte${limitsText(decision)}`;
  if (settings)
    return `timeout ${decision.timeoutMs ?? '-'} ms, ${idleText(decision.idleMs)}${retryText(decision.retry)}${limitsText(decision)}${wordsOf(
      probe,
      asked,
      decision,
    )
      .map(([label, text]) => `; ${label} ${text}`)
      .join('')}`;
  if (decision.outcome === 'deny') return decision.status === null ? 'closed' : `denied (${decision.status})`;
  if (decision.answer?.headers['location'] !== undefined)
    return `redirected to ${decision.answer.headers['location']} (${decision.answer.status})`;
  if (answer?.kind === 'respondGrpc') return `answered by the mesh (${grpcStatuses[answer.status - 1] ?? answer.status})`;
  if (decision.destinations.length === 0)
    return `answered by the mesh (${decision.status}${decision.answer?.body ? `, ${decision.answer.body.slice(0, 40).replace(/\s+/g, ' ')}` : ''})`;
  return decision.destinations
    .map(
      ({ port, version, share, access }) => `${version ?? nameOf(serviceOfPort(port))} ${share} %${access === 'deny' ? ' (denied)' : ''}`,
    )
    .join(', ');
}
const idleText = (idleMs: number | null): string => (idleMs === null || idleMs === builtInIdleMs ? '' : `idle ${idleMs} ms, `);
const retryText = (retry: Tries | null): string =>
  retry
    ? `${retry.atMost} retries${retry.perTryMs === null ? '' : ` of ${retry.perTryMs} ms`} on ${retry.on.join(', ')}${retry.hedge ? ', hedged' : ''}`
    : 'no retries';
function limitsText({ destinations }: Decision): string {
  const said = destinations.flatMap(({ resilience }) =>
    (['max', 'pending', 'requests', 'retries'] as const).flatMap((field) => {
      const limit = resilience?.connections[field] ?? null;
      return limit === null ? [] : [`${field} ${limit}`];
    }),
  );
  return said.length === 0 ? '' : `, ${sortedUnique(said).join(', ')}`;
}

/** The limits that there are, by name. */
const limitsSaid = (connections: Resilience['connections']): string =>
  Object.entries(connections)
    .flatMap(([name, limit]: readonly [string, Json]) =>
      limit === null ? [] : [`${name} ${typeof limit === 'number' ? limit : canonicalJson(limit)}`],
    )
    .sort()
    .join(', ');

function portChanges(before: MeshIr, after: MeshIr): readonly PortChange[] {
  const old = new Map(before.services.flatMap((service) => service.ports.map((port) => [port.key, port] as const)));
  const fields = [
    'mtls',
    'urls',
    'number',
    'connections',
    'eject',
    'health',
    'balance',
    'locality',
    'panicBelowPercent',
    'proxyProtocol',
  ] as const satisfies readonly (keyof ServicePort | keyof Resilience)[];
  const text = (port: ServicePort, field: (typeof fields)[number]): string => {
    const value = { ...port, ...port.resilience }[field];
    if (field === 'connections') return limitsSaid(port.resilience.connections);
    return value === undefined ? 'none' : typeof value === 'string' ? value : canonicalJson(value);
  };
  const addressed = (ir: MeshIr, service: WorkloadKey): string =>
    ir.services.find(({ key }) => key === service)?.ports.length === 1 ? 'with or without port number' : 'with port number';
  return after.services.flatMap((service) =>
    service.ports.flatMap((port): PortChange[] => {
      const was = old.get(port.key);
      if (!was) return [];
      const [from, to] = [addressed(before, service.key), addressed(after, service.key)];
      const names: PortChange[] = from === to ? [] : [{ port: port.key, field: 'addressed', before: from, after: to }];
      const changed = fields
        .filter((field) => text(was, field) !== text(port, field))
        .map((field): PortChange => ({ port: port.key, field, before: text(was, field), after: text(port, field) }));
      const [led, leads] = [outsideText(before, service.key, was), outsideText(after, service.key, port)];
      const outside: PortChange[] = led === leads ? [] : [{ port: port.key, field: 'outside', before: led, after: leads }];
      const [shut, open] = [exportText(before, port.key), exportText(after, port.key)];
      const exported: PortChange[] = shut === open ? [] : [{ port: port.key, field: 'exported', before: shut, after: open }];
      return [...changed, ...names, ...outside, ...exported];
    }),
  );
}

/** Where a port outside the mesh is, and by whose word; empty for one of the mesh. */
function outsideText(ir: MeshIr, key: WorkloadKey, { protocol }: ServicePort): string {
  const outside = ir.services.find((service) => service.key === key)?.outside;
  if (!outside) return '';
  const { hosts, addresses, at, trust, through } = outside;
  if (addresses) return `${protocol} to the address dialled, of ${addresses.join(', ')}`;
  return `${protocol} to ${hosts.join(', ')}${at === undefined ? '' : ` at ${at.join(', ')}`}${through === null ? '' : ` through ${through}`}, trusting ${trust ?? 'the authorities of the system'}`;
}

/** By which gateways other networks reach a port. */
function exportText(ir: MeshIr, port: PortKey): string {
  const gateways = gatewaysOf(ir.networks, port);
  return gateways.length === 0 ? 'to no other network' : `through ${gateways.join(', ')}`;
}

/** What a listener is, beyond the routes of its hosts. */
function listenerChanges(before: MeshIr, after: MeshIr): readonly PortChange[] {
  const listeners = (ir: MeshIr) =>
    new Map(ir.gateways.flatMap(({ key, listeners: all }) => all.map((listener) => [`${key}/${listener.name}`, listener] as const)));
  const old = listeners(before);
  return [...listeners(after)].flatMap(([port, is]): PortChange[] => {
    const was = old.get(port);
    if (!was) return [];
    const hosts = (listener: typeof is): string =>
      listener.hosts
        .map(({ host, team, certificate: own }) => `${host} (${own === undefined ? team : `${team}, certificate ${own}`})`)
        .join(', ');
    const certificate = (listener: typeof is): string => (listener.speaks.kind === 'https' ? listener.speaks.certificate : 'none');
    const clients = ({ speaks }: typeof is): string =>
      speaks.kind !== 'https' || speaks.clients === null
        ? 'not asked'
        : `${speaks.clients.required ? 'required' : 'optional'}, of ${speaks.clients.trust}`;
    const oldestTls = ({ speaks }: typeof is): string => (speaks.kind === 'https' ? (speaks.minTls ?? '1.2') : 'none');
    const fields = [
      ['clients', clients(was), clients(is)],
      ['minTls', oldestTls(was), oldestTls(is)],
      ['protocol', was.speaks.kind, is.speaks.kind],
      ['proxyProtocol', was.proxyProtocol ? 'required' : 'none', is.proxyProtocol ? 'required' : 'none'],
      ['number', String(was.port), String(is.port)],
      ['certificate', certificate(was), certificate(is)],
      ['hosts', hosts(was), hosts(is)],
    ] as const;
    return fields.flatMap(([field, from, to]) => (from === to ? [] : [{ port, field, before: from, after: to }]));
  });
}

/** Who is somebody else afterwards: its instances need new certificates, and until then nobody that knows the new name takes them for it. */
function identityChanges(before: MeshIr, after: MeshIr): readonly PortChange[] {
  const old = new Map(before.workloads.map((workload) => [workload.key, workload.principal]));
  return after.workloads.flatMap(({ key, principal }) => {
    const was = old.get(key);
    return was === undefined || was === principal ? [] : [{ port: key, field: 'identity' as const, before: was, after: principal }];
  });
}

function exposure(before: MeshIr | null, after: MeshIr): MeshDiff['exposure'] {
  const hosts = (ir: MeshIr | null) =>
    new Map(
      [...(ir?.hostRoutes ?? []), ...(ir?.hostConnections ?? [])].map(({ gateway, listener, host }) => [
        `${gateway} ${listener} ${host}`,
        { gateway, listener, host },
      ]),
    );
  const [old, fresh] = [hosts(before), hosts(after)];
  return [
    ...[...fresh].filter(([key]) => !old.has(key)).map(([, host]) => ({ ...host, change: 'exposed' as const })),
    ...[...old].filter(([key]) => !fresh.has(key)).map(([, host]) => ({ ...host, change: 'withdrawn' as const })),
  ];
}
