/**
 * Settings with their effective values: mesh > namespace > tag > service > route rule, the nearest wins, a field replaced whole. Each value keeps
 * the place where it was written, so that a broken bound points to both lines.
 */
import { ir as messages } from '../../core/diagnostics/ir';
import { settings as words } from '../../core/diagnostics/settings';
import type { OrPerEnv, ScopeRef, WireRetry, WireSettings } from '../../core/declarations/declaration';
import type { Layer, Retry, ServicePort } from '../../core/ir/ir';
import { isHttp } from '../../core/ir/layers';
import { builtInIdleMs, builtInResilience } from '../../core/ir/resilience';
import type { Balance, HealthCheck, Resilience } from '../../core/ir/resilience';
import { longestBackOffMs } from '../../core/semantics/timing';
import { hasPlatformRole, valueIn } from './context';
import type { Context, Place } from './context';
import { readBalance, readConnections, readEjection, readHealth, readLocality, readWrittenRetry, settledRetry } from './resilience';
import type { WrittenRetry } from './resilience';
import type { RuleSubject } from './rule-subject';
import { durationMs, formatMs, percent } from './units';

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
  readonly idleMaxMs?: number;
  readonly retriesMax?: number;
  readonly budgetMax?: number;
  readonly connectionsMax?: number;
  readonly ejectMax?: number;
  readonly strictMtls: boolean;
}
export interface Effective {
  readonly mtls: Setting<'strict' | 'permissive'>;
  readonly timeoutMs: Setting<number>;
  readonly idleMs: Setting<number>;
  readonly retry: Setting<WrittenRetry | null>;
  /** Each field of `Resilience` with its place. */
  readonly resilience: { readonly [field in keyof Resilience]: Setting<Resilience[field]> };
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

/** The mTLS mode of a service's ports and how callers reach them. A check is taken by the ports that speak its protocol. */
export function portSettings(context: Context, table: SettingsTable, id: string, layer: Layer): Pick<ServicePort, 'mtls' | 'resilience'> {
  const settings = table.byWorkload.get(id) ?? table.mesh;
  const { mtls, resilience } = settings;
  const { connections, eject, health, balance, locality, panicBelowPercent } = resilience;
  for (const bound of settings.bounds) {
    if (bound.strictMtls && mtls.value === 'permissive') reportBound(context, 'mtls', 'permissive', 'strict', bound, mtls.at);
    const { max } = connections.value;
    if (bound.connectionsMax !== undefined && (max ?? Infinity) > bound.connectionsMax) {
      const at = connections.level === 'built in' ? { id, path: '' } : connections.at;
      reportBound(context, 'connections.max', max === null ? 'not said' : String(max), String(bound.connectionsMax), bound, at);
    }
    if (bound.ejectMax !== undefined && eject.value && eject.value.atMostPercent > bound.ejectMax)
      reportBound(context, 'eject.atMost', `${eject.value.atMostPercent}%`, `${bound.ejectMax}%`, bound, eject.at);
  }
  return {
    mtls: mtls.value,
    resilience: {
      connections: connections.value,
      eject: eject.value,
      health: health.value && takes(layer, health.value) ? health.value : null,
      balance: reads(layer, balance.value) ? balance.value : builtInResilience.balance,
      locality: locality.value,
      panicBelowPercent: panicBelowPercent.value,
    },
  };
}
/** Whether a port of that layer can be checked so. */
function takes(layer: Layer, { by }: HealthCheck): boolean {
  return by.kind === 'tcp' || by.kind === layer;
}
/** Whether a port of that layer has what endpoints are chosen by: a connection has its source alone. */
function reads(layer: Layer, balance: Balance): boolean {
  return isHttp(layer) || balance.kind !== 'hash' || balance.by.kind === 'source';
}
/** Reports a check, or a key to balance by, written for this service itself, that none of its ports takes. */
export function checkPortSettings(context: Context, table: SettingsTable, id: string, name: string, layers: readonly Layer[]): void {
  const own = table.byWorkload.get(id)?.resilience;
  const { health, balance } = own ?? {};
  const check = health?.value;
  if (health?.level === 'service' && check && !layers.some((layer) => takes(layer, check))) {
    const isHttpCheck = check.by.kind === 'http';
    context.report(
      words.noPortToCheck,
      { service: name, by: isHttpCheck ? 'path' : 'gRPC', speaks: isHttpCheck ? 'HTTP' : 'gRPC' },
      health.at,
    );
  }
  if (balance?.level === 'service' && !layers.some((layer) => reads(layer, balance.value)))
    context.report(
      words.badSetting,
      { field: 'balance.by', why: `reads requests, and \`${name}\` has connections alone`, repair: 'balance by `source`' },
      balance.at,
    );
}

/** A route rule's times and retries over those of its port, within the bounds. */
export function ruleSettings(
  context: Context,
  base: Effective,
  rule: { readonly timeout?: OrPerEnv<string>; readonly idle?: OrPerEnv<string>; readonly retry?: OrPerEnv<WireRetry | 'none'> },
  { layer, counted }: RuleSubject,
  at: Place,
): { readonly timeoutMs: number; readonly idleMs: number; readonly retry: Retry | null } {
  const own = <T>(field: 'timeout' | 'idle' | 'retry', value: T | undefined, otherwise: Setting<T>): Setting<T> =>
    value === undefined ? otherwise : { value, at: within(at, field), level: 'route rule' };
  const timeoutMs = own(
    'timeout',
    rule.timeout === undefined ? undefined : readDuration(context, rule.timeout, within(at, 'timeout')),
    base.timeoutMs,
  );
  const idleMs = own('idle', rule.idle === undefined ? undefined : readDuration(context, rule.idle, within(at, 'idle')), base.idleMs);
  const tries = own('retry', rule.retry === undefined ? undefined : readRetry(context, rule.retry, within(at, 'retry')), base.retry);
  const [first] = counted;
  if (first && tries.value && tries.value.budgetPercent !== null) context.report(words.twoRetryLimits, first, tries.at);
  const retry = tries.value && settledRetry(tries.value, layer, first?.retries ?? null);
  for (const bound of base.bounds) {
    const outside = (field: string, value: string, limit: string, setting: Setting<unknown>): void =>
      reportBound(context, field, value, limit, bound, setting.level === 'built in' ? at : setting.at);
    if (bound.timeoutMaxMs !== undefined && timeoutMs.value > bound.timeoutMaxMs)
      outside('timeout', formatMs(timeoutMs.value), formatMs(bound.timeoutMaxMs), timeoutMs);
    if (bound.idleMaxMs !== undefined && idleMs.value > bound.idleMaxMs)
      outside('idle', formatMs(idleMs.value), formatMs(bound.idleMaxMs), idleMs);
    if (bound.retriesMax !== undefined && retry && retry.atMost > bound.retriesMax)
      outside('retry.atMost', String(retry.atMost), String(bound.retriesMax), tries);
    if (bound.budgetMax !== undefined && retry && retry.budgetPercent !== null && retry.budgetPercent > bound.budgetMax)
      outside('retry.budget', `${retry.budgetPercent}%`, `${bound.budgetMax}%`, tries);
  }
  if (retry) checkTries(context, timeoutMs, { ...tries, value: retry }, at);
  return { timeoutMs: timeoutMs.value, idleMs: idleMs.value, retry };
}

/** A timeout shorter than one try, both said at one level, is an error; one that leaves no room for all tries and the time between them is a warning. */
function checkTries(context: Context, timeout: Setting<number>, retry: Setting<Retry>, at: Place): void {
  const { value } = retry;
  const tries = value.atMost + 1;
  const between = longestBackOffMs(value);
  const params = { timeout: formatMs(timeout.value), tries, perTry: formatMs(value.perTryMs), between: formatMs(between) };
  const span = context.spanOf(retry.at);
  const related = span ? [{ message: 'the retry', span }] : [];
  if (timeout.value < value.perTryMs && timeout.level === retry.level) context.report(messages.triesOutlastTimeout, params, at, related);
  else if (timeout.value < value.perTryMs * tries + between) context.report(messages.triesCutShort, params, at, related);
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
    idleMs: nearest('idle', (s, at) => (s.idle === undefined ? undefined : readDuration(context, s.idle, at)), builtInIdleMs),
    retry: nearest<WrittenRetry | null>('retry', (s, at) => (s.retry === undefined ? undefined : readRetry(context, s.retry, at)), null),
    resilience: {
      connections: nearest('connections', (s, at) => read(context, s.connections, at, readConnections), builtInResilience.connections),
      eject: nearest('eject', (s, at) => readOrNone(context, s.eject, at, readEjection), builtInResilience.eject),
      health: nearest('health', (s, at) => readOrNone(context, s.health, at, readHealth), builtInResilience.health),
      balance: nearest('balance', (s, at) => read(context, s.balance, at, readBalance), builtInResilience.balance),
      locality: nearest('locality', (s, at) => read(context, s.locality, at, readLocality), builtInResilience.locality),
      panicBelowPercent: nearest('panicBelow', (s, at) => read(context, s.panicBelow, at, percent), builtInResilience.panicBelowPercent),
    },
    bounds: bounds.filter((bound) => bound.covers(subject)),
  };
}

