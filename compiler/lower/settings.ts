/**
 * Settings with their effective values: mesh > namespace > tag > service > route rule, the nearest wins, a field replaced whole. Each value keeps
 * the place where it was written, so that a broken bound points to both lines.
 */
import { ir as messages } from '../../core/diagnostics/ir';
import type { OrPerEnv, ScopeRef, WireEjection, WireRetry, WireSettings } from '../../core/declarations/declaration';
import type { Retry, ServicePort } from '../../core/ir/ir';
import { sortedUnique } from '../../core/lib/order';
import { hasPlatformRole } from './context';
import type { Context, Place } from './context';
import { durationMs, formatMs, percent, wholeNumber } from './units';

export type Level = 'mesh' | 'namespace' | 'tag' | 'service';
const levels: readonly Level[] = ['mesh', 'namespace', 'tag', 'service'];

/** A value and where it was written. */
export interface Setting<T> {
  readonly value: T;
  readonly at: Place;
  readonly level: Level | 'route rule' | 'built in';
}
export interface Bound {
  readonly at: Place;
  readonly mode: 'enforce' | 'shadow';
  readonly timeoutMaxMs?: number;
  readonly retriesMax?: number;
  readonly strictMtls: boolean;
}
export interface Effective {
  readonly mtls: Setting<'strict' | 'permissive'>;
  readonly timeoutMs: Setting<number>;
  readonly retry: Setting<Retry | null>;
  readonly connections: Setting<ServicePort['connections']>;
  readonly eject: Setting<ServicePort['eject']>;
  readonly bounds: readonly Bound[];
}
/** By declaration id of the workload; `mesh` is what holds where no service is meant. */
export interface SettingsTable {
  readonly mesh: Effective;
  readonly byWorkload: ReadonlyMap<string, Effective>;
}

/** Whom settings are for, as far as this module needs to know. */
export interface Subject {
  readonly id: string;
  readonly namespaceId: string;
  readonly tags: { readonly [tag: string]: string };
}

interface Source {
  readonly level: Level;
  readonly settings: WireSettings;
  readonly at: Place;
  covers(subject: Subject | null): boolean;
}

/** Envoy's own default for a route (config.route.v3.RouteAction.timeout), said once here instead of left out. */
const builtInTimeoutMs = 15_000;

export function lowerSettings(context: Context, subjects: readonly Subject[]): SettingsTable {
  const sources = sourcesOf(context);
  const bounds = boundsOf(context);
  const compute = (subject: Subject | null): Effective => effective(context, sources, bounds, subject);
  return { mesh: compute(null), byWorkload: new Map(subjects.map((subject) => [subject.id, compute(subject)])) };
}

/** The mTLS mode, connection limits and ejection of a service's ports. */
export function portSettings(context: Context, table: SettingsTable, id: string): Pick<ServicePort, 'mtls' | 'connections' | 'eject'> {
  const settings = table.byWorkload.get(id) ?? table.mesh;
  if (settings.mtls.value === 'permissive') {
    for (const bound of settings.bounds)
      if (bound.strictMtls) reportBound(context, 'mtls', 'permissive', 'strict', bound, settings.mtls.at);
  }
  return { mtls: settings.mtls.value, connections: settings.connections.value, eject: settings.eject.value };
}

/** A route rule's timeout and retries over those of its port, within the bounds. */
export function ruleSettings(
  context: Context,
  base: Effective,
  rule: { readonly timeout?: OrPerEnv<string>; readonly retry?: OrPerEnv<WireRetry | 'none'> },
  at: Place,
): { readonly timeoutMs: number; readonly retry: Retry | null } {
  const timeout = rule.timeout === undefined ? undefined : readDuration(context, rule.timeout, within(at, 'timeout'));
  const retry = rule.retry === undefined ? undefined : readRetry(context, rule.retry, within(at, 'retry'));
  const timeoutMs: Setting<number> =
    timeout === undefined ? base.timeoutMs : { value: timeout, at: within(at, 'timeout'), level: 'route rule' };
  const tries: Setting<Retry | null> = retry === undefined ? base.retry : { value: retry, at: within(at, 'retry'), level: 'route rule' };
  for (const bound of base.bounds) {
    if (bound.timeoutMaxMs !== undefined && timeoutMs.value > bound.timeoutMaxMs)
      reportBound(
        context,
        'timeout',
        formatMs(timeoutMs.value),
        formatMs(bound.timeoutMaxMs),
        bound,
        timeoutMs.level === 'built in' ? at : timeoutMs.at,
      );
    if (bound.retriesMax !== undefined && tries.value && tries.value.atMost > bound.retriesMax)
      reportBound(context, 'retry.atMost', String(tries.value.atMost), String(bound.retriesMax), bound, tries.at);
  }
  checkTries(context, timeoutMs, tries, at);
  return { timeoutMs: timeoutMs.value, retry: tries.value };
}

