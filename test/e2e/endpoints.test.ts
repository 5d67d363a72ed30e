/** Which endpoint a request goes to, and which are left out: seen at real applications behind real Envoys, with endpoints that die under load. */
import { builtInResilience, type Balance, type Ejection, type HealthCheck, type LocalityRule } from '../../core/ir/resilience';
import { endpointsFor, loadsOf, mostEjected, type Locality } from '../../core/semantics/locality';
import { localityOf } from '../../runtime-proxy/bind/endpoints';
import { present } from '../kit/present';
import { fails, resilienceMesh, says, type ResilienceMesh, type Setting } from '../kit/resilience-mesh';
import { settles } from '../kit/settles';
import { expectShare } from '../kit/shares';
import { page } from '../kit/small-mesh';

jest.setTimeout(600_000);
let mesh: ResilienceMesh | null = null;
const start = async (setting: Setting): Promise<ResilienceMesh> => (mesh = await resilienceMesh(setting));
afterEach(async () => {
  await mesh?.stop();
  mesh = null;
});

type Calls = readonly { readonly status: number; readonly body: string }[];
/** So many requests, eight at a time. */
async function load(made: ResilienceMesh, count: number, options: Parameters<ResilienceMesh['call']>[1] = {}): Promise<Calls> {
  const answers: Awaited<ReturnType<ResilienceMesh['call']>>[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while ((left -= 1) >= 0) answers.push(await made.call('/x', options));
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return answers;
}
const counts = (calls: Calls): { readonly [answer: string]: number } => {
  const found: { [answer: string]: number } = {};
  for (const { status, body } of calls) found[status === 200 ? body : `${status}`] = (found[status === 200 ? body : `${status}`] ?? 0) + 1;
  return found;
};
const endpoints = (...ids: readonly string[]): NonNullable<Setting['endpoints']> => Object.fromEntries(ids.map((id) => [id, {}]));
const eject = (over: Partial<Ejection>): Ejection => ({
  consecutive5xx: null,
  gatewayFailures: null,
  localFailures: null,
  successRate: null,
  failureShare: null,
  everyMs: 100,
  forMs: 600_000,
  forAtMostMs: 600_000,
  atMostPercent: 50,
  ...over,
});
const health = (over: Partial<HealthCheck>): HealthCheck => ({
  by: { kind: 'tcp' },
  everyMs: 100,
  // a dead endpoint refuses at once; a busy machine is no dead endpoint
  timeoutMs: 60_000,
  healthyAfter: 1,
  unhealthyAfter: 1,
  ...over,
});

describe('balance', () => {
  test('round robin takes turns; the others leave nobody out', async () => {
    const made = await start({ endpoints: endpoints('a', 'b', 'c'), resilience: { balance: { kind: 'round-robin', slowStartMs: null } } });
    const bodies: string[] = [];
    for (let i = 0; i < 9; i += 1) bodies.push((await made.call('/x')).body);
    for (let i = 0; i < 6; i += 1) expect(bodies[i]).toBe(bodies[i + 3]);
    expect(counts(bodies.map((body) => ({ status: 200, body })))).toEqual({ a: 3, b: 3, c: 3 });
    await made.stop();
    for (const kind of ['random', 'least-request'] as const) {
      const other = await start({
        endpoints: endpoints('a', 'b', 'c'),
        resilience: { balance: kind === 'random' ? { kind } : { kind, slowStartMs: null } },
      });
      expect(Object.keys(counts(await load(other, 60))).sort()).toEqual(['a', 'b', 'c']);
      const alone: string[] = [];
      for (let i = 0; i < 60; i += 1) alone.push((await other.call('/x')).body);
      // by chance, nobody takes turns over sixty requests
      expect(alone.slice(3)).not.toEqual(alone.slice(0, -3));
      await other.stop();
    }
  });
  test.each<[string, NonNullable<Setting['endpoints']>, { readonly [id: string]: number }]>([
    ['weight', { a: { weight: 3 }, b: {} }, { a: 60, b: 20 }],
    ['priority', { a: {}, b: { priority: 1, weight: 9 } }, { a: 80 }],
    ['health', { a: {}, b: { health: 'unhealthy', weight: 9 } }, { a: 80 }],
    ['health, where the first priority has nobody who is well', { a: { health: 'unhealthy' }, b: { priority: 1 } }, { b: 80 }],
  ])('what the inventory says of endpoints holds: %s', async (_what, where, wanted) => {
    const made = await start({ endpoints: where, resilience: { balance: { kind: 'round-robin', slowStartMs: null } } });
    expect(counts(await load(made, 80))).toEqual(wanted);
  });
  test('least request goes around who is busy', async () => {
    const made = await start({ endpoints: endpoints('a', 'b'), action: { timeoutMs: 600_000 } });
    const held: (() => void)[] = [];
    made.endpoint('a').answers = (_request, response) => void held.push(() => response.end('a'));
    const asked: Promise<unknown>[] = [];
    const seen = (id: string): number => made.endpoint(id).seen.length;
    for (let sent = 1; sent <= 400; sent += 1) {
      const before = seen('a');
      asked.push(made.call('/x'));
      await made.until('it has come', () => seen('a') + seen('b') === sent);
      if (seen('a') === before) await asked.at(-1);
    }
    // of two looked at by chance the one with fewer is taken: the busy one only where both are it, a quarter of the times
    expect(seen('a')).toBeLessThan(160);
    while (held.length > 0) held.pop()?.();
    await Promise.all(asked);
  });
  test.each<[string, Balance & { kind: 'hash' }, (value: string) => Parameters<ResilienceMesh['call']>]>([
    [
      'a header, by maglev',
      { kind: 'hash', by: { kind: 'header', name: 'x-user' }, table: { kind: 'maglev' } },
      (user) => ['/x', { headers: { 'x-user': user } }],
    ],
    [
      'a cookie, by a ring',
      { kind: 'hash', by: { kind: 'cookie', name: 'sid', madeForMs: null }, table: { kind: 'ring', atLeast: 512 } },
      (user) => ['/x', { headers: { cookie: `a=b; sid=${user}` } }],
    ],
    ['a query parameter', { kind: 'hash', by: { kind: 'query', name: 'user' }, table: { kind: 'maglev' } }, (user) => [`/x?user=${user}`]],
  ])(
    'the same %s comes to the same endpoint; when it goes others take over, when it is back it has its own again',
    async (_name, balance, of) => {
      const made = await start({ endpoints: endpoints('a', 'b', 'c'), resilience: { balance, health: health({}) } });
      const table = balance.table.kind === 'maglev' ? '"lb_policy": "MAGLEV"' : '"minimum_ring_size": "512"';
      expect(await made.client.admin('/config_dump?resource=static_clusters')).toContain(table);
      const healthy = (many: number) => async (): Promise<boolean> => (await made.stat('membership_healthy')) === many;
      await made.until('all are in', healthy(3));
      // so many that by chance, too, nobody is left out: a ring of 512 gives each of three a quarter or more
      const users = Array.from({ length: 100 }, (_, i) => `user-${i}`);
      const where = async (): Promise<readonly string[]> => Promise.all(users.map(async (user) => (await made.call(...of(user))).body));
      const those = async (): Promise<readonly string[]> => [...new Set(await where())].sort();
      await settles(those, ['a', 'b', 'c']);
      const first = await where();
      expect(await where()).toEqual(first);
      await made.endpoint('a').shut();
      await made.until('it is out', healthy(2));
      await settles(those, ['b', 'c']);
      const without = await where();
      expect(await where()).toEqual(without);
      await made.endpoint('a').open();
      await made.until('it is back', healthy(3));
      await settles(where, first);
    },
  );
  test('a cookie that the proxy makes keeps a client with its endpoint', async () => {
    const by = { kind: 'cookie', name: 'sid', madeForMs: 3_600_000 } as const;
    const made = await start({
      endpoints: endpoints('a', 'b', 'c'),
      resilience: { balance: { kind: 'hash', by, table: { kind: 'maglev' } } },
    });
    const first = await made.call('/x');
    const [cookie = ''] = first.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^sid="[0-9a-f]+"; Max-Age=3600; Path=\/; SameSite=Lax; HttpOnly$/);
    const [pair = ''] = cookie.split(';');
    for (let i = 0; i < 10; i += 1) {
      const again = await made.call('/x', { headers: { cookie: pair } });
      expect([again.body, again.headers['set-cookie']]).toEqual([first.body, undefined]);
    }
  });
  test('by source address, one caller stays at one endpoint', async () => {
    const made = await start({
      endpoints: endpoints('a', 'b', 'c'),
      resilience: { balance: { kind: 'hash', by: { kind: 'source' }, table: { kind: 'ring', atLeast: 1024 } } },
    });
    expect(Object.keys(counts(await load(made, 20)))).toHaveLength(1);
  });
  test('during its slow start an endpoint that comes back gets less than one that has been there', async () => {
    let turns = 0;
    for (const slowStartMs of [20_000, null]) {
      const balance: Balance = { kind: 'round-robin', slowStartMs };
      const made = await start({ endpoints: endpoints('a', 'b'), resilience: { balance, health: health({}) } });
      const healthy = (many: number) => async (): Promise<boolean> => (await made.stat('membership_healthy')) === many;
      await made.until('both are in', healthy(2));
      const back = async (): Promise<{ readonly [answer: string]: number }> => {
        await made.endpoint('b').shut();
        await made.until('it is out', healthy(1));
        await made.endpoint('b').open();
        await made.until('it is back', healthy(2));
        await made.until('it is called', async () => (await made.call('/x')).body === 'b');
        return counts(await load(made, 40));
      };
      // as soon as the other one is warm enough itself
      if (slowStartMs !== null) await made.until('it gets less', async () => ((turns += 1), ((await back())['b'] ?? 0) < 15));
      else for (; turns > 0; turns -= 1) expect(await back()).toEqual({ a: 20, b: 20 });
      await made.stop();
    }
  });
});

