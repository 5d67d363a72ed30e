import type { DeclarationValue, WireSettings } from '../../core/declarations/declaration';
import { builtInResilience, noLimits, type Resilience } from '../../core/ir/resilience';
import { allow, deny, evaluatedWith, named, need, route, service } from '../../test/kit/declarations';
import { present } from '../../test/kit/present';
import { lower } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
const reviews = (settings: WireSettings, more: object = {}): More => ({
  'books/reviews': service('books/bookinfo', 'reviews', { versions: ['v1', 'v2', 'v3'], settings, ...more }),
});
const outcome = (more: More) => lower(evaluatedWith(more), 'prod');
const codes = (more: More): readonly string[] => outcome(more).diagnostics.map(({ code }) => code);
const ir = (more: More) => {
  const { value, diagnostics } = outcome(more);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return present(value);
};
const portOf = (more: More): Resilience => present(ir(more).services.find(({ key }) => key === 'bookinfo/reviews')?.ports[0]).resilience;

test('nothing said is what is built in', () => expect(portOf({})).toEqual(builtInResilience));
test.each<[string, WireSettings, Partial<Resilience>]>([
  [
    'connections',
    {
      connections: {
        max: 9,
        pending: 8,
        requests: 7,
        retries: 6,
        perConnection: 5,
        streams: 4,
        idle: '1m',
        maxAge: '1h',
        connectTimeout: '250ms',
        keepAlive: { after: '30s', every: '5s', probes: 3 },
        ping: { every: '10s', timeout: '2s' },
      },
    },
    {
      connections: {
        max: 9,
        pending: 8,
        requests: 7,
        retries: 6,
        perConnection: 5,
        streams: 4,
        idleMs: 60_000,
        maxAgeMs: 3_600_000,
        connectTimeoutMs: 250,
        keepAlive: { afterMs: 30_000, everyMs: 5_000, probes: 3 },
        ping: { everyMs: 10_000, timeoutMs: 2_000 },
      },
    },
  ],
  ['some connections', { connections: { requests: 7 } }, { connections: { ...noLimits, requests: 7 } }],
  [
    'eject',
    { eject: { gatewayFailures: 3, failureShare: { above: '50%', hosts: 3, requests: 20 }, for: '10m', atMost: '30%' } },
    {
      eject: {
        consecutive5xx: null,
        gatewayFailures: 3,
        localFailures: null,
        successRate: null,
        failureShare: { abovePercent: 50, hosts: 3, requests: 20 },
        everyMs: 10_000,
        forMs: 600_000,
        forAtMostMs: 600_000,
        atMostPercent: 30,
      },
    },
  ],
  [
    'health',
    { health: { path: '/healthz', every: '5s', timeout: '1s' } },
    { health: { by: { kind: 'http', path: '/healthz' }, everyMs: 5_000, timeoutMs: 1_000, healthyAfter: 2, unhealthyAfter: 3 } },
  ],
  ['a slow start', { balance: { to: 'round-robin', slowStart: '30s' } }, { balance: { kind: 'round-robin', slowStartMs: 30_000 } }],
  [
    'a key',
    { balance: { by: { kind: 'header', name: 'X-User' }, with: { ring: 64 } } },
    { balance: { kind: 'hash', by: { kind: 'header', name: 'x-user' }, table: { kind: 'ring', atLeast: 64 } } },
  ],
  [
    'a cookie of a session',
    { balance: { by: { kind: 'cookie', name: 'sid', made: 'session' } } },
    { balance: { kind: 'hash', by: { kind: 'cookie', name: 'sid', madeForMs: 0 }, table: { kind: 'maglev' } } },
  ],
  [
    'places',
    { locality: { prefer: 'zone', failover: { us: ['eu', 'sa'], eu: ['us'] } } },
    {
      locality: {
        kind: 'prefer',
        nearness: 'zone',
        failover: [
          { from: 'eu', to: ['us'] },
          { from: 'us', to: ['eu', 'sa'] },
        ],
      },
    },
  ],
  [
    'shares',
    { locality: { spread: { 'eu/a': { us: '20%', eu: '80%' } } } },
    {
      locality: {
        kind: 'spread',
        shares: [
          {
            from: 'eu/a',
            to: [
              { place: 'eu', percent: 80 },
              { place: 'us', percent: 20 },
            ],
          },
        ],
      },
    },
  ],
  ['panic', { panicBelow: '0%' }, { panicBelowPercent: 0 }],
])('%s', (_what, settings, wanted) => expect(portOf(reviews(settings))).toEqual({ ...builtInResilience, ...wanted }));

