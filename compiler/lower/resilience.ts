/** Reads what settings say of retries, limits, ejection, health, balancing and nearness; `settings.ts` says which of them is in force. */
import { ir as messages } from '../../core/diagnostics/ir';
import { settings as words } from '../../core/diagnostics/settings';
import type {
  WireBalance,
  WireConnections,
  WireEjection,
  WireHashKey,
  WireHealth,
  WireLimits,
  WireLocality,
  WireRetry,
} from '../../core/declarations/declaration';
import type { CallerLimits, Retry } from '../../core/ir/ir';
import { builtInBackOff, noLimits } from '../../core/ir/resilience';
import type { Balance, Connections, Ejection, HashKey, HealthCheck, LocalityRule } from '../../core/ir/resilience';
import { sortedUnique } from '../../core/lib/order';
import type { Context, Place } from './context';
import { durationMs, percent, wholeNumber } from './units';

const retryWords = [
  '5xx',
  'cancelled',
  'connect-failure',
  'deadline-exceeded',
  'gateway-error',
  'internal',
  'refused-stream',
  'reset',
  'reset-before-request',
  'resource-exhausted',
  'retriable-4xx',
  'unavailable',
];
const retryStatuses = [409, 425, 500, 501, 502, 503, 504, 507, 508];

/** A retry as written; null where it leaves the answer to the port. */
export interface WrittenRetry extends Omit<Retry, 'methods' | 'backOff' | 'hedge'> {
  readonly methods: Retry['methods'] | null;
  readonly backOff: Retry['backOff'] | null;
  readonly hedge: boolean | null;
}

export function readWrittenRetry(context: Context, retry: WireRetry, at: Place): WrittenRetry | undefined {
  const atMost = wholeNumber(context, 'retry.atMost', retry.atMost, 1, 5, at);
  const perTryMs = durationMs(context, retry.perTry, at);
  const budgetPercent = retry.budget === undefined ? null : percent(context, retry.budget, at);
  const unknown = retry.on.filter((condition) =>
    typeof condition === 'number' ? !retryStatuses.includes(condition) : !retryWords.includes(condition),
  );
  if (retry.on.length === 0) context.report(messages.badRetry, { why: 'names no condition' }, at);
  if (unknown.length > 0) context.report(messages.badRetry, { why: `has no condition ${unknown.map((c) => `\`${c}\``).join(', ')}` }, at);
  if (budgetPercent === 0) context.report(messages.badRetry, { why: 'has a budget of nothing' }, at);
  const backOff = retry.backOff && readBackOff(context, retry.backOff, at);
  if (atMost === undefined || perTryMs === undefined || budgetPercent === undefined) return undefined;
  return {
    atMost,
    perTryMs,
    on: sortedUnique(retry.on.map(String)),
    budgetPercent,
    backOff: backOff ?? null,
    hedge: retry.hedge ?? null,
    methods: retry.methods ?? null,
  };
}

function readBackOff(context: Context, written: NonNullable<WireRetry['backOff']>, at: Place): Retry['backOff'] | undefined {
  const baseMs = durationMs(context, written.base, at);
  const maxMs = durationMs(context, written.max, at);
  if (baseMs === undefined || maxMs === undefined) return undefined;
  if (maxMs < baseMs) {
    const why = `has a \`max\` of ${written.max} below its \`base\` of ${written.base}`;
    context.report(words.badSetting, { field: 'retry.backOff', why, repair: 'make `max` at least `base`' }, at);
  }
  return { baseMs, maxMs };
}