describe('health checks', () => {
  test('by path: who answers badly is out after so many, and in again; they come as the owner lets them', async () => {
    const made = await start({
      endpoints: endpoints('a', 'b'),
      resilience: { health: health({ by: { kind: 'http', path: '/ping' }, unhealthyAfter: 2, healthyAfter: 2 }) },
    });
    const healthy = (many: number) => async (): Promise<boolean> => (await made.stat('membership_healthy')) === many;
    await made.until('both are in', healthy(2));
    expect(made.endpoint('a').seen[0]).toMatchObject({ method: 'GET', path: '/ping' });
    made.endpoint('a').answers = (request, response) =>
      request.url === '/ping' ? fails(500)(request, response) : says('a')(request, response);
    await made.until('it is out', healthy(1));
    await settles(async () => counts(await load(made, 30)), { b: 30 });
    made.endpoint('a').answers = says('a');
    await made.until('it is back', healthy(2));
    await settles(async () => Object.keys(counts(await load(made, 60))).sort(), ['a', 'b']);
  });
  test('by path: one bad answer is not so many in a row', async () => {
    const made = await start({
      endpoints: endpoints('a', 'b'),
      resilience: { health: health({ by: { kind: 'http', path: '/ping' }, unhealthyAfter: 2, healthyAfter: 40 }) },
    });
    await made.until('both are in', async () => (await made.stat('membership_healthy')) === 2);
    let bad = 1;
    made.endpoint('a').answers = (request, response) => ((bad -= 1) >= 0 ? fails(500) : says('a'))(request, response);
    const before = made.endpoint('a').seen.length;
    await made.until('it was asked again', () => made.endpoint('a').seen.length > before + 3);
    // who is out would not be in again for forty good answers
    expect(await made.stat('membership_healthy')).toBe(2);
    bad = 2;
    await made.until('it is out', async () => (await made.stat('membership_healthy')) === 1);
  });
  test('by the gRPC health protocol: who does not serve is out', async () => {
    const made = await start({
      protocol: 'grpc',
      endpoints: endpoints('a', 'b'),
      resilience: { balance: { kind: 'round-robin', slowStartMs: null }, health: health({ by: { kind: 'grpc', service: '' } }) },
    });
    const healthy = (many: number) => async (): Promise<boolean> => (await made.stat('membership_healthy')) === many;
    await made.until('both are in', healthy(2));
    expect(made.endpoint('a').seen[0]).toMatchObject({ method: 'POST', path: '/grpc.health.v1.Health/Check' });
    made.endpoint('a').isServing = false;
    await made.until('it is out', healthy(1));
    await settles(async () => counts(await load(made, 20)), { b: 20 });
    made.endpoint('a').isServing = true;
    await made.until('it is back', healthy(2));
    await settles(async () => counts(await load(made, 20)), { a: 10, b: 10 });
  });
  test('by connecting: who cannot be reached is out', async () => {
    const made = await start({ endpoints: endpoints('a', 'b'), resilience: { health: health({}) } });
    await made.endpoint('b').shut();
    await made.until('it is out', async () => (await made.stat('membership_healthy')) === 1);
    await settles(async () => counts(await load(made, 30)), { a: 30 });
  });
});

