import * as fc from 'fast-check';
import type { Clock } from '../../../platform/clock';
import { until } from '../../../test/kit/until';
import { serveDns, type DnsServer, type ZoneRecord } from '../../../test/kit/dns-server';
import { workloadKey } from '../../../core/mesh/ids';
import type { Instance } from '../../inventory';
import { asker, type Ask } from './client';
import { followDns, gatherMs, nameServerFrom } from './follow';
import { BadMessage, decodeResponse, encodeQuery, isDnsName, type RecordData } from './message';
import { keptNamesFrom, mostRecords, Names, type KeptNames } from './names';
import { mostEndpoints, resolveSource, type DnsSource } from './source';

const a = (address: string, ttl = 60): ZoneRecord => ({ type: 'A', ttl, address });
const srv = (target: string, port: number, over: object = {}): ZoneRecord => ({
  type: 'SRV',
  ttl: 60,
  priority: 0,
  weight: 1,
  port,
  target,
  ...over,
});
const reviews = workloadKey('shop', 'reviews');
const source: DnsSource = { workload: reviews, version: 'v1', zone: 'z1', name: 'reviews.example.', ports: { web: 9080 } };
const limits = { minTtlMs: 5_000, maxTtlMs: 300_000 };

/** Where there is an answer nobody waits so long for it. */
const patientMs = 30_000;
let server: DnsServer;
let own = { host: '', port: 0 };
let ask: Ask;
beforeAll(async () => {
  server = await serveDns();
  own = nameServerFrom(server.address) ?? own;
  ask = asker([own], patientMs);
});
beforeEach(() => {
  server.zone.clear();
  server.asked.clear();
  server.byTcp.clear();
});
afterAll(() => server.close());

/** Names under a clock that is moved by hand. */
function named(kept = {}): { readonly names: Names; readonly time: { now: number } } {
  const time = { now: 1_000_000 };
  return { names: new Names(ask, limits, () => time.now, kept), time };
}
/** A name server that is a function; there are no addresses of IPv6. */
const answering =
  (answers: (name: string) => readonly ZoneRecord[]): Ask =>
  (name, type) => {
    const records = answers(name).flatMap(({ ttl, ...data }) =>
      data.type === type ? [{ ttlSeconds: ttl, data: data as RecordData }] : [],
    ); // of that type
    return Promise.resolve(records.length === 0 ? { kind: 'none', why: 'NODATA', ttlSeconds: 60 } : { kind: 'records', records });
  };
const hosts = (instances: readonly Instance[]): readonly string[] =>
  instances.flatMap(({ inbound }) => Object.values(inbound).map(({ host, port }) => `${host}:${port}`)).sort();

