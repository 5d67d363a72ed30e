import type { ProxyStatus, RolloutStatus } from '../../core/bundle/status';
import type { Digest } from '../../core/lib/digest';
import type { RolloutPhase } from '../../core/rollout/rollout';
import { emptyStatus } from '../control-plane/status';
import { beforeIn, releaseStatusOf, type StatusInput } from './release-status';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;
const proxy = (instance: string, phase: ProxyStatus['parts']['inbound']['phase'], over: Partial<ProxyStatus> = {}): ProxyStatus => ({
  ...{ instance, workload: 'shop/page', principal: 'spiffe://mesh.test/ns/shop/sa/page', connected: phase !== 'unknown' },
  ...{ envoyVersion: '1.40.0', concerned: true, responses: 1, lastError: null },
  parts: { inbound: { set: 'candidate', phase }, outbound: { set: 'candidate', phase } },
  ...over,
});
const status = (over: Partial<RolloutStatus>): RolloutStatus => ({
  ...emptyStatus('prod', 0),
  state: 'rolling',
  message: 'moving on',
  ...over,
});
const progress = (phase: RolloutPhase) => ({ release: digest('a'), startedAt: 1, expected: [], hurried: false, phase });
const make = (over: Partial<StatusInput>) =>
  releaseStatusOf({
    observedGeneration: 4,
    standing: { kind: 'in-force' },
    progress: progress({ kind: 'rolling', step: 1, wave: 0 }),
    status: status({}),
    before: { converged: null, conditions: [] },
    writer: 'control-plane-0/1',
    now: Date.parse('2026-11-22T10:00:00.750Z'),
    ...over,
  });
const conditions = (made: ReturnType<typeof make>): readonly string[] =>
  made.conditions.map((one) => `${one.type}=${one.status} ${one.reason} ${one.lastTransitionTime.slice(11)}`);

test('while it rolls: where it is, the decision itself, and no digest that has converged', () => {
  const made = make({});
  expect(made).toMatchObject({
    observedGeneration: 4,
    state: 'rolling',
    step: 1,
    wave: 0,
    message: 'moving on',
    writer: 'control-plane-0/1',
  });
  expect(made).not.toHaveProperty('converged');
  expect(made).not.toHaveProperty('trouble');
  expect(conditions(made)).toEqual([
    'Accepted=True InForce 10:00:00Z',
    'Converged=False Rolling 10:00:00Z',
    'Aborted=False Rolling 10:00:00Z',
  ]);
});
test('a condition’s time moves only when it turns', () => {
  const first = make({});
  const done = make({
    progress: progress({ kind: 'converged', at: 2 }),
    before: beforeIn(JSON.parse(JSON.stringify(first))),
    now: Date.parse('2026-11-22T11:00:00Z'),
  });
  expect(conditions(done)).toEqual([
    'Accepted=True InForce 10:00:00Z',
    'Converged=True Converged 11:00:00Z',
    'Aborted=False Converged 10:00:00Z',
  ]);
  expect(done.converged).toBe(digest('a'));
  expect(done).not.toHaveProperty('step');
});
test('what waits or is refused says why, and keeps the digest that converged before', () => {
  const before = { converged: digest('b'), conditions: [] };
  const waits = make({ standing: { kind: 'waits', why: 'generation 2 waits' }, progress: progress({ kind: 'converged', at: 2 }), before });
  expect([waits.message, ...conditions(waits)].map((text) => text.replace(' 10:00:00Z', ''))).toEqual([
    'generation 2 waits',
    'Accepted=Unknown ObjectsMissing',
    'Converged=False NotInForce',
    'Aborted=False NotInForce',
  ]);
  expect(waits.converged).toBe(digest('a')); // of the decision in force, which is about the release before
  const refused = make({ standing: { kind: 'refused', why: 'not signed' }, progress: null, before });
  expect([refused.state, refused.message, refused.converged]).toEqual(['idle', 'not signed', digest('b')]);
  expect(conditions(refused)[0]).toBe('Accepted=False Refused 10:00:00Z');
});
test('proxies are counted once each, and at most twenty that hold it or refused it are named, in order', () => {
  const proxies = [
    proxy('b', 'rejected', { lastError: 'no such cluster' }),
    proxy('a', 'unknown'),
    proxy('c', 'sent'),
    proxy('d', 'active'),
    proxy('never-seen', 'none', { connected: false, principal: '', concerned: false }),
    proxy('e', 'active', { lastError: 'unconfigured: no policy', concerned: false }),
    ...Array.from({ length: 30 }, (_, index) => proxy(`z${String(index).padStart(2, '0')}`, 'acked')),
  ];
  const made = make({ status: status({ proxies }) });
  expect(made.proxies).toEqual({ total: 35, concerned: 34, active: 1, pending: 31, rejected: 1, unknown: 1, unconfigured: 1 });
  expect(made.trouble).toHaveLength(20);
  expect(made.trouble?.slice(0, 4)).toEqual([
    { instance: 'a', phase: 'unknown' },
    { instance: 'b', phase: 'rejected', error: 'no such cluster' },
    { instance: 'c', phase: 'sent' },
    { instance: 'z00', phase: 'acked' },
  ]);
});
test('a status that somebody damaged says nothing of before', () => {
  expect(beforeIn({ converged: 'yes', conditions: 7 })).toEqual({ converged: null, conditions: [] });
  expect(beforeIn(undefined)).toEqual({ converged: null, conditions: [] });
});