describe('ejection under load', () => {
  const setting = (over: Partial<Ejection>, more: Setting = {}): Setting => ({
    endpoints: endpoints('a', 'b', 'c', 'd'),
    ...more,
    resilience: { balance: { kind: 'round-robin', slowStartMs: null }, eject: eject(over), ...more.resilience },
  });
  test('after so many answers of 500 in a row, and not more than the share of endpoints', async () => {
    const made = await start(setting({ consecutive5xx: 3, atMostPercent: 50 }));
    for (const id of ['a', 'b', 'c']) made.endpoint(id).answers = fails(500);
    // one at a time, in turns: each of them has failed twice, and that is not enough
    for (let sent = 0; sent < 8; sent += 1) await made.call('/x');
    expect(await made.stat('ejections_active')).toBe(0);
    // the turn after that is enough, and nothing more is asked: whichever is the first to go, another one has failed as often
    for (let sent = 0; sent < 4; sent += 1) await made.call('/x');
    await made.until('as many are out as may be', async () => (await made.stat('ejections_active')) === mostEjected(4, 50));
    // who is left fails on; nobody comes to those that are out
    await settles(async () => counts(await load(made, 40)), { 500: 20, d: 20 });
  });
  test('an endpoint that dies costs a bounded number of requests, and none where they are tried again', async () => {
    const dies = async (more: Setting): Promise<Calls> => {
      const made = await start(setting({ gatewayFailures: 3 }, more));
      const answers: { readonly status: number; readonly body: string }[] = [];
      let under = true;
      const worker = async (): Promise<void> => {
        while (under) answers.push(await made.call('/x'));
      };
      const workers = Array.from({ length: 8 }, worker);
      await made.until('there is load', () => made.endpoint('a').seen.length > 5);
      await made.endpoint('a').shut();
      await made.until('it is out', async () => (await made.stat('ejections_active')) === 1);
      await made.until('nobody comes to it', () => answers.slice(-50).every(({ status }) => status === 200));
      const then = answers.length;
      await made.until('others go on', () => answers.length > then + 50);
      under = false;
      await Promise.all(workers);
      await made.stop();
      expect(counts(answers.slice(then))).not.toHaveProperty('503');
      return answers;
    };
    const failed = (await dies({})).filter(({ status }) => status !== 200).length;
    expect(failed).toBeGreaterThanOrEqual(3);
    const retry = {
      atMost: 3,
      perTryMs: 60_000,
      on: ['5xx'],
      budgetPercent: 100,
      backOff: { baseMs: 1, maxMs: 5 },
      hedge: false,
      methods: 'idempotent',
    } as const;
    expect(counts(await dies({ action: { retry } }))).not.toHaveProperty('503');
  });
  test('failures of the way there count apart from answers where they are asked for', async () => {
    const made = await start(setting({ localFailures: 2 }));
    made.endpoint('b').answers = fails(500);
    await made.endpoint('a').shut();
    await made.until('it is out', async () => {
      await load(made, 8);
      return (await made.stat('ejections_enforced_consecutive_local_origin_failure')) === 1;
    });
    // for as many answers of 500 nobody is
    await settles(async () => counts(await load(made, 60)), { 500: 20, c: 20, d: 20 });
    expect(await made.stat('ejections_active')).toBe(1);
  });
  test('by share of failures', async () => {
    const made = await start(setting({ failureShare: { abovePercent: 50, hosts: 2, requests: 5 }, everyMs: 2_000 }));
    made.endpoint('a').answers = fails(500);
    await made.until('it is out', async () => {
      await load(made, 40);
      return (await made.stat('ejections_enforced_failure_percentage')) === 1;
    });
  });
  test('by success rate, beside the mean of all', async () => {
    const made = await start(setting({ successRate: { deviations: 1, hosts: 2, requests: 5 }, everyMs: 2_000 }));
    made.endpoint('a').answers = fails(500);
    await made.until('it is out', async () => {
      await load(made, 40);
      return (await made.stat('ejections_enforced_success_rate')) === 1;
    });
  });
  test('it is let in again', async () => {
    const made = await start(setting({ gatewayFailures: 2, everyMs: 150, forMs: 200, forAtMostMs: 350 }));
    const dump = await made.client.admin('/config_dump?resource=static_clusters');
    expect(dump).toMatch(/"interval": "0.150s",\s+"base_ejection_time": "0.200s",/);
    expect(dump).toContain('"max_ejection_time": "0.350s"');
    made.endpoint('a').answers = fails(503);
    await load(made, 40);
    await made.until('it was out', async () => (await made.stat('ejections_enforced_consecutive_gateway_failure')) >= 1);
    made.endpoint('a').answers = says('a');
    await made.until('it is called again', async () => {
      await load(made, 8);
      return (await made.stat('ejections_active')) === 0;
    });
    await settles(async () => counts(await load(made, 40)), { a: 10, b: 10, c: 10, d: 10 });
  });
});