/** A timeout shorter than one try, both said at one level, is an error; one that leaves no room for all tries is a warning. */
function checkTries(context: Context, timeout: Setting<number>, retry: Setting<Retry | null>, at: Place): void {
  if (!retry.value) return;
  const tries = retry.value.atMost + 1;
  const params = { timeout: formatMs(timeout.value), tries, perTry: formatMs(retry.value.perTryMs) };
  const span = context.spanOf(retry.at);
  const related = span ? [{ message: 'the retry', span }] : [];
  if (timeout.value < retry.value.perTryMs && timeout.level === retry.level)
    context.report(messages.triesOutlastTimeout, params, at, related);
  else if (timeout.value < retry.value.perTryMs * tries) context.report(messages.triesCutShort, params, at, related);
}

function reportBound(context: Context, field: string, value: string, bound: string, by: Bound, at: Place): void {
  const span = context.spanOf(by.at);
  const kind = by.mode === 'enforce' ? messages.outOfBounds : messages.outOfShadowBounds;
  context.report(kind, { field, value, bound, by: by.at.id }, at, span ? [{ message: 'the bound', span }] : []);
}

function effective(
  context: Context,
  sources: readonly Source[],
  bounds: readonly (Bound & { covers(subject: Subject | null): boolean })[],
  subject: Subject | null,
): Effective {
  const own = sources.filter((source) => source.covers(subject));
  const builtIn = { at: { id: context.meshId, path: '' }, level: 'built in' } as const;
  const nearest = <T>(field: keyof WireSettings, read: (settings: WireSettings, at: Place) => T | undefined, otherwise: T): Setting<T> => {
    let result: Setting<T> = { ...builtIn, value: otherwise };
    for (const level of levels) {
      let first: Source | undefined;
      for (const source of own) {
        if (source.level !== level || source.settings[field] === undefined) continue;
        if (first) {
          const span = context.spanOf(first.at);
          context.report(
            messages.settingsConflict,
            { field, level, first: first.at.id, of: subject?.id ?? context.meshId },
            within(source.at, field),
            span ? [{ message: 'the other one', span }] : [],
          );
          continue;
        }
        first = source;
        const value = read(source.settings, within(source.at, field));
        if (value !== undefined) result = { value, at: within(source.at, field), level };
      }
    }
    return result;
  };
  return {
    mtls: nearest('mtls', (s, at) => (s.mtls === undefined ? undefined : context.pick(s.mtls, at)), 'strict' as 'strict' | 'permissive'),
    timeoutMs: nearest(
      'timeout',
      (s, at) => (s.timeout === undefined ? undefined : readDuration(context, s.timeout, at)),
      builtInTimeoutMs,
    ),
    retry: nearest<Retry | null>('retry', (s, at) => (s.retry === undefined ? undefined : readRetry(context, s.retry, at)), null),
    connections: nearest<ServicePort['connections']>('connections', (s, at) => readConnections(context, s, at), null),
    eject: nearest<ServicePort['eject']>('eject', (s, at) => readEjection(context, s, at), null),
    bounds: bounds.filter((bound) => bound.covers(subject)),
  };
}

function sourcesOf(context: Context): readonly Source[] {
  const sources: Source[] = [];
  const add = (level: Level, settings: WireSettings, at: Place, covers: Source['covers']): void => {
    if (settings.traceSample !== undefined) context.report(messages.unsupported, { feature: '`traceSample`' }, within(at, 'traceSample'));
    sources.push({ level, settings, at, covers });
  };
  for (const { id, value } of context.all('standard')) {
    if (!value.defaults || value.mode === 'shadow') continue;
    const { defaults } = value;
    for (const scope of value.for) {
      for (const target of scopesOf(context, scope, id)) add(target.level, defaults, { id, path: 'defaults' }, target.covers);
    }
  }
  for (const { id, value } of context.all('namespace'))
    if (value.settings) add('namespace', value.settings, { id, path: 'settings' }, (subject) => subject?.namespaceId === id);
  for (const kind of ['service', 'workload'] as const) {
    for (const { id, value } of context.all(kind))
      if (value.settings) add('service', value.settings, { id, path: 'settings' }, (subject) => subject?.id === id);
  }
  return sources;
}

function boundsOf(context: Context): readonly (Bound & { covers(subject: Subject | null): boolean })[] {
  return context.all('standard').flatMap(({ id, team, value }) => {
    const { bounds } = value;
    if (!bounds) return [];
    const at = { id, path: 'bounds' };
    const timeoutMaxMs = bounds.timeoutMax === undefined ? undefined : durationMs(context, bounds.timeoutMax, at);
    const bound: Bound = {
      at,
      mode: value.mode ?? 'enforce',
      strictMtls: bounds.mtls === 'strict',
      ...(timeoutMaxMs === undefined ? {} : { timeoutMaxMs }),
      ...(bounds.retriesMax === undefined ? {} : { retriesMax: bounds.retriesMax }),
    };
    const waived = waiversOf(context, id, team);
    return value.for.flatMap((scope) =>
      scopesOf(context, scope, id).map((target) => ({
        ...bound,
        covers: (subject: Subject | null) => target.covers(subject) && !(subject && waived(subject)),
      })),
    );
  });
}