/** What a retry means at a port: a share of 20% where it names none and the port no count, idempotent methods where it says nothing and requests have any. */
export function settledRetry(written: WrittenRetry, layer: 'http' | 'grpc', retries: number | null): Retry {
  return {
    ...written,
    budgetPercent: retries === null ? (written.budgetPercent ?? 20) : null,
    backOff: written.backOff ?? builtInBackOff,
    hedge: written.hedge ?? false,
    methods: written.methods ?? (layer === 'grpc' ? 'all' : 'idempotent'),
  };
}
/** What a caller asks for: whatever it leaves out is as the owner has it, so each is the value that changes nothing. */
export function askedRetry(written: WrittenRetry): Retry {
  return {
    ...written,
    budgetPercent: written.budgetPercent ?? 100,
    backOff: written.backOff ?? { baseMs: 0, maxMs: 0 },
    hedge: written.hedge ?? true,
    methods: written.methods ?? 'all',
  };
}

const most = 1_000_000;
type Counts = 'max' | 'pending' | 'requests' | 'retries';
function readLimits(context: Context, value: WireLimits, at: Place): Pick<CallerLimits, Counts> {
  const count = (field: Counts): number | null =>
    value[field] === undefined ? null : (wholeNumber(context, `connections.${field}`, value[field], 1, most, at) ?? null);
  return { max: count('max'), pending: count('pending'), requests: count('requests'), retries: count('retries') };
}
export function readCallerLimits(context: Context, value: WireLimits, at: Place): CallerLimits {
  return { ...readLimits(context, value, at), connectTimeoutMs: optionalMs(context, value.connectTimeout, at) };
}
const optionalMs = (context: Context, text: string | undefined, at: Place): number | null =>
  text === undefined ? null : (durationMs(context, text, at) ?? null);

export function readConnections(context: Context, value: WireConnections, at: Place): Connections {
  const count = (field: 'perConnection' | 'streams'): number | null =>
    value[field] === undefined ? null : (wholeNumber(context, `connections.${field}`, value[field], 1, most, at) ?? null);
  const { keepAlive } = value;
  return {
    ...readLimits(context, value, at),
    perConnection: count('perConnection'),
    streams: count('streams'),
    connectTimeoutMs: optionalMs(context, value.connectTimeout, at) ?? noLimits.connectTimeoutMs,
    idleMs: optionalMs(context, value.idle, at),
    maxAgeMs: optionalMs(context, value.maxAge, at),
    keepAlive: keepAlive === undefined ? null : readKeepAlive(context, keepAlive, at),
    ping: value.ping === undefined ? null : readPing(context, value.ping, at),
  };
}

/** More often than each second PINGs are a traffic of their own; an answer that is waited for longer than until the next would be nobody's. */
function readPing(context: Context, value: NonNullable<WireConnections['ping']>, at: Place): Connections['ping'] {
  const everyMs = durationMs(context, value.every, at);
  const timeoutMs = durationMs(context, value.timeout, at);
  if (everyMs === undefined || timeoutMs === undefined) return null;
  if (everyMs < 1_000) {
    const why = `has an \`every\` of ${value.every}`;
    context.report(words.badSetting, { field: 'connections.ping', why, repair: 'write at least `1s`' }, at);
  }
  if (timeoutMs > everyMs) {
    const why = `waits ${value.timeout} for an answer, longer than until the next`;
    context.report(words.badSetting, { field: 'connections.ping', why, repair: 'make `timeout` at most `every`' }, at);
  }
  return { everyMs, timeoutMs };
}
function readKeepAlive(context: Context, value: NonNullable<WireConnections['keepAlive']>, at: Place): Connections['keepAlive'] {
  const afterMs = durationMs(context, value.after, at) ?? 0;
  const everyMs = durationMs(context, value.every, at) ?? 0;
  const probes = wholeNumber(context, 'connections.keepAlive.probes', value.probes, 1, 100, at) ?? 1;
  if (afterMs % 1000 !== 0 || everyMs % 1000 !== 0) {
    const why = 'is not in whole seconds, which is what TCP counts in';
    context.report(words.badSetting, { field: 'connections.keepAlive', why, repair: 'write whole seconds: `30s`' }, at);
  }
  return { afterMs, everyMs, probes };
}

