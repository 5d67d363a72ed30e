/** How destinations are reached, in the words of a policy: limits, ejection, health, balancing, nearness. */
import type { Resilience } from '../../core/ir/resilience';
import { isArray, keysOf } from '../policy/intrinsics';
import { durationText, millisecondsOf } from './described';

/** `connections.max` -> `1`, `eject.for` -> `3m`, `locality.failover.eu-west` -> `eu-north`: what is not set is not there. */
type Said = Readonly<Record<string, string>>;

/** Everything that holds, each under its name in a policy. */
export function reachOf({ connections, eject, health, balance, locality, panicBelowPercent }: Resilience): Said {
  const said: Record<string, string> = { panicBelow: `${panicBelowPercent}%` };
  const put = (name: string, value: string | number | null): void => {
    if (value !== null) said[name] = `${value}`;
  };
  const time = (name: string, value: number | null): void => put(name, value === null ? null : durationText(value));
  for (const name of ['max', 'pending', 'requests', 'retries', 'perConnection', 'streams'] as const)
    put(`connections.${name}`, connections[name]);
  time('connections.connectTimeout', connections.connectTimeoutMs);
  time('connections.idle', connections.idleMs);
  time('connections.maxAge', connections.maxAgeMs);
  if (connections.ping) {
    time('connections.ping.every', connections.ping.everyMs);
    time('connections.ping.timeout', connections.ping.timeoutMs);
  }
  if (eject) {
    for (const name of ['consecutive5xx', 'gatewayFailures', 'localFailures'] as const) put(`eject.${name}`, eject[name]);
    time('eject.for', eject.forMs);
    time('eject.forAtMost', eject.forAtMostMs);
    time('eject.every', eject.everyMs);
    put('eject.atMost', `${eject.atMostPercent}%`);
  } else said['eject'] = 'none';
  if (health) {
    const { by } = health;
    if (by.kind === 'http') put('health.path', by.path);
    else if (by.kind === 'grpc') put('health.grpc', by.service === '' ? 'server' : by.service);
    else put('health.tcp', 'connect');
    time('health.every', health.everyMs);
    time('health.timeout', health.timeoutMs);
    put('health.healthyAfter', health.healthyAfter);
    put('health.unhealthyAfter', health.unhealthyAfter);
  } else said['health'] = 'none';
  put('balance', balance.kind);
  if (locality.kind === 'off') said['locality'] = 'off';
  else if (locality.kind === 'prefer') {
    put('locality.prefer', locality.nearness);
    for (const { from, to } of locality.failover) put(`locality.failover.${from}`, to.join(' '));
  } else
    for (const { from, to } of locality.shares) for (const { place, percent } of to) put(`locality.spread.${from}.${place}`, `${percent}%`);
  return said;
}

const deepest = 4;

/** What a test expects, under the same names; undefined for what is no expectation. */
export function reachExpected(wanted: unknown, prefix = '', depth = 0): Said | undefined {
  if (depth > deepest) return undefined;
  if (typeof wanted === 'string' || typeof wanted === 'number') {
    const milliseconds = millisecondsOf(wanted);
    return prefix === '' ? undefined : { [prefix]: milliseconds === undefined ? `${wanted}` : durationText(milliseconds) };
  }
  if (isArray(wanted)) return { [prefix]: wanted.map(String).join(' ') };
  if (typeof wanted !== 'object' || wanted === null) return undefined;
  const held: { readonly [name: string]: unknown } = { ...wanted };
  const said: Record<string, string> = {};
  for (const name of keysOf(held)) {
    const inner = reachExpected(held[name], prefix === '' ? name : `${prefix}.${name}`, depth + 1);
    if (!inner) return undefined;
    for (const key of keysOf(inner)) said[key] = inner[key] ?? '';
  }
  return said;
}