function sourcesOf(context: Context): readonly Source[] {
  const sources: Source[] = [];
  const add = (level: Level, settings: WireSettings, at: Place, covers: Source['covers']): void => {
    if (settings.traceSample !== undefined) context.report(messages.unsupported, { feature: '`traceSample`' }, within(at, 'traceSample'));
    if (settings.mtls !== undefined && valueIn(settings.mtls, context.environment) === 'permissive')
      context.report(
        messages.unsupported,
        { feature: "`mtls: 'permissive'` (an allow names who proves an identity, so it would let nobody in)" },
        within(at, 'mtls'),
      );
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
    const idleMaxMs = bounds.idleMax === undefined ? undefined : durationMs(context, bounds.idleMax, at);
    const budgetMax = bounds.budgetMax === undefined ? undefined : percent(context, bounds.budgetMax, at);
    const ejectMax = bounds.ejectMax === undefined ? undefined : percent(context, bounds.ejectMax, at);
    const bound: Bound = {
      at,
      mode: value.mode ?? 'enforce',
      strictMtls: bounds.mtls === 'strict',
      ...(timeoutMaxMs === undefined ? {} : { timeoutMaxMs }),
      ...(idleMaxMs === undefined ? {} : { idleMaxMs }),
      ...(bounds.retriesMax === undefined ? {} : { retriesMax: bounds.retriesMax }),
      ...(budgetMax === undefined ? {} : { budgetMax }),
      ...(bounds.connectionsMax === undefined ? {} : { connectionsMax: bounds.connectionsMax }),
      ...(ejectMax === undefined ? {} : { ejectMax }),
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

export function readRetry(context: Context, value: OrPerEnv<WireRetry | 'none'>, at: Place): WrittenRetry | null | undefined {
  return readOrNone(context, value, at, readWrittenRetry);
}
function readOrNone<W, T>(
  context: Context,
  value: OrPerEnv<W | 'none'> | undefined,
  at: Place,
  reader: (context: Context, value: W, at: Place) => T | undefined,
): T | null | undefined {
  const picked = value === undefined ? undefined : context.pick(value, at);
  return picked === undefined ? undefined : picked === 'none' ? null : reader(context, picked, at);
}
function read<W, T>(
  context: Context,
  value: OrPerEnv<W> | undefined,
  at: Place,
  reader: (context: Context, value: W, at: Place) => T | undefined,
): T | undefined {
  const picked = value === undefined ? undefined : context.pick(value, at);
  return picked === undefined ? undefined : reader(context, picked, at);
}

export function within(at: Place, part: string): Place {
  return { id: at.id, path: at.path === '' ? part : `${at.path}.${part}` };
}