export function readEjection(context: Context, value: WireEjection, at: Place): Ejection | undefined {
  const count = (field: 'consecutive5xx' | 'gatewayFailures' | 'localFailures'): number | null =>
    value[field] === undefined ? null : (wholeNumber(context, `eject.${field}`, value[field], 1, 10_000, at) ?? null);
  const rated = (field: string, { hosts, requests }: { readonly hosts: number; readonly requests: number }) => ({
    hosts: wholeNumber(context, `${field}.hosts`, hosts, 1, 10_000, at) ?? 1,
    requests: wholeNumber(context, `${field}.requests`, requests, 1, most, at) ?? 1,
  });
  const forMs = durationMs(context, value.for, at);
  const forAtMostMs = value.forAtMost === undefined ? undefined : durationMs(context, value.forAtMost, at);
  const atMostPercent = wholePercent(context, 'eject.atMost', value.atMost, at);
  if (forMs === undefined || atMostPercent === undefined) return undefined;
  if (forAtMostMs !== undefined && forAtMostMs < forMs) {
    const why = `is shorter than \`for\` (${value.for})`;
    context.report(words.badSetting, { field: 'eject.forAtMost', why, repair: 'make it at least as long' }, at);
  }
  const { successRate, failureShare } = value;
  const made: Ejection = {
    consecutive5xx: count('consecutive5xx'),
    gatewayFailures: count('gatewayFailures'),
    localFailures: count('localFailures'),
    successRate: successRate ? { deviations: successRate.deviations, ...rated('eject.successRate', successRate) } : null,
    failureShare: failureShare
      ? {
          abovePercent: wholePercent(context, 'eject.failureShare.above', failureShare.above, at) ?? 100,
          ...rated('eject.failureShare', failureShare),
        }
      : null,
    everyMs: optionalMs(context, value.every, at) ?? 10_000,
    forMs,
    forAtMostMs: forAtMostMs ?? Math.max(300_000, forMs),
    atMostPercent,
  };
  const { consecutive5xx, gatewayFailures, localFailures } = made;
  if ([consecutive5xx, gatewayFailures, localFailures, made.successRate, made.failureShare].every((cause) => cause === null))
    context.report(messages.empty, { what: '`eject`' }, at);
  return made;
}

function wholePercent(context: Context, what: string, text: string, at: Place): number | undefined {
  const share = percent(context, text, at);
  return share === undefined ? undefined : wholeNumber(context, what, share, 1, 100, at);
}

export function readHealth(context: Context, value: WireHealth, at: Place): HealthCheck | undefined {
  const everyMs = durationMs(context, value.every, at);
  const timeoutMs = durationMs(context, value.timeout, at);
  if (everyMs === undefined || timeoutMs === undefined) return undefined;
  if (timeoutMs > everyMs) {
    const why = `is longer than \`every\` (${value.every}), so a check would begin before the one before it ended`;
    context.report(words.badSetting, { field: 'health.timeout', why, repair: 'shorten `timeout` or check less often' }, at);
  }
  const { path, grpc, tcp } = value;
  if ([path, grpc, tcp].filter((way) => way !== undefined).length !== 1) {
    context.report(messages.empty, { what: '`health` (one of `path`, `grpc`, `tcp`)' }, at);
    return undefined;
  }
  return {
    by:
      path !== undefined
        ? { kind: 'http', path }
        : grpc !== undefined
          ? { kind: 'grpc', service: grpc === 'server' ? '' : grpc }
          : { kind: 'tcp' },
    everyMs,
    timeoutMs,
    healthyAfter: wholeNumber(context, 'health.healthyAfter', value.healthyAfter ?? 2, 1, 100, at) ?? 1,
    unhealthyAfter: wholeNumber(context, 'health.unhealthyAfter', value.unhealthyAfter ?? 3, 1, 100, at) ?? 1,
  };
}

