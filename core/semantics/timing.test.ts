import * as fc from 'fast-check';
import type { Need, Retry } from '../ir/ir';
import { noLimits, type Connections } from '../ir/resilience';
import { idempotentMethods, longestBackOffMs, triesOf } from './timing';
import { stricterLimits, stricterRetry } from './variant';

const retry = (over: Partial<Retry> = {}): Retry => ({
  atMost: 2,
  perTryMs: 500,
  on: ['5xx'],
  budgetPercent: 20,
  backOff: { baseMs: 25, maxMs: 250 },
  hedge: false,
  methods: 'idempotent',
  ...over,
});

describe('tries', () => {
  test('none where nobody retries', () => expect(triesOf(null, 'GET')).toBeNull());
  test.each(idempotentMethods)('%s is tried as its owner says', (method) =>
    expect(triesOf(retry(), method)).toMatchObject({ atMost: 2, perTryMs: 500, on: ['5xx'] }),
  );
  test.each<[readonly string[], readonly string[] | null]>([
    [['5xx'], ['connect-failure', 'refused-stream', 'reset-before-request']],
    [
      ['503', 'gateway-error'],
      ['connect-failure', 'refused-stream', 'reset-before-request'],
    ],
    [['connect-failure', 'unavailable'], ['connect-failure']],
    [['503', 'retriable-4xx'], null],
  ])('a POST on %j is tried again on %j', (on, wanted) => {
    const tries = triesOf(retry({ on, hedge: true }), 'POST');
    expect(tries?.on ?? null).toEqual(wanted);
    if (tries) expect([tries.perTryMs, tries.hedge]).toEqual([null, false]);
  });
  test('whose owner says that it may be done twice is tried like any other', () =>
    expect(triesOf(retry({ methods: 'all', hedge: true }), 'POST')).toMatchObject({ perTryMs: 500, on: ['5xx'], hedge: true }));
  test('where a late try is not tried again, only the timeout ends it', () =>
    expect(triesOf(retry({ on: ['connect-failure'] }), 'GET')).toMatchObject({ perTryMs: null }));
  test('the time between tries doubles up to its maximum', () => {
    expect(longestBackOffMs(retry({ atMost: 5 }))).toBe(25 + 50 + 100 + 200 + 250);
    expect(longestBackOffMs(retry({ atMost: 1, backOff: { baseMs: 100, maxMs: 100 } }))).toBe(100);
  });
});

const anyRetry: fc.Arbitrary<Retry> = fc.record({
  atMost: fc.integer({ min: 1, max: 5 }),
  perTryMs: fc.integer({ min: 1, max: 9 }),
  on: fc.subarray(['5xx', 'reset', 'connect-failure'], { minLength: 1 }),
  budgetPercent: fc.option(fc.integer({ min: 1, max: 100 })),
  backOff: fc.record({ baseMs: fc.integer({ min: 0, max: 9 }), maxMs: fc.integer({ min: 0, max: 9 }) }),
  hedge: fc.boolean(),
  methods: fc.constantFrom('idempotent', 'all'),
});
test('a caller is never wider than the owner, and who asks for nothing changes nothing', () => {
  fc.assert(
    fc.property(anyRetry, anyRetry, (owner, caller) => {
      const both = stricterRetry(owner, caller);
      if (both) {
        expect(both.atMost).toBeLessThanOrEqual(owner.atMost);
        expect(both.perTryMs).toBeLessThanOrEqual(owner.perTryMs);
        expect(both.budgetPercent ?? -1).toBeLessThanOrEqual(owner.budgetPercent ?? -1);
        expect(both.backOff.baseMs).toBeGreaterThanOrEqual(owner.backOff.baseMs);
        expect(owner.on).toEqual(expect.arrayContaining([...both.on]));
        expect(both.hedge && !owner.hedge).toBe(false);
        expect(both.methods === 'all' && owner.methods === 'idempotent').toBe(false);
      }
      const neutral: Retry = { ...owner, budgetPercent: 100, backOff: { baseMs: 0, maxMs: 0 }, hedge: true, methods: 'all' };
      expect(stricterRetry(owner, neutral)).toEqual(owner);
    }),
    { seed: 6, numRuns: 300 },
  );
});
test('limits of a caller are the smaller ones; `requests` that nobody says follow `max`', () => {
  const need = (connections: Need['connections']): readonly Need[] => [
    { id: '' as Need['id'], caller: '' as Need['caller'], targets: [], timeoutMs: null, idleMs: null, retry: null, connections },
  ];
  const none = { max: null, pending: null, requests: null, retries: null, connectTimeoutMs: null };
  const owner: Connections = { ...noLimits, max: 20, pending: 5 };
  expect(stricterLimits(owner, [])).toEqual(owner);
  expect(stricterLimits(owner, need(none))).toEqual(owner);
  expect(stricterLimits(owner, need({ ...none, max: 5, connectTimeoutMs: 100 }))).toEqual({ ...owner, max: 5, connectTimeoutMs: 100 });
  expect(stricterLimits(owner, need({ ...none, requests: 3, pending: 9 }))).toEqual({ ...owner, requests: 3 });
  expect(stricterLimits({ ...owner, requests: 50 }, need({ ...none, max: 5 }))).toEqual({ ...owner, max: 5, requests: null });
});
