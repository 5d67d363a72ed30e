/** Words of time and retries, limits and balancing, each seen at real applications behind real Envoys. Counted and ordered, never timed. */
import type { Retry } from '../../core/ir/ir';
import { type Balance, type Connections, noLimits as builtIn } from '../../core/ir/resilience';
import { present } from '../kit/present';
import { fails, resilienceMesh, says, type ResilienceMesh, type Setting } from '../kit/resilience-mesh';
import { patientMs } from '../kit/small-mesh';

jest.setTimeout(300_000);
let mesh: ResilienceMesh | null = null;
const start = async (setting: Setting): Promise<ResilienceMesh> => (mesh = await resilienceMesh(setting));
afterEach(async () => {
  await mesh?.stop();
  mesh = null;
});

/** What is slow to connect on a busy machine is not lost. */
const noLimits: Connections = { ...builtIn, connectTimeoutMs: patientMs };
type RetryOn = '5xx' | 'gateway-error' | 'retriable-4xx' | 'connect-failure' | 'reset' | 'reset-before-request' | 'refused-stream';
const retry = (over: Partial<Retry>): Retry => ({
  atMost: 2,
  perTryMs: patientMs,
  on: ['5xx'],
  budgetPercent: 100,
  backOff: { baseMs: 1, maxMs: 10 },
  hedge: false,
  methods: 'idempotent',
  ...over,
});
/** Answers 503 to the first so many requests, then its id. */
function failsFirst(made: ResilienceMesh, id: string, times: number): void {
  let left = times;
  const endpoint = made.endpoint(id);
  endpoint.answers = (request, response) => ((left -= 1) >= 0 ? fails(503)(request, response) : says(id)(request, response));
}