describe('a question', () => {
  test('is answered with records, through aliases, with the shortest life of the way', async () => {
    server.zone.set('www.example', [{ type: 'CNAME', ttl: 7, target: 'real.example' }]);
    server.zone.set('real.example', [a('192.0.2.1', 90), { type: 'AAAA', ttl: 80, address: '2001:db8:0:0:0:0:0:1' }]);
    expect(await ask('www.example', 'A')).toEqual({
      kind: 'records',
      records: [{ ttlSeconds: 7, data: { type: 'A', address: '192.0.2.1' } }],
    });
    expect(await ask('WWW.Example.', 'AAAA')).toMatchObject({ records: [{ data: { address: '2001:db8:0:0:0:0:0:1' } }] });
  });
  test('that there is no such name, or nothing of that kind, is an answer; that the server cannot say is none', async () => {
    server.zone.set('empty.example', []);
    server.zone.set('broken.example', 'SERVFAIL');
    server.zone.set('mute.example', 'silence');
    expect(await ask('nobody.example', 'A')).toMatchObject({ kind: 'none', why: 'NXDOMAIN' });
    expect(await ask('empty.example', 'A')).toMatchObject({ kind: 'none', why: 'NODATA' });
    expect(await ask('broken.example', 'A')).toEqual({ kind: 'failed', why: '127.0.0.1: SERVFAIL' });
    expect(await asker([own], 500)('mute.example', 'A')).toEqual({ kind: 'failed', why: '127.0.0.1: no answer in 500 ms' });
    expect(await asker([], 1)('x.example', 'A')).toMatchObject({ kind: 'failed' });
  });
  test('too long for a datagram is asked again by TCP', async () => {
    server.zone.set(
      'many.example',
      Array.from({ length: 200 }, (_, index) => a(`198.51.100.${index + 1}`)),
    );
    const said = await ask('many.example', 'A');
    expect(said).toMatchObject({ kind: 'records' });
    expect(said.kind === 'records' && said.records.length).toBe(200);
    expect([server.asked.get('A many.example'), server.byTcp.get('A many.example')]).toEqual([1, 1]);
  });
  test('a forged packet before the answer is passed over, and what is malformed is no answer', async () => {
    server.zone.set('forged.example', 'other id first');
    server.zone.set('nonsense.example', 'nonsense');
    server.zone.set('loop.example', 'loop');
    expect(await ask('forged.example', 'A')).toMatchObject({ records: [{ data: { address: '192.0.2.1' } }] });
    expect(await asker([own], 500)('nonsense.example', 'A')).toMatchObject({ kind: 'failed' });
    expect(await asker([own], 500)('loop.example', 'A')).toMatchObject({ kind: 'failed' });
  });
  test('one that gets lost is put again', async () => {
    const soon = asker([own], 500);
    let names = 0;
    await until('one is answered in time', async () => {
      const name = `lost${(names += 1)}.example`;
      server.zone.set(name, 'lost once');
      return (await soon(name, 'A')).kind === 'records';
    });
  });
  test('is answered among thousands that are put together', async () => {
    const names = Array.from({ length: 2_000 }, (_, index) => `n${index}.example`);
    for (const name of names) server.zone.set(name, [a('192.0.2.1')]);
    const said = await Promise.all(names.map((name) => ask(name, 'A')));
    expect(said.filter(({ kind }) => kind !== 'records')).toEqual([]);
  });
  test('the next server is asked when one does not say', async () => {
    const other = await serveDns();
    try {
      server.zone.set('x.example', 'SERVFAIL');
      other.zone.set('x.example', [a('192.0.2.9')]);
      const both = asker(
        [server, other].map(({ address }) => nameServerFrom(address) ?? { host: '', port: 0 }),
        patientMs,
      );
      expect(await both('x.example', 'A')).toMatchObject({ records: [{ data: { address: '192.0.2.9' } }] });
    } finally {
      await other.close();
    }
  });
  test('a server to which there is no way is passed over', async () => {
    server.zone.set('x.example', [a('192.0.2.9')]);
    const unreachable = { host: '255.255.255.255', port: 53 };
    const both = asker([unreachable, own], patientMs);
    expect(await both('x.example', 'A')).toMatchObject({ records: [{ data: { address: '192.0.2.9' } }] });
    expect(await asker([unreachable], patientMs)('x.example', 'A')).toEqual({
      kind: 'failed',
      why: expect.stringMatching(/EACCES|ENETUNREACH/),
    });
  });
  test('whatever comes back, reading it ends with an answer or with BadMessage', () => {
    const query = encodeQuery(7, 'x.example', 'SRV');
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.integer({ min: 0, max: 0xffff }),
        fc.integer({ min: 0, max: 40 }),
        (tail, counts, cut) => {
          const bytes = Buffer.concat([query, tail]).subarray(0, query.length + tail.length - cut);
          if (bytes.length >= 8) {
            bytes.writeUInt16BE(0x8180, 2);
            bytes.writeUInt16BE(counts, 6);
          }
          try {
            decodeResponse(bytes, 7, 'x.example', 'SRV');
          } catch (error) {
            expect(error).toBeInstanceOf(BadMessage);
          }
        },
      ),
      { numRuns: 2_000, seed: 11 },
    );
  });
  test.each([
    ['a.example', true],
    ['_web._tcp.a.example.', true],
    ['', false],
    ['a..b', false],
    ['-a', false],
    ['a b', false],
    [`${'a'.repeat(64)}.b`, false],
  ])('%j is a name: %s', (name, is) => {
    expect(isDnsName(name)).toBe(is);
  });
});

