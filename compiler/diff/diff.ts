import type { MeshIr, Retry, ServicePort } from '../../core/ir/ir';
import { callableByWorkload } from '../../core/ir/edges';
import { accessOf } from '../../core/ir/lookup';
import { canonicalJson } from '../../core/lib/json';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { nameOf, serviceOfPort } from '../../core/mesh/ids';
import type { RuleId } from '../../core/mesh/ids';
import { compareCalls } from '../../core/semantics/compare';
import type { Comparison } from '../../core/semantics/compare';
import type { Decision } from '../../core/semantics/decision';

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
  readonly example: { readonly method: string; readonly path: string; readonly headers: { readonly [name: string]: string } };
  /** In words: `v1 90 %, v3 10 %`, `denied (403)`. */
  readonly before: string;
  readonly after: string;
  /** The rules that make it so, after the change; before it where something was lost. */
  readonly because: readonly RuleId[];
}
export interface PortChange {
  readonly port: string;
  readonly field: 'mtls' | 'connections' | 'eject' | 'urls' | 'number';
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
  /** Hosts that the outside gains or loses. */
  readonly exposure: readonly {
    readonly gateway: string;
    readonly listener: string;
    readonly host: string;
    readonly change: 'exposed' | 'withdrawn';
  }[];
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
  return {
    environment: after.environment,
    first: before === null,
    calls: before === null ? wholePorts(after) : grouped(compareCalls(before, after)),
    ports: before === null ? [] : portChanges(before, after),
    exposure: exposure(before, after),
    added: missing(keys(before), keys(after)),
    removed: missing(keys(after), keys(before)),
    proxies,
  };
}

/** Whether nothing that a request could notice has changed. */
export function isEmptyDiff(diff: MeshDiff): boolean {
  return diff.calls.length + diff.ports.length + diff.exposure.length + diff.added.length + diff.removed.length === 0;
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

function grouped(comparisons: Iterable<Comparison>): readonly CallChange[] {
  const groups = new Map<string, CallChange & { readonly requests: string[] }>();
  for (const comparison of comparisons) {
    const change = changeOf(comparison);
    if (!change) continue;
    const key = JSON.stringify([change.kind, change.caller, change.target, change.before, change.after, change.because]);
    const known = groups.get(key);
    if (!known) groups.set(key, { ...change, requests: [comparison.probe.text] });
    else if (!known.requests.includes(comparison.probe.text)) known.requests.push(comparison.probe.text);
  }
  const rank: { readonly [kind in CallChangeKind]: string } = { lost: '0', gained: '1', rerouted: '2', changed: '3' };
  return sortedBy(
    [...groups.values()].map((change) => ({ ...change, requests: sortedUnique(change.requests) })),
    (change) => rank[change.kind],
    (change) => change.caller,
    (change) => change.target,
    (change) => change.requests[0] ?? '',
    (change) => canonicalJson(change),
  );
}

function changeOf({ caller, port, host, probe, before, after }: Comparison): Omit<CallChange, 'requests'> | null {
  const kind = kindOf(before, after);
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
  return {
    kind,
    caller,
    target: port ?? `${host?.listener}/${host?.host}`,
    example: { method: probe.method, path: probe.path, headers: probe.headers },
    before: describe(before, settings),
    after: describe(after, settings),
    because: sortedUnique(because),
  };
}

function kindOf(before: Decision | null, after: Decision | null): CallChangeKind | null {
  const [was, is] = [letIn(before), letIn(after)];
  if (is > was) return 'gained';
  if (is < was) return 'lost';
  const answers = (decision: Decision | null): boolean => decision?.stage === 'route' && decision.outcome === 'allow';
  if (was === 0 && !answers(before) && !answers(after)) return null;
  if (where(before) !== where(after)) return 'rerouted';
  return canonicalJson([before?.timeoutMs, before?.retry]) === canonicalJson([after?.timeoutMs, after?.retry]) ? null : 'changed';
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
    (decision?.destinations ?? []).map(({ port, version, share }) => [port, version, share]),
  ]);
}

function describe(decision: Decision | null, settings: boolean): string {
  if (!decision) return 'not there';
  if (settings) return `timeout ${decision.timeoutMs ?? '-'} ms, ${retryText(decision.retry)}`;
  if (decision.outcome === 'deny') return `denied (${decision.status})`;
  if (decision.destinations.length === 0) return `answered by the mesh (${decision.status})`;
  return decision.destinations
    .map(
      ({ port, version, share, access }) => `${version ?? nameOf(serviceOfPort(port))} ${share} %${access === 'deny' ? ' (denied)' : ''}`,
    )
    .join(', ');
}
const retryText = (retry: Retry | null): string =>
  retry ? `${retry.atMost} retries of ${retry.perTryMs} ms on ${retry.on.join(', ')}` : 'no retries';

function portChanges(before: MeshIr, after: MeshIr): readonly PortChange[] {
  const old = new Map(before.services.flatMap((service) => service.ports.map((port) => [port.key, port] as const)));
  const fields = ['mtls', 'connections', 'eject', 'urls', 'number'] as const;
  const text = (port: ServicePort, field: (typeof fields)[number]): string =>
    typeof port[field] === 'string' ? port[field] : canonicalJson(port[field]);
  return after.services.flatMap((service) =>
    service.ports.flatMap((port) => {
      const was = old.get(port.key);
      if (!was) return [];
      return fields
        .filter((field) => text(was, field) !== text(port, field))
        .map((field) => ({ port: port.key, field, before: text(was, field), after: text(port, field) }));
    }),
  );
}

function exposure(before: MeshIr | null, after: MeshIr): MeshDiff['exposure'] {
  const hosts = (ir: MeshIr | null) =>
    new Map((ir?.hostRoutes ?? []).map(({ gateway, listener, host }) => [`${gateway} ${listener} ${host}`, { gateway, listener, host }]));
  const [old, fresh] = [hosts(before), hosts(after)];
  return [
    ...[...fresh].filter(([key]) => !old.has(key)).map(([, host]) => ({ ...host, change: 'exposed' as const })),
    ...[...old].filter(([key]) => !fresh.has(key)).map(([, host]) => ({ ...host, change: 'withdrawn' as const })),
  ];
}