/** Whether a waiver of the standard is at a subject. Only who stated the standard waives it; dates and authority are reported by analyse. */
function waiversOf(context: Context, standard: string, team: string): (subject: Subject) => boolean {
  const scopes = context
    .all('waiver')
    .filter((waiver) => waiver.value.rule?.ref === standard && (waiver.team === team || hasPlatformRole(waiver.team)))
    .flatMap((waiver) => waiver.value.at);
  return (subject) =>
    scopes.some((scope) => {
      if (scope.kind === 'tagged') return carries(subject.tags, scope.tags);
      if (scope.kind === 'mesh') return true;
      const { ref, ...part } = scope.to;
      return Object.keys(part).length === 0 && (ref === subject.id || ref === subject.namespaceId);
    });
}

function scopesOf(
  context: Context,
  scope: ScopeRef,
  id: string,
): readonly { readonly level: Level; covers(subject: Subject | null): boolean }[] {
  const at = { id, path: 'for' };
  if (scope.kind === 'mesh') return [{ level: 'mesh', covers: () => true }];
  if (scope.kind === 'tagged') {
    const { tags } = scope;
    return [{ level: 'tag', covers: (subject) => subject !== null && carries(subject.tags, tags) }];
  }
  if (scope.to.port !== undefined || scope.to.listener !== undefined || scope.to.version !== undefined) {
    context.report(messages.unsupported, { feature: 'a standard for a part of a service' }, at);
    return [];
  }
  const target = context.resolve(scope.to, ['mesh', 'namespace', 'service', 'workload'], at);
  if (!target) return [];
  if (target.value.kind === 'mesh') return [{ level: 'mesh', covers: () => true }];
  if (target.value.kind === 'namespace') return [{ level: 'namespace', covers: (subject) => subject?.namespaceId === target.id }];
  return [{ level: 'service', covers: (subject) => subject?.id === target.id }];
}

/** Whether a thing carries all of these tags, of which there is at least one. */
export function carries(own: { readonly [tag: string]: string }, wanted: { readonly [tag: string]: string }): boolean {
  const names = Object.keys(wanted);
  return names.length > 0 && names.every((name) => Object.hasOwn(own, name) && own[name] === wanted[name]);
}

export function readDuration(context: Context, value: OrPerEnv<string>, at: Place): number | undefined {
  const text = context.pick(value, at);
  return text === undefined ? undefined : durationMs(context, text, at);
}

const retryOn = [
  '5xx',
  'cancelled',
  'connect-failure',
  'deadline-exceeded',
  'gateway-error',
  'internal',
  'reset',
  'resource-exhausted',
  'retriable-4xx',
  'unavailable',
];

export function readRetry(context: Context, value: OrPerEnv<WireRetry | 'none'>, at: Place): Retry | null | undefined {
  const retry = context.pick(value, at);
  if (retry === undefined) return undefined;
  if (retry === 'none') return null;
  const atMost = wholeNumber(context, 'retry.atMost', retry.atMost, 1, 5, at);
  const perTryMs = durationMs(context, retry.perTry, at);
  const budgetPercent = retry.budget === undefined ? 20 : percent(context, retry.budget, at);
  const unknown = retry.on.filter((condition) => !retryOn.includes(condition));
  if (retry.on.length === 0) context.report(messages.badRetry, { why: 'names no condition' }, at);
  if (unknown.length > 0) context.report(messages.badRetry, { why: `has no condition ${unknown.map((c) => `\`${c}\``).join(', ')}` }, at);
  if (budgetPercent === 0) context.report(messages.badRetry, { why: 'has a budget of nothing' }, at);
  if (atMost === undefined || perTryMs === undefined || budgetPercent === undefined) return undefined;
  return { atMost, perTryMs, on: sortedUnique(retry.on), budgetPercent };
}

function readConnections(context: Context, settings: WireSettings, at: Place): ServicePort['connections'] | undefined {
  const value = settings.connections === undefined ? undefined : context.pick(settings.connections, at);
  if (value === undefined) return undefined;
  const max = wholeNumber(context, 'connections.max', value.max, 1, 1_000_000, at);
  const pending =
    value.pending === undefined ? null : (wholeNumber(context, 'connections.pending', value.pending, 1, 1_000_000, at) ?? null);
  return max === undefined ? undefined : { max, pending };
}

function readEjection(context: Context, settings: WireSettings, at: Place): ServicePort['eject'] | undefined {
  const value: WireEjection | 'none' | undefined = settings.eject === undefined ? undefined : context.pick(settings.eject, at);
  if (value === undefined) return undefined;
  if (value === 'none') return null;
  const consecutive5xx = wholeNumber(context, 'eject.consecutive5xx', value.consecutive5xx, 1, 1000, at);
  const forMs = durationMs(context, value.for, at);
  const share = percent(context, value.atMost, at);
  const atMostPercent = share === undefined ? undefined : wholeNumber(context, 'eject.atMost', share, 1, 100, at);
  return consecutive5xx === undefined || forMs === undefined || atMostPercent === undefined
    ? undefined
    : { consecutive5xx, forMs, atMostPercent };
}

export function within(at: Place, part: string): Place {
  return { id: at.id, path: at.path === '' ? part : `${at.path}.${part}` };
}