describe('what is known of a name', () => {
  test('is kept for its TTL, within bounds', async () => {
    server.zone.set('x.example', [a('192.0.2.1', 20)]);
    server.zone.set('zero.example', [a('192.0.2.1', 0)]);
    server.zone.set('week.example', [a('192.0.2.1', 604_800)]);
    const { names, time } = named();
    const lives = async (name: string): Promise<number> => (await names.lookup(name, 'A')).until - time.now;
    expect([await lives('x.example'), await lives('zero.example'), await lives('week.example')]).toEqual([20_000, 5_000, 300_000]);
    time.now += 19_999;
    await names.lookup('x.example', 'A');
    expect(server.asked.get('A x.example')).toBe(1);
    time.now += 2;
    await names.lookup('x.example', 'A');
    expect(server.asked.get('A x.example')).toBe(2);
  });
  test('stays while nobody answers, asked ever more seldom; goes when the name is said not to be there', async () => {
    server.zone.set('x.example', [a('192.0.2.1', 5)]);
    const { names, time } = named();
    const good = await names.lookup('x.example', 'A');
    server.zone.set('x.example', 'SERVFAIL');
    const waits: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      time.now += 400_000;
      const { records, failure, until } = await names.lookup('x.example', 'A');
      expect([records, failure]).toEqual([good.records, '127.0.0.1: SERVFAIL']);
      waits.push(until - time.now);
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    server.zone.set('x.example', 'NXDOMAIN');
    time.now += 400_000;
    expect(await names.lookup('x.example', 'A')).toMatchObject({ records: [], none: 'NXDOMAIN', failure: null });
  });
  test('an order that is turned about is no change, and it outlives a restart', async () => {
    server.zone.set('x.example', [a('192.0.2.2'), a('192.0.2.1'), a('192.0.2.2')]);
    const { names } = named();
    const { records } = await names.lookup('x.example', 'A');
    expect(records).toEqual([
      { type: 'A', address: '192.0.2.1' },
      { type: 'A', address: '192.0.2.2' },
    ]);
    server.zone.set('x.example', 'SERVFAIL');
    const later = named(keptNamesFrom(JSON.parse(JSON.stringify(names.kept()))));
    expect(await later.names.lookup('x.example', 'A')).toMatchObject({ records, failure: expect.stringContaining('SERVFAIL') });
    expect(() => keptNamesFrom({ 'A x': [{ type: 'A', address: 'x' }] })).toThrow('has no address');
  });
});