describe('retries', () => {
  test('as many as are allowed and no more; who is denied is asked once', async () => {
    const { endpoint, call } = await start({ action: { retry: retry({}) } });
    endpoint('a').answers = fails(503);
    expect((await call('/x')).status).toBe(503);
    expect(endpoint('a').seen).toHaveLength(3);
    endpoint('a').answers = fails(403);
    expect((await call('/x')).status).toBe(403);
    expect(endpoint('a').seen).toHaveLength(4);
  });
  test('a request that may not be done twice is sent once, unless its owner says that it may', async () => {
    const safe = await start({ action: { retry: retry({}) } });
    safe.endpoint('a').answers = fails(503);
    for (const method of ['POST', 'PATCH']) expect((await safe.call('/x', { method })).status).toBe(503);
    expect(safe.endpoint('a').seen.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
    for (const method of ['PUT', 'DELETE', 'HEAD']) await safe.call('/x', { method });
    expect(safe.endpoint('a').seen).toHaveLength(2 + 9);
    await safe.stop();
    const all = await start({ action: { retry: retry({ methods: 'all' }) } });
    failsFirst(all, 'a', 2);
    expect((await all.call('/x', { method: 'POST' })).status).toBe(200);
    expect(all.endpoint('a').seen).toHaveLength(3);
  });
  test('nor is it lost where nobody can have begun on it: a refused connection is tried elsewhere', async () => {
    const { endpoint, call } = await start({
      action: { retry: retry({ atMost: 3 }) },
      endpoints: { a: {}, b: {} },
      resilience: { balance: { kind: 'round-robin', slowStartMs: null } },
    });
    await endpoint('a').shut();
    for (let i = 0; i < 8; i += 1) expect(await call('/x', { method: 'POST' })).toMatchObject({ status: 200, body: 'b' });
    expect(endpoint('b').seen).toHaveLength(8);
  });
  test.each<readonly [string, Balance]>([
    ['by chance', { kind: 'random' }],
    ['by a key', { kind: 'hash', by: { kind: 'header', name: 'x-user' }, table: { kind: 'maglev' } }],
    ['by a key on a ring', { kind: 'hash', by: { kind: 'header', name: 'x-user' }, table: { kind: 'ring', atLeast: 1024 } }],
  ])('a repeated try goes to an endpoint that was not tried: %s', async (_, balance) => {
    const { endpoint, call } = await start({
      action: { retry: retry({ atMost: 1 }) },
      endpoints: { a: {}, b: {}, c: {} },
      resilience: { balance },
    });
    endpoint('a').answers = fails(503);
    let failed = 0;
    for (let i = 0; i < 200; i += 1) if ((await call('/x', { headers: { 'x-user': `user-${i}` } })).status !== 200) failed += 1;
    // a third of them go there first. It is looked elsewhere so often that a try finds the same one again once in 3^10: six such are chance once in 1e9
    expect(failed).toBeLessThan(6);
    expect(endpoint('a').seen.length).toBeGreaterThan(6);
  });
  test('on statuses that are named, and on no other', async () => {
    const { endpoint, call } = await start({ action: { retry: retry({ on: ['409', '504'] }) } });
    for (const [status, tries] of [
      [409, 3],
      [504, 3],
      [503, 1],
    ] as const) {
      endpoint('a').answers = fails(status);
      const before = endpoint('a').seen.length;
      expect((await call('/x')).status).toBe(status);
      expect([status, endpoint('a').seen.length - before]).toEqual([status, tries]);
    }
  });
  test.each<[RetryOn, ...(readonly [status: number, tries: number][])]>([
    ['5xx', [500, 3], [503, 3], [409, 1]],
    ['gateway-error', [502, 3], [503, 3], [504, 3], [500, 1]],
    ['retriable-4xx', [409, 3], [400, 1], [503, 1]],
    ['connect-failure', [503, 1]],
    ['reset', [503, 1]],
    ['reset-before-request', [503, 1]],
    ['refused-stream', [503, 1]],
  ])('on %s: on the answers that the word means, and on no other', async (word, ...answers) => {
    const { endpoint, call } = await start({ action: { retry: retry({ on: [word] }) } });
    for (const [status, tries] of answers) {
      endpoint('a').answers = fails(status);
      const before = endpoint('a').seen.length;
      expect((await call('/x')).status).toBe(status);
      expect([status, endpoint('a').seen.length - before]).toEqual([status, tries]);
    }
  });
  test.each<[RetryOn, boolean]>([
    ['reset', true],
    ['5xx', true],
    ['gateway-error', true],
    ['connect-failure', false],
    ['retriable-4xx', false],
  ])('on %s: a connection that is cut while an answer is waited for: %s', async (word, isTriedAgain) => {
    const { endpoint, call, until } = await start({
      action: { retry: retry({ on: [word] }) },
      endpoints: { a: {}, b: {} },
      resilience: { balance: { kind: 'round-robin', slowStartMs: null } },
    });
    for (const [id, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const)
      endpoint(id).answers = (_request, response) => {
        // whoever is asked first is cut off, and the other one answers
        endpoint(other).answers = says('again');
        void endpoint(id)
          .shut()
          .then(() => response.destroy());
      };
    expect((await call('/x')).status).toBe(isTriedAgain ? 200 : 503);
    await until(
      'one was asked, and the other if it is tried again',
      () => endpoint('a').seen.length + endpoint('b').seen.length === (isTriedAgain ? 2 : 1),
    );
  });
  test('the time between tries is what Envoy runs with, and is kept for every one', async () => {
    const { client, call, endpoint, stat } = await start({ action: { retry: retry({ backOff: { baseMs: 7, maxMs: 19 } }) } });
    const dump = await client.admin('/config_dump?resource=static_route_configs');
    expect(dump).toMatch(/"retry_back_off": \{\s+"base_interval": "0.007s",\s+"max_interval": "0.019s"/);
    endpoint('a').answers = fails(503);
    expect((await call('/x')).status).toBe(503);
    expect(await stat('upstream_rq_retry_backoff_exponential')).toBe(2);
  });
  test('a try that takes too long ends and is tried again; the timeout ends them all', async () => {
    const { endpoint, call, stat, stop } = await start({ action: { timeoutMs: 60_000, retry: retry({ perTryMs: 100 }) } });
    endpoint('a').answers = () => undefined;
    expect((await call('/x')).status).toBe(504);
    // by the proxy: a try may end before it has come to the application
    expect([await stat('upstream_rq_per_try_timeout'), await stat('upstream_rq_retry')]).toEqual([3, 2]);
    await stop();
    const cut = await start({ action: { timeoutMs: 300, retry: retry({ perTryMs: 200, atMost: 5 }) } });
    cut.endpoint('a').answers = () => undefined;
    expect((await cut.call('/x')).status).toBe(504);
    expect(await cut.stat('upstream_rq_retry')).toBeLessThan(5);
    await cut.until('it is in the log', () => cut.flags().length > 0);
    expect(cut.flags().at(-1)).toContain('UT');
  });
  test('a late try of a request that is not tried again is not cut short', async () => {
    const { endpoint, call } = await start({ action: { timeoutMs: 60_000, retry: retry({ perTryMs: 50 }) } });
    endpoint('a').answers = (_request, response) => void setTimeout(() => response.end('late'), 300);
    expect(await call('/x', { method: 'POST' })).toMatchObject({ status: 200, body: 'late' });
    expect(endpoint('a').seen).toHaveLength(1);
  });
  test('no more at once than the budget: the rest answer as they failed', async () => {
    const calls = 12;
    const { endpoint, call, stat } = await start({ action: { retry: retry({ atMost: 1, budgetPercent: 20 }) } });
    const held: (() => void)[] = [];
    let first = 0;
    endpoint('a').answers = (_request, response) => {
      first += 1;
      if (first <= calls) held.push(() => response.writeHead(503).end());
      else held.push(() => response.end('again'));
    };
    const answers = Array.from({ length: calls }, () => call('/x'));
    await present(mesh).until('all have come', () => held.length === calls);
    for (const fail of held.splice(0)) fail();
    // three always, and a fifth of what is under way would be fewer
    await present(mesh).until(
      'the budget is spent',
      async () => held.length === 3 && (await stat('upstream_rq_retry_overflow')) === calls - 3,
    );
    for (const answer of held.splice(0)) answer();
    const statuses = (await Promise.all(answers)).map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array.from({ length: 3 }, () => 200), ...Array.from({ length: calls - 3 }, () => 503)]);
  });
  test('of many at once so many are tried again as the share allows, which is more than three', async () => {
    const calls = 20;
    const { endpoint, call, stat, until } = await start({ action: { retry: retry({ atMost: 1, budgetPercent: 50 }) } });
    const held: (() => void)[] = [];
    endpoint('a').answers = (_request, response) => void held.push(() => response.writeHead(503).end());
    const answers = Array.from({ length: calls }, () => call('/x'));
    await until('all have come', () => held.length === calls);
    for (const fail of held.splice(0)) fail();
    // what is not tried again is no more at once: the share is of fewer and fewer
    await until('each is tried again, or is not', async () => held.length + (await stat('upstream_rq_retry_overflow')) === calls);
    expect(held.length).toBeGreaterThan(3);
    expect(held.length).toBeLessThanOrEqual(calls / 2);
    for (const fail of held.splice(0)) fail();
    await Promise.all(answers);
  });
  test('or than the count that the port has in its place', async () => {
    const calls = 6;
    const { endpoint, call, stat } = await start({
      action: { retry: retry({ atMost: 1, budgetPercent: null }) },
      resilience: { connections: { ...noLimits, retries: 2 } },
    });
    const held: (() => void)[] = [];
    endpoint('a').answers = (_request, response) => void held.push(() => response.writeHead(503).end());
    const answers = Array.from({ length: calls }, () => call('/x'));
    await present(mesh).until('all have come', () => held.length === calls);
    for (const fail of held.splice(0)) fail();
    await present(mesh).until(
      'the count is reached',
      async () => held.length === 2 && (await stat('upstream_rq_retry_overflow')) === calls - 2,
    );
    for (const fail of held.splice(0)) fail();
    await Promise.all(answers);
    expect(endpoint('a').seen).toHaveLength(calls + 2);
  });
  test('a hedged try does not wait for the end of the one before: the late one may still answer', async () => {
    const { endpoint, call } = await start({
      action: { timeoutMs: 60_000, retry: retry({ perTryMs: 100, atMost: 1, hedge: true }) },
      endpoints: { a: {}, b: {} },
      resilience: { balance: { kind: 'round-robin', slowStartMs: null } },
    });
    // whoever is asked first holds its answer until the other one is asked, which then never answers
    const waiting: (() => void)[] = [];
    for (const id of ['a', 'b'])
      endpoint(id).answers = (_request, response) => {
        if (waiting.length === 0) waiting.push(() => response.end(`late ${id}`));
        else for (const answer of waiting) answer();
      };
    expect(await call('/x')).toMatchObject({ status: 200, body: expect.stringMatching(/^late /) });
    expect(endpoint('a').seen.length + endpoint('b').seen.length).toBe(2);
  });
  test('what a caller made stricter holds for that caller', async () => {
    const { endpoint, call } = await start({
      action: { retry: retry({ atMost: 3 }) },
      need: {
        timeoutMs: null,
        idleMs: null,
        retry: { ...retry({ atMost: 1, hedge: true, methods: 'all' }), backOff: { baseMs: 0, maxMs: 0 } },
        connections: null,
      },
    });
    endpoint('a').answers = fails(503);
    expect((await call('/x')).status).toBe(503);
    expect(endpoint('a').seen).toHaveLength(2);
  });
});

test.each([
  ['a shorter deadline of its caller ends it', '100m', 600_000],
  ['a longer one is no more than the timeout', '1H', 200],
])('a gRPC call that nobody answers: %s', async (_what, deadline, timeoutMs) => {
  const { call, until } = await start({ protocol: 'grpc', action: { timeoutMs } });
  const ended: (string | undefined)[] = [];
  const headers = { 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': deadline };
  void call('/t.v1.Silent/Wait', { method: 'POST', headers }).then((answer) => ended.push(String(answer.headers['grpc-status'])));
  await until('it is over', () => ended.length === 1);
  expect(ended).toEqual(['4']);
});
test('a request on which nothing is sent for as long as `idle` ends', async () => {
  const { endpoint, call, flags, until } = await start({ action: { timeoutMs: 60_000, idleMs: 200 } });
  endpoint('a').answers = () => undefined;
  expect((await call('/x')).status).toBe(504);
  await until('it is in the log', () => flags().length > 0);
  expect(flags().at(-1)).toContain('SI');
});

describe('limits', () => {
  test.each(['owner', 'caller'])(
    'more requests at once than the %s allows answer 503 at once, with the flag of an overflow',
    async (by) => {
      const limits = { max: null, pending: null, requests: 2, retries: null, connectTimeoutMs: null };
      const made = await start(
        by === 'owner'
          ? { resilience: { connections: { ...noLimits, requests: 2 } } }
          : { need: { timeoutMs: null, idleMs: null, retry: null, connections: limits } },
      );
      const held: (() => void)[] = [];
      made.endpoint('a').answers = (_request, response) => void held.push(() => response.end('ok'));
      const first = [made.call('/x'), made.call('/x')];
      await made.until('two are under way', () => held.length === 2);
      expect((await made.call('/x')).status).toBe(503);
      await made.until('it is in the log', () => made.flags().length === 1);
      expect(made.flags()).toEqual([expect.stringContaining('UO')]);
      for (const answer of held) answer();
      expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    },
  );
  test('more waiting for a connection than `pending` overflow', async () => {
    const made = await start({ resilience: { connections: { ...noLimits, max: 1, pending: 1, requests: 100, streams: 1 } } });
    const held: (() => void)[] = [];
    made.endpoint('a').answers = (_request, response) => void held.push(() => response.end('ok'));
    const first = made.call('/x');
    await made.until('one is under way', () => held.length === 1);
    const second = made.call('/x');
    await made.until('one waits', async () => (await made.stat('upstream_rq_pending_active')) === 1);
    expect((await made.call('/x')).status).toBe(503);
    present(held[0])();
    expect((await first).status).toBe(200);
    await made.until('the next is under way', () => held.length === 2);
    present(held[1])();
    expect((await second).status).toBe(200);
    expect(await made.stat('upstream_rq_pending_overflow')).toBe(1);
  });
  test('a connection carries `perConnection` requests, and so many at once as `streams`', async () => {
    const made = await start({ resilience: { connections: { ...noLimits, perConnection: 2, streams: 1 } } });
    for (let i = 0; i < 6; i += 1) await made.call('/x');
    expect(await made.stat('upstream_cx_total')).toBe(3);
    const held: (() => void)[] = [];
    made.endpoint('a').answers = (_request, response) => void held.push(() => response.end('ok'));
    const both = [made.call('/x'), made.call('/x')];
    await made.until('both are under way', () => held.length === 2);
    expect(await made.stat('upstream_cx_total')).toBe(5);
    for (const answer of held) answer();
    await Promise.all(both);
  });
  test('a connection that nobody uses is closed after `idle`, and an old one after `maxAge`', async () => {
    for (const limit of [{ idleMs: 100 }, { maxAgeMs: 100 }]) {
      const made = await start({ resilience: { connections: { ...noLimits, ...limit } } });
      expect((await made.call('/x')).status).toBe(200);
      await made.until('it is closed', async () => (await made.stat('upstream_cx_active')) === 0);
      expect((await made.call('/x')).status).toBe(200);
      expect(await made.stat('upstream_cx_total')).toBe(2);
      await made.stop();
    }
  });
  test('a peer that answers no PING is given up, and the request on it fails before its own time is over', async () => {
    const made = await start({
      action: { timeoutMs: 60_000, idleMs: 60_000 },
      resilience: { connections: { ...builtIn, ping: { everyMs: 1_000, timeoutMs: 1_000 } } },
    });
    await made.until('it is called', async () => (await made.call('/x')).status === 200);
    process.kill(made.server.pid, 'SIGSTOP');
    try {
      expect((await made.call('/x')).status).toBe(503);
      const stats = await made.client.admin('/stats?filter=http2.keepalive_timeout');
      expect(stats).toMatch(/keepalive_timeout: [1-9]/);
    } finally {
      process.kill(made.server.pid, 'SIGCONT');
    }
    await made.until('it is called again', async () => (await made.call('/x')).status === 200);
  });
  test('keep-alive and the time to connect are what Envoy runs with', async () => {
    const made = await start({
      resilience: { connections: { ...noLimits, connectTimeoutMs: 750, keepAlive: { afterMs: 30_000, everyMs: 5_000, probes: 4 } } },
    });
    const dump = await made.client.admin('/config_dump?resource=static_clusters');
    expect(dump).toMatch(/"keepalive_probes": 4,\s+"keepalive_time": 30,\s+"keepalive_interval": 5/);
    expect(dump).toContain('"connect_timeout": "0.750s"');
    expect((await made.call('/x')).status).toBe(200);
  });
});