describe('nearness', () => {
  const places = {
    a1: { region: 'eu', zone: 'a' },
    a2: { region: 'eu', zone: 'a' },
    b1: { region: 'eu', zone: 'b' },
    b2: { region: 'eu', zone: 'b' },
    u1: { region: 'us', zone: 'x' },
    s1: { region: 'sa', zone: 'y' },
  };
  const callers = { inA: { region: 'eu', zone: 'a' }, inB: { region: 'eu', zone: 'b' }, inS: { region: 'sa', zone: 'y' }, nowhere: {} };
  const turns: Balance = { kind: 'round-robin', slowStartMs: null };
  const allIn = (made: ResilienceMesh) => async (): Promise<boolean> => (await made.stat('membership_healthy', 'inA')) === 6;
  const prefer: LocalityRule = { kind: 'prefer', nearness: 'zone', failover: [{ from: 'eu', to: ['sa', 'us'] }] };
  /** What the definition says of a caller, with these endpoints dead: percent by endpoint. */
  function defined(made: ResilienceMesh, rule: LocalityRule, caller: Locality, dead: readonly string[]): { readonly [id: string]: number } {
    const all = made.inventory.instances
      .filter(({ workload }) => workload !== page)
      .map((one) => ({ id: one.id, locality: localityOf(one), weight: 1, priority: 0, health: 'healthy' as const, network: '' }));
    const priorities = endpointsFor(rule, { ...caller, network: '' }, all).map((groups) =>
      groups.flatMap((group) => group.endpoints.map(({ id }) => id)),
    );
    const alive = priorities.map((ids) => ids.filter((id) => !dead.includes(id)));
    const loads = loadsOf(
      priorities.map((ids, index) => ({ total: ids.length, healthy: present(alive[index]).length, degraded: 0 })),
      builtInResilience.panicBelowPercent,
    );
    return Object.fromEntries(
      loads.flatMap(({ load, panic }, index) => {
        const ids = present(panic ? priorities[index] : alive[index]);
        return load === 0 ? [] : ids.map((id) => [id, load / ids.length]);
      }),
    );
  }
  /** Who is dead and called nevertheless, in a panic, is seen by its failures. */
  function dying(shares: { readonly [id: string]: number }, dead: readonly string[]): { readonly [id: string]: number } {
    const failing = dead.reduce((sum, id) => sum + (shares[id] ?? 0), 0);
    const alive = Object.entries(shares).filter(([id]) => !dead.includes(id));
    return Object.fromEntries([...alive, ...(failing > 0 ? [['503', failing] as const] : [])]);
  }
  test('requests stay in the zone, move by priority when its endpoints die under load, and come back', async () => {
    const made = await start({ endpoints: places, callers, resilience: { balance: turns, locality: prefer, health: health({}) } });
    const dead: string[] = [];
    const settled = async (): Promise<void> => {
      for (const caller of Object.keys(callers))
        await made.until('checks have seen it', async () => (await made.stat('membership_healthy', caller)) === 6 - dead.length);
    };
    const see = async (): Promise<void> => {
      await settled();
      for (const [from, where] of Object.entries(callers)) {
        const wanted = dying(defined(made, prefer, localityOf(where), dead), dead);
        let got: ReturnType<typeof counts> = {};
        // who is to be called is, nobody else is, and a share of 20% or more is seen as one
        await settles(
          async () => [from, dead, Object.keys((got = counts(await load(made, 200, { from })))).sort()],
          [from, dead, Object.keys(wanted).sort()],
        );
        for (const [id, percent] of Object.entries(wanted)) expect(Math.abs((got[id] ?? 0) / 2 - percent)).toBeLessThan(20);
      }
    };
    await see();
    expect(defined(made, prefer, localityOf(callers.inA), [])).toEqual({ a1: 50, a2: 50 });
    for (const id of ['a1', 'a2', 'b1', 'b2', 's1']) {
      const under = load(made, 60, { from: 'inA' });
      dead.push(id);
      await made.endpoint(id).shut();
      await under;
      await see();
    }
    expect(defined(made, prefer, localityOf(callers.inA), ['a1', 'a2', 'b1', 'b2'])).toEqual({ s1: 100 });
    expect(defined(made, prefer, localityOf(callers.inA), dead)).toEqual({ u1: 100 });
    for (const id of dead.splice(0)) await made.endpoint(id).open();
    await see();
  });
  test('where half a zone is dead, the part that it does not stand goes to the next', async () => {
    const made = await start({ endpoints: places, callers, resilience: { balance: turns, locality: prefer, health: health({}) } });
    await made.until('all are in', allIn(made));
    await made.endpoint('a1').shut();
    await made.until('it is out', async () => (await made.stat('membership_healthy', 'inA')) === 5);
    expect(defined(made, prefer, localityOf(callers.inA), ['a1'])).toEqual({ a2: 70, b1: 15, b2: 15 });
    let got: ReturnType<typeof counts> = {};
    await settles(async () => Object.keys((got = counts(await load(made, 600, { from: 'inA' })))).sort(), ['a2', 'b1', 'b2']);
    expectShare(got['a2'] ?? 0, 600, 70);
  });
  test('shares by place', async () => {
    const rule: LocalityRule = {
      kind: 'spread',
      shares: [
        {
          from: 'eu/a',
          to: [
            { place: 'eu/a', percent: 80 },
            { place: 'us', percent: 20 },
          ],
        },
      ],
    };
    const made = await start({ endpoints: places, callers, resilience: { balance: turns, locality: rule, health: health({}) } });
    await made.until('all are in', allIn(made));
    let got: ReturnType<typeof counts> = {};
    await settles(async () => Object.keys((got = counts(await load(made, 1_000, { from: 'inA' })))).sort(), ['a1', 'a2', 'u1']);
    expectShare(got['u1'] ?? 0, 1_000, 20);
    await settles(async () => Object.keys(counts(await load(made, 200, { from: 'inB' }))).sort(), Object.keys(places).sort());
    for (const id of ['a1', 'a2', 'u1']) await made.endpoint(id).shut();
    await made.until('they are out', async () => (await made.stat('membership_healthy', 'inA')) === 3);
    await settles(async () => Object.keys(counts(await load(made, 100, { from: 'inA' }))).sort(), ['b1', 'b2', 's1']);
  });
});

describe('panic', () => {
  test('below the threshold all are called, healthy or not; with `0%` only the healthy', async () => {
    const dead = ['a', 'b', 'c'];
    for (const panicBelowPercent of [50, 0]) {
      const made = await start({
        endpoints: endpoints('a', 'b', 'c', 'd'),
        resilience: {
          balance: { kind: 'round-robin', slowStartMs: null },
          health: health({ by: { kind: 'http', path: '/ping' } }),
          panicBelowPercent,
        },
      });
      for (const id of dead)
        made.endpoint(id).answers = (request, response) => (request.url === '/ping' ? fails(500) : says(id))(request, response);
      await made.until('three are out', async () => (await made.stat('membership_healthy')) === 1);
      const [only] = loadsOf([{ total: 4, healthy: 1, degraded: 0 }], panicBelowPercent);
      await settles(async () => counts(await load(made, 40)), only?.panic ? { a: 10, b: 10, c: 10, d: 10 } : { d: 40 });
      await made.stop();
    }
  });
});