const mostPoints = 8_388_608;
export function readBalance(context: Context, value: WireBalance, at: Place): Balance | undefined {
  if (value === 'random') return { kind: 'random' };
  if (typeof value === 'string') return { kind: value, slowStartMs: null };
  if ('to' in value) {
    const slowStartMs = durationMs(context, value.slowStart, at);
    return slowStartMs === undefined ? undefined : { kind: value.to, slowStartMs };
  }
  const by = readHashKey(context, value.by, at);
  if (!by) return undefined;
  const table = value.with ?? 'maglev';
  if (table === 'maglev') return { kind: 'hash', by, table: { kind: 'maglev' } };
  const atLeast = table === 'ring' ? 1024 : wholeNumber(context, 'balance.with.ring', table.ring, 1, mostPoints, at);
  return atLeast === undefined ? undefined : { kind: 'hash', by, table: { kind: 'ring', atLeast } };
}

/** What proxies write themselves says nothing of the caller, and changes with every try. */
const proxiesOwn = /^(?:x-envoy-|x-forwarded-|x-meshwright-|x-request-id$)/;
function readHashKey(context: Context, key: WireHashKey, at: Place): HashKey | undefined {
  if (key.kind === 'source' || key.kind === 'query') return key;
  if (key.kind === 'cookie') {
    const madeForMs = key.made === undefined ? null : key.made === 'session' ? 0 : (durationMs(context, key.made, at) ?? null);
    if (madeForMs !== null && madeForMs % 1000 !== 0) {
      const why = `lives ${key.made}, and a cookie's age is in whole seconds`;
      context.report(words.badSetting, { field: `cookie('${key.name}')`, why, repair: 'write whole seconds: `3600s` or `1h`' }, at);
    }
    return { kind: 'cookie', name: key.name, madeForMs };
  }
  const name = key.name.toLowerCase();
  if (proxiesOwn.test(name)) {
    const why = 'is written by proxies, so it tells no caller from another';
    context.report(words.badSetting, { field: `header('${key.name}')`, why, repair: 'hash by what the application sends' }, at);
    return undefined;
  }
  return { kind: 'header', name };
}

export function readLocality(context: Context, value: WireLocality, at: Place): LocalityRule | undefined {
  if (value === 'off') return { kind: 'off' };
  if ('prefer' in value) {
    const failover = Object.keys(value.failover ?? {})
      .sort()
      .map((from) => ({ from, to: value.failover?.[from] ?? [] }));
    for (const { from, to } of failover) {
      if (to.length === 0) context.report(messages.empty, { what: `the list of places for \`${from}\`` }, at);
      if (to.some((place, index) => place === from || to.indexOf(place) !== index)) {
        const why = `names \`${from}\` itself or one place twice`;
        context.report(words.badSetting, { field: `locality.failover.${from}`, why, repair: 'name each other place once' }, at);
      }
    }
    return { kind: 'prefer', nearness: value.prefer, failover };
  }
  const shares = Object.keys(value.spread)
    .sort()
    .map((from) => {
      const written = value.spread[from] ?? {};
      const to = Object.keys(written)
        .sort()
        .map((place) => ({ place, percent: wholePercent(context, `locality.spread.${from}.${place}`, written[place] ?? '', at) ?? 0 }));
      const sum = to.reduce((total, share) => total + share.percent, 0);
      if (sum !== 100) {
        const repair = 'let the shares of each place add up to 100%';
        context.report(words.badSetting, { field: `locality.spread.${from}`, why: `adds up to ${sum}%`, repair }, at);
      }
      const within = to.find(({ place }) => to.some((other) => other.place.startsWith(`${place}/`)));
      if (within) {
        const why = `names \`${within.place}\` and a part of it`;
        context.report(words.badSetting, { field: `locality.spread.${from}`, why, repair: 'name places that do not overlap' }, at);
      }
      return { from, to };
    });
  if (shares.length === 0) context.report(messages.empty, { what: '`locality.spread`' }, at);
  return { kind: 'spread', shares };
}