describe('endpoints by name', () => {
  test('of both families, with what the inventory says of the source', async () => {
    server.zone.set('reviews.example', [a('192.0.2.1'), { type: 'AAAA', ttl: 60, address: '2001:db8:0:0:0:0:0:1' }]);
    const { instances, diagnostics } = await resolveSource(source, named().names);
    expect(diagnostics).toEqual([]);
    expect(instances).toMatchObject([
      {
        id: expect.stringMatching(/^dns-192-0-2-1-[0-9a-f]{12}$/),
        workload: reviews,
        version: 'v1',
        zone: 'z1',
        inbound: { web: { host: '192.0.2.1', port: 9080 } },
        endpointOnly: true,
      },
      { id: expect.stringMatching(/^dns-2001-db8-0-0-0-0-0-1-/), inbound: { web: { host: '2001:db8:0:0:0:0:0:1' } } },
    ]);
  });
  test('by SRV: port, weight and priority are the record’s', async () => {
    server.zone.set('_web._tcp.reviews.example', [
      srv('b.example', 9081, { priority: 20, weight: 0 }),
      srv('a.example', 9080, { priority: 10, weight: 60 }),
    ]);
    server.zone.set('a.example', [a('192.0.2.1')]);
    server.zone.set('b.example', [a('192.0.2.2')]);
    const { instances } = await resolveSource({ workload: reviews, srv: { web: '_web._tcp.reviews.example' } }, named().names);
    expect(instances).toMatchObject([
      { inbound: { web: { host: '192.0.2.1', port: 9080 } }, weight: 60, priority: 0 },
      { inbound: { web: { host: '192.0.2.2', port: 9081 } }, weight: 1, priority: 1 },
    ]);
  });
  test('targets are looked up at once: those that nobody answers for do not add up', async () => {
    const targets = Array.from({ length: 20 }, (_, index) => srv(`t${index}.example`, 9080));
    let [under, most] = [0, 0];
    const slow: Ask = async (name, type) => {
      if (type === 'SRV')
        return {
          kind: 'records',
          records: targets.flatMap(({ ttl, ...data }) => (data.type === 'SRV' ? [{ ttlSeconds: ttl, data }] : [])),
        };
      under += 1;
      most = Math.max(most, under);
      await new Promise((resolve) => setImmediate(resolve));
      under -= 1;
      return { kind: 'failed', why: name };
    };
    const { diagnostics } = await resolveSource(
      { workload: reviews, srv: { web: '_web._tcp.x.example' } },
      new Names(slow, limits, () => 0),
    );
    expect([most, diagnostics.length]).toEqual([2 * targets.length, targets.length]);
  });
  test('by SRV: as many targets as there may be endpoints', async () => {
    const targets = Array.from({ length: 100 }, (_, index) => `t${index}.example`);
    const answers = (name: string): ZoneRecord[] =>
      name.startsWith('_') ? targets.map((target) => srv(target, 80)) : [a(`192.0.2.${name.slice(1, -8)}`)];
    const asked = new Names(answering(answers), limits, () => 0);
    const { instances, diagnostics } = await resolveSource({ workload: reviews, srv: { web: '_web._tcp.x.example' } }, asked);
    expect([instances.length, diagnostics]).toEqual([100, []]);
  });
  test('who says far more than is taken is not listened to for long', async () => {
    const many = Array.from({ length: 4_096 }, (_, index) => a(`10.0.${index >> 8}.${index & 255}`));
    const targets = Array.from({ length: 300 }, (_, index) => srv(`t${index}.example`, 80));
    const asked = new Names(
      answering((name) => (name.startsWith('_') ? targets : many)),
      limits,
      () => 0,
    );
    const { instances, diagnostics } = await resolveSource({ workload: reviews, srv: { web: '_web._tcp.x.example' } }, asked);
    expect([instances.length, diagnostics.map(({ code }) => code)]).toEqual([mostEndpoints, ['MW9042']]);
    const kept = Object.values(asked.kept());
    expect([kept.length, Math.max(...kept.map(({ length }) => length))]).toEqual([1 + 64, mostRecords]);
    expect((await asked.lookup('t0.example', 'A')).heard).toBe(4_096);
  });
  test('one target that cannot be looked up keeps its own, and takes nothing from the others', async () => {
    server.zone.set('_web._tcp.x.example', [srv('a.example', 1), srv('b.example', 2)]);
    server.zone.set('a.example', [a('192.0.2.1')]);
    server.zone.set('b.example', [a('192.0.2.2')]);
    const { names, time } = named();
    const by = { workload: reviews, srv: { web: '_web._tcp.x.example' } };
    await resolveSource(by, names);
    server.zone.set('a.example', [a('192.0.2.7')]);
    server.zone.set('b.example', 'SERVFAIL');
    time.now += 61_000;
    const { instances, diagnostics } = await resolveSource(by, names);
    expect(hosts(instances)).toEqual(['192.0.2.2:2', '192.0.2.7:1']);
    expect(diagnostics).toMatchObject([{ code: 'MW9040', message: expect.stringContaining('its last 1 stay') }]);
  });
  test('a name that is not there has none, and says so; more than are taken are the same ones always', async () => {
    expect(await resolveSource(source, named().names)).toMatchObject({
      instances: [],
      diagnostics: [{ code: 'MW9041', message: expect.stringContaining('NXDOMAIN') }],
    });
    const many = Array.from({ length: 300 }, (_, index) => a(`10.0.${index >> 8}.${index & 255}`));
    server.zone.set('reviews.example', many);
    const first = await resolveSource(source, named().names);
    server.zone.set('reviews.example', many.toReversed());
    const second = await resolveSource(source, named().names);
    expect(first.instances).toHaveLength(mostEndpoints);
    expect(first.diagnostics).toMatchObject([{ code: 'MW9042' }]);
    expect(second.instances).toEqual(first.instances);
  });
});