test.each<[string, WireSettings]>([
  ['an ejection shorter than its longest', { eject: { consecutive5xx: 1, for: '1m', forAtMost: '1s', atMost: '10%' } }],
  ['a PING more often than each second', { connections: { ping: { every: '500ms', timeout: '100ms' } } }],
  ['a PING that is waited for until after the next', { connections: { ping: { every: '2s', timeout: '3s' } } }],
  ['keep-alive in parts of a second', { connections: { keepAlive: { after: '1500ms', every: '1s', probes: 1 } } }],
  ['a back-off whose end is below its beginning', { retry: { atMost: 1, perTry: '1s', on: ['5xx'], backOff: { base: '2s', max: '1s' } } }],
  ['a header that proxies write', { balance: { by: { kind: 'header', name: 'X-Forwarded-For' } } }],
  ['a cookie for parts of a second', { balance: { by: { kind: 'cookie', name: 'a', made: '1500ms' } } }],
  ['shares that do not add up', { locality: { spread: { eu: { eu: '50%', us: '40%' } } } }],
  ['shares of a place and a part of it', { locality: { spread: { eu: { eu: '50%', 'eu/a': '50%' } } } }],
  ['failover to where it comes from', { locality: { prefer: 'zone', failover: { eu: ['eu'] } } }],
  ['a health path with a query', { health: { path: '/healthz?full=1', every: '5s', timeout: '1s' } }],
])('refused: %s', (_what, settings) => expect(codes(reviews(settings))).toEqual(['MW3050']));
test('a condition that is none is refused', () => {
  for (const on of [403, 404, 'sometimes'] as const)
    expect(codes(reviews({ retry: { atMost: 1, perTry: '1s', on: [on] } }))).toContain('MW3036');
});

describe('retries', () => {
  const retryOf = (more: More) => {
    const action = present(
      ir(more)
        .routes.find(({ port }) => port === 'bookinfo/reviews.web')
        ?.rules.at(-1),
    ).action;
    return action.kind === 'forward' ? action.retry : null;
  };
  const wire = { atMost: 1, perTry: '1s', on: ['5xx', 503] } as const;
  test('what is not said is decided: idempotent methods, a fifth, 25 ms to 250 ms', () =>
    expect(retryOf({ ...reviews({ retry: wire }), 'books/reviewsRoutes': null })).toEqual({
      atMost: 1,
      perTryMs: 1_000,
      on: ['503', '5xx'],
      budgetPercent: 20,
      backOff: { baseMs: 25, maxMs: 250 },
      hedge: false,
      methods: 'idempotent',
    }));
  test('a count of the port takes the place of the share', () =>
    expect(retryOf({ ...reviews({ retry: wire, connections: { retries: 2 } }), 'books/reviewsRoutes': null })?.budgetPercent).toBeNull());
  test('both are one too many', () =>
    expect(codes({ ...reviews({ retry: { ...wire, budget: '10%' }, connections: { retries: 2 } }), 'books/reviewsRoutes': null })).toEqual([
      'MW3051',
    ]));
  test('the time between tries counts against the timeout', () => {
    const exactly = { ...reviews({ timeout: '2s', retry: wire }), 'books/reviewsRoutes': null };
    expect(outcome(exactly).diagnostics.map(({ message }) => message)).toEqual([
      'the timeout 2s cuts short 2 tries of 1s with up to 25ms between them',
    ]);
    expect(codes({ ...reviews({ timeout: '2100ms', retry: wire }), 'books/reviewsRoutes': null })).toEqual([]);
  });
});

describe('bounds', () => {
  const bounded = (bounds: object, settings: WireSettings): More => ({
    'mesh/a': { kind: 'standard', for: [{ kind: 'ref', to: { ref: 'books/reviews' } }], bounds },
    ...reviews(settings),
    'books/reviewsRoutes': null,
  });
  test.each<[object, WireSettings, boolean]>([
    [{ idleMax: '1m' }, { idle: '2m' }, false],
    [{ idleMax: '1m' }, { idle: '1m' }, true],
    [{ idleMax: '1m' }, {}, false],
    [{ budgetMax: '10%' }, { retry: { atMost: 1, perTry: '1s', on: ['5xx'] } }, false],
    [{ connectionsMax: 10 }, { connections: { max: 11 } }, false],
    [{ connectionsMax: 10 }, {}, false],
    [{ connectionsMax: 10 }, { connections: { max: 10 } }, true],
    [{ ejectMax: '30%' }, { eject: { consecutive5xx: 1, for: '1s', atMost: '50%' } }, false],
    [{ ejectMax: '50%' }, { eject: { consecutive5xx: 1, for: '1s', atMost: '50%' } }, true],
  ])('%j and %j', (bounds, settings, within) => expect(codes(bounded(bounds, settings))).toEqual(within ? [] : ['MW3032']));
});

