/** What `ask` says of how a destination is reached: only what somebody chose. */
import { builtInIdleMs, builtInResilience } from '../core/ir/resilience';
import type { Balance, HealthCheck, LocalityRule, Resilience } from '../core/ir/resilience';
import { assertNever } from '../core/lib/brand';
import type { Decision, DestinationDecision } from '../core/semantics/decision';
import type { HashReading } from '../core/semantics/hash';
import { counted, duration } from './output';

/** `, at most 2 retries of 500 ms on 5xx`, with what else holds of time; empty where there is nothing to say. */
export function triesText({ retry, timeoutMs, idleMs }: Decision): string {
  if (timeoutMs === null) return idleMs === null ? '' : `   closed after ${duration(idleMs)} without a byte`;
  const idle = idleMs === null || idleMs === builtInIdleMs ? '' : `, idle ${duration(idleMs)}`;
  if (!retry) return idle;
  const { atMost, perTryMs, on, hedge } = retry;
  const each = perTryMs === null ? '' : ` of ${duration(perTryMs)}`;
  return `${idle}, at most ${counted(atMost, 'retry', 'retries')}${each} on ${on.join(', ')}${hedge ? ', beside a late try' : ''}`;
}

/** One line for each way in which destinations are reached, with its port where there are several. */
export function reachText(destinations: readonly DestinationDecision[]): readonly string[] {
  const lines = new Map<string, string>();
  for (const { port, resilience, hash } of destinations) {
    const said = resilience ? partsOf(resilience, hash) : [];
    if (said.length > 0) lines.set(port, said.join(', '));
  }
  const several = new Set(destinations.map(({ port }) => port)).size > 1;
  return [...lines].map(([port, said]) => (several ? `${port}: ${said}` : said));
}

function partsOf(
  { connections, eject, health, balance, locality, panicBelowPercent }: Resilience,
  hash: HashReading | null,
): readonly string[] {
  const { max, pending, requests, retries } = connections;
  const limits = [
    [max, 'connections'],
    [pending, 'waiting'],
    [requests, 'requests'],
    [retries, 'retries'],
  ] as const;
  return [
    ...balanceText(balance, hash),
    ...localityText(locality),
    ...limits.flatMap(([limit, what]) => (limit === null ? [] : [`at most ${limit} ${what}`])),
    ...(eject ? [`ejected for ${duration(eject.forMs)}, at most ${eject.atMostPercent} %`] : []),
    ...(health ? [`checked by ${checkText(health)} every ${duration(health.everyMs)}`] : []),
    ...(panicBelowPercent === builtInResilience.panicBelowPercent ? [] : [`all below ${panicBelowPercent} % healthy`]),
  ];
}

function balanceText(balance: Balance, hash: HashReading | null): readonly string[] {
  if (balance.kind !== 'hash') {
    const { slowStartMs } = balance.kind === 'random' ? { slowStartMs: null } : balance;
    const isBuiltIn = balance.kind === 'least-request' && slowStartMs === null;
    return isBuiltIn ? [] : [`${balance.kind}${slowStartMs === null ? '' : `, slow start ${duration(slowStartMs)}`}`];
  }
  if (!hash) return [];
  switch (hash.kind) {
    case 'value':
      return [`by ${hash.of} \`${hash.value}\``];
    case 'made':
      return [`by a new${hash.secure ? ' secure' : ''} cookie ${hash.cookie}${hash.forMs === 0 ? '' : ` for ${duration(hash.forMs)}`}`];
    case 'source':
      return ['by source address'];
    case 'none':
      return [`anywhere: it has no ${balance.by.kind === 'source' ? 'source' : `${balance.by.kind} ${balance.by.name}`}`];
    default:
      return assertNever(hash);
  }
}

function localityText(locality: LocalityRule): readonly string[] {
  switch (locality.kind) {
    case 'off':
      return [];
    case 'prefer':
      return [
        `nearest ${locality.nearness} first${locality.failover.map(({ from, to }) => `, from ${from} then ${to.join(', ')}`).join('')}`,
      ];
    case 'spread':
      return locality.shares.map(({ from, to }) => `from ${from}: ${to.map(({ place, percent }) => `${place} ${percent} %`).join(', ')}`);
    default:
      return assertNever(locality);
  }
}
const checkText = ({ by }: HealthCheck): string =>
  by.kind === 'http' ? `GET ${by.path}` : by.kind === 'grpc' ? `gRPC ${by.service}`.trim() : 'connecting';
