import { builtInResilience, noLimits, type Resilience } from '../core/ir/resilience';
import type { DestinationDecision } from '../core/semantics/decision';
import type { HashReading } from '../core/semantics/hash';
import { decide } from '../core/semantics/decide';
import { resilienceIr, type Setting } from '../test/kit/resilience-mesh';
import { page, reviewsWeb } from '../test/kit/small-mesh';
import { reachText, triesText } from './reach';

const asked = (setting: Setting, headers: { readonly [name: string]: string } = {}, method = 'GET') =>
  decide(resilienceIr(setting), { from: { kind: 'workload', workload: page }, to: reviewsWeb, method, path: '/x?user=7', headers });
const said = (resilience: Partial<Resilience>, headers: { readonly [name: string]: string } = {}): readonly string[] =>
  reachText(asked({ resilience }, headers).destinations);
const by = (key: Extract<Resilience['balance'], { kind: 'hash' }>['by']): Partial<Resilience> => ({
  balance: { kind: 'hash', by: key, table: { kind: 'maglev' } },
});

test('what nobody chose is not said', () => {
  expect(said({})).toEqual([]);
  expect(triesText(asked({}))).toBe('');
});
test('limits, ejection, checks and panic', () =>
  expect(
    said({
      connections: { ...noLimits, max: 9, retries: 2 },
      eject: {
        consecutive5xx: 5,
        gatewayFailures: null,
        localFailures: null,
        successRate: null,
        failureShare: null,
        everyMs: 1,
        forMs: 30_000,
        forAtMostMs: 60_000,
        atMostPercent: 50,
      },
      health: { by: { kind: 'http', path: '/healthz' }, everyMs: 5_000, timeoutMs: 1_000, healthyAfter: 1, unhealthyAfter: 1 },
      panicBelowPercent: 20,
    }),
  ).toEqual([
    'at most 9 connections, at most 2 retries, ejected for 30.0 s, at most 50 %, checked by GET /healthz every 5.0 s, all below 20 % healthy',
  ]));
test.each<[Partial<Resilience>, { readonly [name: string]: string }, string]>([
  [by({ kind: 'header', name: 'x-user' }), { 'x-user': 'ann' }, 'by header x-user `ann`'],
  [by({ kind: 'header', name: 'x-user' }), {}, 'anywhere: it has no header x-user'],
  [by({ kind: 'query', name: 'user' }), {}, 'by query parameter user `7`'],
  [by({ kind: 'cookie', name: 'sid', madeForMs: 60_000 }), { cookie: 'a=b; sid="7"' }, 'by cookie sid `7`'],
  [by({ kind: 'cookie', name: 'sid', madeForMs: 60_000 }), {}, 'by a new cookie sid for 60.0 s'],
  [by({ kind: 'source' }), {}, 'by source address'],
  [{ balance: { kind: 'round-robin', slowStartMs: 30_000 } }, {}, 'round-robin, slow start 30.0 s'],
  [
    { locality: { kind: 'prefer', nearness: 'zone', failover: [{ from: 'eu', to: ['us', 'sa'] }] } },
    {},
    'nearest zone first, from eu then us, sa',
  ],
  [{ locality: { kind: 'spread', shares: [{ from: 'eu', to: [{ place: 'us', percent: 100 }] }] } }, {}, 'from eu: us 100 %'],
])('%j with %j: %s', (resilience, headers, wanted) => expect(said(resilience, headers)).toEqual([wanted]));
test('tries are those of the method', () => {
  const retry = {
    atMost: 2,
    perTryMs: 500,
    on: ['5xx'],
    budgetPercent: 20,
    backOff: { baseMs: 25, maxMs: 250 },
    hedge: true,
    methods: 'idempotent',
  } as const;
  const setting: Setting = { action: { idleMs: 10_000, retry } };
  expect(triesText(asked(setting))).toBe(', idle 10.0 s, at most 2 retries of 500 ms on 5xx, beside a late try');
  expect(triesText(asked(setting, {}, 'POST'))).toBe(
    ', idle 10.0 s, at most 2 retries on connect-failure, refused-stream, reset-before-request',
  );
});
test('several destinations are told apart', () => {
  const [one] = asked({ resilience: { panicBelowPercent: 0 } }).destinations;
  const hash: HashReading | null = null;
  const other = {
    ...one,
    port: 'shop/other.web',
    resilience: { ...builtInResilience, panicBelowPercent: 10 },
    hash,
  } as DestinationDecision; // a second one like it
  expect(reachText(one ? [one, other] : [])).toEqual(['shop/reviews.web: all below 0 % healthy', 'shop/other.web: all below 10 % healthy']);
});