describe('a caller', () => {
  const owner = reviews({ connections: { max: 10, pending: 5 } });
  const asks = (more: object): More => ({ ...owner, 'books/wants': need('books/productpage', 'books/reviews', more) });
  test('may be stricter', () => {
    const made = ir(asks({ idle: '10s', connections: { max: 5, connectTimeout: '1s' } })).needs.find(({ id }) => id === 'books/wants');
    expect(made).toMatchObject({
      idleMs: 10_000,
      connections: { max: 5, pending: null, requests: null, retries: null, connectTimeoutMs: 1_000 },
    });
  });
  test.each([{ connections: { max: 11 } }, { connections: { pending: 6 } }, { connections: { connectTimeout: '3s' } }, { idle: '10m' }])(
    'is not wider: %j',
    (more) => expect(codes(asks(more))).toEqual(['MW3037']),
  );
});

describe('a health check', () => {
  const checked = (more: More = {}): More => ({
    ...reviews({ health: { path: '/healthz', every: '5s', timeout: '1s' } }),
    'books/readsOne': allow('books/reviews', [named('books/productpage')], { requests: ['GET /reviews/{id}'] }),
    ...more,
  });
  const rule = (more: More) => ir(more).access.find(({ id }) => id === 'books/reviews.health.web');
  test('may be asked by whoever may call, and by nobody else', () => {
    const made = rule(checked());
    expect(made).toMatchObject({ action: 'allow', mode: 'enforce', port: 'bookinfo/reviews.web', requests: [{ text: 'GET /healthz' }] });
    const callers = made?.callers.kind === 'principals' ? made.callers.principals.map(({ principal }) => principal) : [];
    const allowed = ir(checked()).access.flatMap(({ port, callers: of }) =>
      port === 'bookinfo/reviews.web' && of.kind === 'principals' ? of.principals : [],
    );
    expect(callers).toEqual([...new Set(allowed.map(({ principal }) => principal))].sort());
    expect(callers.some((principal) => principal.includes('productpage'))).toBe(true);
  });
  test('not by whom a denial shuts out, nor by a caller of a shadow rule', () => {
    const denied = rule(checked({ 'books/noPage': deny('books/reviews', [named('books/productpage')]) }));
    expect(JSON.stringify(denied?.callers ?? [])).not.toContain('productpage');
  });
  test('by connecting opens nothing', () => {
    const more = checked(reviews({ health: { tcp: 'connect', every: '5s', timeout: '1s' } }));
    expect(rule(more)).toBeUndefined();
  });
  test('of a protocol that no port speaks is refused; one from a standard is taken where it can be', () => {
    expect(codes(reviews({ health: { grpc: 'server', every: '5s', timeout: '1s' } }))).toEqual(['MW3053']);
    const standard: More = {
      'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], defaults: { health: { grpc: 'server', every: '5s', timeout: '1s' } } },
    };
    expect(portOf(standard).health).toBeNull();
  });
});

test('a key that reads requests is nothing for connections', () => {
  const tcp = { ports: { web: { protocol: 'tcp', number: 9080 } }, versions: [] };
  const byHeader: WireSettings = { balance: { by: { kind: 'header', name: 'x-user' } } };
  const without = { 'books/reviewsRoutes': null };
  expect(codes({ ...reviews(byHeader, tcp), ...without })).toContain('MW3050');
  expect(codes({ ...reviews({ balance: { by: { kind: 'source' } } }, tcp), ...without })).not.toContain('MW3050');
});
test('what a rule leads to is balanced by one key', () => {
  const by = (name: string): WireSettings => ({ balance: { by: { kind: 'header', name } } });
  const split = route('books/reviews', {
    otherwise: {
      to: {
        kind: 'split',
        shares: [
          { to: { ref: 'books/reviews', port: 'web' }, percent: 50 },
          { to: { ref: 'books/ratings', port: 'web' }, percent: 50 },
        ],
      },
    },
  });
  const both = (other: string): More => ({
    ...reviews(by('a')),
    'books/ratings': service('books/bookinfo', 'ratings', { settings: by(other) }),
    'books/reviewsRoutes': split,
  });
  expect(codes(both('b'))).toContain('MW3052');
  expect(codes(both('a'))).not.toContain('MW3052');
});