/** A clock that is moved by hand, to the next time at which a name is asked for again; what is gathered by then is handed on. */
function handClock(): { readonly clock: Clock; next(): Promise<void>; waiting(): number } {
  const time = { now: 1_000_000 };
  interface Sleeper {
    readonly at: number;
    readonly gathers: boolean;
    readonly wake: () => void;
  }
  let sleepers: readonly Sleeper[] = [];
  const take = (due: (one: Sleeper) => boolean): void => {
    const woken = sleepers.filter(due);
    sleepers = sleepers.filter((one) => !due(one));
    for (const { wake } of woken) wake();
  };
  const clock: Clock = {
    now: () => time.now,
    monotonic: () => time.now,
    sleep: (ms, { signal } = {}) =>
      new Promise((resolve, reject) => {
        const own = { at: time.now + ms, gathers: ms === gatherMs, wake: resolve };
        sleepers = [...sleepers, own];
        signal?.addEventListener('abort', () => ((sleepers = sleepers.filter((one) => one !== own)), reject(new Error('aborted'))), {
          once: true,
        });
      }),
  };
  const waiting = (): number => sleepers.filter(({ gathers }) => !gathers).length;
  return {
    clock,
    waiting,
    async next() {
      const all = waiting();
      time.now = Math.max(time.now, Math.min(...sleepers.map(({ at }) => at)));
      take(({ at, gathers }) => !gathers && at <= time.now);
      while (waiting() < all) await new Promise((resolve) => setImmediate(resolve));
      take(({ gathers }) => gathers);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('names that come due together are handed on together', async () => {
  const { clock, next, waiting } = handClock();
  const sources = Array.from({ length: 300 }, (_, index): DnsSource => ({ ...source, name: `n${index}.example` }));
  const answer = (last: number): void =>
    sources.forEach((_, index) => server.zone.set(`n${index}.example`, [a(`192.0.${index >> 8}.${(index & 127) + last}`, 5)]));
  answer(1);
  const changes: (readonly string[])[] = [];
  const follower = followDns({
    servers: [own],
    settings: { timeoutMs: patientMs },
    kept: {},
    clock,
    onChange: (instances) => changes.push(hosts(instances)),
    say: () => undefined,
  });
  try {
    await follower.follow(sources);
    expect([changes.length, waiting()]).toEqual([1, 300]);
    answer(100);
    await next();
    expect(changes.length).toBe(2);
    expect(changes[1]).not.toEqual(changes[0]);
  } finally {
    follower.close();
  }
});

test('names that nobody asks for any more are forgotten: a name that stands for others each time fills nothing', async () => {
  const { clock, next } = handClock();
  const name = '_web._tcp.x.example';
  let kept: KeptNames = {};
  const follower = followDns({
    servers: [own],
    settings: { timeoutMs: patientMs, minTtlMs: 10, maxTtlMs: 20 },
    kept: {},
    clock,
    onChange: (_instances, known) => (kept = known),
    say: () => undefined,
  });
  try {
    for (let turn = 0; turn < 80; turn += 1) {
      server.zone.set(`t${turn}.example`, [a(`192.0.2.${turn}`, 0)]);
      server.zone.set(name, [srv(`t${turn}.example`, 9080, { ttl: 0 })]);
      if (turn === 0) await follower.follow([{ workload: reviews, srv: { web: name } }]);
      else await next();
    }
    expect(Object.keys(kept)).toContain('A t79.example');
    expect(Object.keys(kept).length).toBeLessThan(40);
  } finally {
    follower.close();
  }
});

test('a follower asks again when it is time, hands on what changed, and says each trouble once', async () => {
  const { clock, next } = handClock();
  server.zone.set('reviews.example', [a('192.0.2.1', 10)]);
  const changes: (readonly string[])[] = [];
  const said: string[] = [];
  const follower = followDns({
    servers: [own],
    settings: { timeoutMs: patientMs },
    kept: {},
    clock,
    onChange: (instances) => changes.push(hosts(instances)),
    say: ({ code }) => said.push(code),
  });
  try {
    await follower.follow([source]);
    expect(changes).toEqual([['192.0.2.1:9080']]);
    await next(); // nothing new
    server.zone.set('reviews.example', 'SERVFAIL');
    await next();
    await next();
    expect([changes.length, said]).toEqual([1, ['MW9040']]);
    server.zone.set('reviews.example', [a('192.0.2.1', 10), a('192.0.2.2', 10)]);
    for (let turn = 0; turn < 6 && changes.length < 2; turn += 1) await next();
    expect(changes.at(-1)).toEqual(['192.0.2.1:9080', '192.0.2.2:9080']);
    await follower.follow([]);
    expect(changes.at(-1)).toEqual([]);
  } finally {
    follower.close();
  }
});

test.each([
  ['192.0.2.1', { host: '192.0.2.1', port: 53 }],
  ['192.0.2.1:5353', { host: '192.0.2.1', port: 5353 }],
  ['::1', { host: '::1', port: 53 }],
  ['[::1]:5353', { host: '::1', port: 5353 }],
  ['ns.example', null],
  ['192.0.2.1:0', null],
])('the server %j', (text, server_) => {
  expect(nameServerFrom(text)).toEqual(server_);
});
