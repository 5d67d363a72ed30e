import { plainForward, plainTarget } from '../../core/ir/plain';
import fc from 'fast-check';
import type { DeclarationValue, Evaluated } from '../../core/declarations/declaration';
import { canonicalJson } from '../../core/lib/json';
import { allow, deny, evaluatedWith, named, need, never, route, scope, service, workload } from '../../test/kit/declarations';
import { environmentsOf, lower } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
const codes = (more: More, environment = 'prod'): readonly string[] =>
  lower(evaluatedWith(more), environment).diagnostics.map((d) => d.code);
const valid = (more: More, environment = 'prod') => {
  const outcome = lower(evaluatedWith(more), environment);
  expect(outcome.diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
  if (!outcome.value) throw new Error('no value');
  return outcome.value;
};

test('the example lowers in each environment without a word', () => {
  expect(environmentsOf(evaluatedWith())).toEqual(['dev', 'prod']);
  for (const environment of ['dev', 'prod']) expect(lower(evaluatedWith(), environment).diagnostics).toEqual([]);
});

test('per() is decided, and synthesised tables stand in for those not written', () => {
  const ir = valid({});
  expect(ir.routes.map((table) => [table.port, table.id])).toEqual([
    ['bookinfo/details.web', null],
    ['bookinfo/productpage.web', null],
    ['bookinfo/ratings.web', null],
    ['bookinfo/reviews.web', 'books/reviewsRoutes'],
  ]);
  expect(ir.routes[3]?.rules[1]).toEqual({
    id: 'books/reviewsRoutes.otherwise',
    match: null,
    action: {
      ...plainForward,
      timeoutMs: 2000,
      idleMs: 300_000,
      retry: {
        atMost: 2,
        perTryMs: 500,
        on: ['5xx', 'connect-failure'],
        budgetPercent: 20,
        backOff: { baseMs: 25, maxMs: 250 },
        hedge: false,
        methods: 'idempotent',
      },
      to: [
        { ...plainTarget, port: 'bookinfo/reviews.web', version: 'v1', weight: 90 },
        { ...plainTarget, port: 'bookinfo/reviews.web', version: 'v3', weight: 10 },
      ],
    },
  });
  expect(ir.routes[3]?.rules[0]?.match?.headers).toEqual([{ name: 'end-user', match: { kind: 'exact', value: 'jason' } }]);
});

test('shuffled declarations and keys give equal bytes', () => {
  const evaluated = evaluatedWith();
  const bytes = canonicalJson(lower(evaluated, 'prod').value);
  fc.assert(
    fc.property(fc.shuffledSubarray([...evaluated.declarations], { minLength: evaluated.declarations.length }), (declarations) => {
      const shuffled: Evaluated = { ...evaluated, declarations: declarations.map((d) => ({ ...d, value: reversed(d.value) })) };
      expect(canonicalJson(lower(shuffled, 'prod').value)).toBe(bytes);
    }),
    { numRuns: 30, seed: 4 },
  );
});

function reversed<T>(value: T): T {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  ) as T;
}

test('shuffled wrong declarations give equal diagnostics', () => {
  const evaluated = evaluatedWith({
    'books/again': route('books/reviews'),
    'orders/grab': allow('books/ratings', [named('books/details')]),
    'books/lost': allow('books/gone', []),
  });
  const said = lower(evaluated, 'prod').diagnostics;
  expect(lower({ ...evaluated, declarations: [...evaluated.declarations].reverse() }, 'prod').diagnostics).toEqual(said);
});

const reviewsTo = (to: object, more: object = {}): More => ({
  'books/reviewsRoutes': route('books/reviews', { otherwise: { to, ...more } as never }),
});
const v1 = { kind: 'version', version: 'v1' };
const gateRoute = (host: string, listener = 'web'): DeclarationValue => ({
  kind: 'route',
  on: { ref: 'platform/edge', listener, host },
  rules: [],
  otherwise: { to: { kind: 'respond', status: 404 } },
});

const refused: readonly (readonly [string, string, More])[] = [
  ['no mesh', 'MW3001', { 'mesh/mesh': null }],
  ['two meshes', 'MW3002', { 'mesh/other': evaluatedWith().declarations.find((d) => d.id === 'mesh/mesh')?.value ?? null }],
  ['a name with a dot', 'MW3003', { 'books/a': service('books/bookinfo', 'a.b') }],
  ['a name in upper case', 'MW3003', { 'books/a': service('books/bookinfo', 'A') }],
  ['an account with a dot', 'MW3003', { 'books/a': service('books/bookinfo', 'a', { serviceAccount: 'cert-manager.io' }) }],
  [
    'a port name with a slash',
    'MW3003',
    { 'books/a': service('books/bookinfo', 'a', { ports: { 'a/b': { protocol: 'http', number: 1 } } }) },
  ],
  ['a service twice', 'MW3004', { 'books/reviews2': service('books/bookinfo', 'reviews') }],
  ['a workload with the key of a service', 'MW3004', { 'books/reviews2': workload('books/bookinfo', 'reviews') }],
  ['a namespace twice', 'MW3004', { 'books/bookinfo2': { kind: 'namespace', name: 'bookinfo', team: 'books' } }],
  [
    'one port number twice',
    'MW3004',
    { 'books/a': service('books/bookinfo', 'a', { ports: { x: { protocol: 'http', number: 1 }, y: { protocol: 'http', number: 1 } } }) },
  ],
  ['a dangling reference', 'MW3005', { 'books/a': allow('books/reviews', [named('books/productpge')]) }],
  ['a rule as a caller', 'MW3006', { 'books/a': allow('books/reviews', [named('books/pageReadsReviews')]) }],
  [
    'a version as a caller',
    'MW3006',
    { 'books/a': allow('books/reviews', [{ kind: 'ref', to: { ref: 'books/reviews', version: 'v1' } }]) },
  ],
  [
    'an unknown port',
    'MW3007',
    { 'books/a': allow('books/reviews', [named('books/details')], { port: { ref: 'books/reviews', port: 'wbe' } }) },
  ],
  ['an unknown version', 'MW3007', reviewsTo({ kind: 'version', version: 'v9' })],
  [
    'versions at a gateway',
    'MW3007',
    { 'books/beta': { ...gateRoute('x.books.acme.example'), otherwise: { to: v1 } } as DeclarationValue },
  ],
  [
    'a folder that is no team',
    'MW3008',
    {
      'nobody/x': {
        kind: 'patch',
        on: { ref: 'books/reviews', port: 'web' },
        direction: 'inbound',
        envoy: { min: '1.40.0' },
        because: 'x',
        merge: {},
      },
    },
  ],
  ['an unknown team', 'MW3008', { 'books/x': { kind: 'namespace', name: 'bookinfo', team: 'boks' } }],
  ['a namespace of another team', 'MW3009', { 'books/x': { kind: 'namespace', name: 'orders', team: 'books' } }],
  ['an unknown environment in only', 'MW3010', { 'books/a': allow('books/reviews', [named('books/details')], { only: ['production'] }) }],
  ['an unknown environment in per', 'MW3010', reviewsTo(v1, { timeout: { $perEnv: { dev: '1s', prod: '1s', prd: '2s' } } })],
  ['a missing environment', 'MW3011', reviewsTo(v1, { timeout: { $perEnv: { dev: '1s' } } })],
  ['an empty only', 'MW3012', { 'books/a': allow('books/reviews', [named('books/details')], { only: [] }) }],
  ['no callers', 'MW3012', { 'books/a': allow('books/reviews', []) }],
  ['no requests', 'MW3012', { 'books/a': allow('books/reviews', [named('books/details')], { requests: [] }) }],
  [
    'an empty when',
    'MW3012',
    { 'books/reviewsRoutes': route('books/reviews', { rules: [{ when: {}, to: { kind: 'version', version: 'v1' } }] }) },
  ],
  [
    'a caller that is not here',
    'MW3013',
    {
      'books/a': allow('books/reviews', [named('books/w')], { requests: ['GET /health'] }),
      'books/w': workload('books/bookinfo', 'w', { only: ['dev'] }),
    },
  ],
  ...['-5s', '7 s', '1e3s', '0x10s', '2 secs', '0s', '25h', '0.5ms', 's', '', '1.5', '１s'].map(
    (timeout) => [`the timeout ${timeout}`, 'MW3014', reviewsTo(v1, { timeout })] as const,
  ),
  ['a budget above 100', 'MW3015', reviewsTo(v1, { retry: { atMost: 1, perTry: '1s', on: ['5xx'], budget: '120%' } })],
  ['port 0', 'MW3016', { 'books/a': service('books/bookinfo', 'a', { ports: { web: { protocol: 'http', number: 0 } } }) }],
  ['six retries', 'MW3016', reviewsTo(v1, { retry: { atMost: 6, perTry: '1s', on: ['5xx'] } })],
  ...[
    'GET /a b',
    'GET /{',
    'GET /{a}{b}',
    'GET /{a}/{a}',
    'GET /{a...}/b',
    'GET a',
    'GET',
    'FETCH /a',
    'GET //a',
    'GET /../a',
    'GET /a;b',
    'GET /%61',
    'GET /a?b=c',
    'GET /{1}',
    'get /a',
  ].map(
    (line) =>
      [`the request ${line}`, 'MW3017', { 'books/a': allow('books/details', [named('books/ratings')], { requests: [line] }) }] as const,
  ),
  [
    'a request that is not in the contract',
    'MW3018',
    { 'books/a': allow('books/reviews', [named('books/details')], { requests: ['GET /review/{id}'] }) },
  ],
  ['weights that do not add up', 'MW3020', reviewsTo({ kind: 'weights', weights: { v1: 90, v3: 5 } })],
  ['no weights', 'MW3020', reviewsTo({ kind: 'weights', weights: {} })],
  ['broken weights', 'MW3020', reviewsTo({ kind: 'weights', weights: { v1: 99.5, v3: 0.5 } })],
  ['a negative weight', 'MW3020', reviewsTo({ kind: 'weights', weights: { v1: 110, v3: -10 } })],
  [
    'weights that add up in one environment only',
    'MW3020',
    reviewsTo({ kind: 'weights', weights: { v1: { $perEnv: { dev: 100, prod: 50 } }, v2: 60 } }),
  ],
  ['a second list of routes for a port', 'MW3021', { 'books/again': route('books/reviews') }],
  ['a second list of routes for a host', 'MW3021', { 'books/again': gateRoute('shop.acme.example') }],
  ['a tag that nothing carries', 'MW3022', { 'books/a': allow('books/details', [{ kind: 'tagged', tags: { tier: 'silver' } }]) }],
  ['an empty tag selection', 'MW3022', { 'books/a': allow('books/details', [{ kind: 'tagged', tags: {} }]) }],
  [
    'a guarantee about a workload, which has no ports',
    'MW3022',
    { 'books/w': workload('books/bookinfo', 'w'), 'books/g': never([named('books/details')], [scope('books/w')]) },
  ],
  ['a word that is not enforced', 'MW3023', { 'books/x': { kind: 'unsupported', feature: '`mirror`' } }],
  [
    'a cookie that a client of gRPC would keep',
    'MW3023',
    {
      'books/x': service('books/bookinfo', 'x', { versions: ['v1', 'v2'], ports: { web: { protocol: 'grpc', number: 1 } } }),
      'books/xRoutes': route('books/x', {
        otherwise: { to: { kind: 'weights', weights: { v1: 50, v2: 50 } }, sticky: { kind: 'cookie', name: 'sid' } },
      }),
    },
  ],
  [
    'a PROXY header before requests',
    'MW3023',
    { 'books/x': service('books/bookinfo', 'x', { ports: { web: { protocol: 'http', number: 1, proxyProtocol: 'v1' } } }) },
  ],
  ['adoption in shadow', 'MW3023', { 'books/bookinfo': { kind: 'namespace', name: 'bookinfo', team: 'books', adoption: 'shadow' } }],
  [
    'callers by network',
    'MW3023',
    {
      'books/a': allow('books/details', [{ kind: 'outside', name: 'office', network: ['10.0.0.0/8'], through: { ref: 'platform/edge' } }]),
    },
  ],
  [
    'an allow by the server name of TLS that the application ends',
    'MW3122',
    {
      'books/k': service('books/bookinfo', 'k', { ports: { web: { protocol: 'tls', number: 443 } } }),
      'books/a': allow('books/k', [named('books/details')], { hosts: ['k.example'] }),
    },
  ],
  [
    'an allow of requests on a Kafka port',
    'MW3070',
    {
      'books/k': service('books/bookinfo', 'k', { ports: { web: { protocol: 'kafka', number: 9092 } } }),
      'books/a': allow('books/k', [named('books/details')], { requests: ['GET /a'] }),
    },
  ],
  ...['(?=a)', '(a)\\1', '[', 'a{1000}'].map(
    (value) =>
      [
        `the expression ${value}`,
        'MW3025',
        { 'books/a': allow('books/details', [named('books/ratings')], { headers: { x: { kind: 'regex', value } } }) },
      ] as const,
  ),
  [
    'an empty prefix',
    'MW3025',
    { 'books/a': allow('books/details', [named('books/ratings')], { headers: { x: { kind: 'prefix', value: '' } } }) },
  ],
  ...[':path', 'host', 'a b', 'x-envoy-original-path', 'X-Forwarded-For', 'TE', 'x-request-id', 'connection', ''].map(
    (name) =>
      [
        `the header ${name}`,
        'MW3026',
        { 'books/a': allow('books/details', [named('books/ratings')], { headers: { [name]: { kind: 'present' } } }) },
      ] as const,
  ),
  ...(
    [
      ['a cookie that goes on into the next', { cookies: { a: { kind: 'exact', value: 'x;y' } } }],
      ['a query parameter with a space', { query: { a: { kind: 'prefix', value: 'x y' } } }],
      ['two query parameters in one', { query: { a: { kind: 'exact', value: 'x&b=y' } } }],
    ] as const
  ).map(
    ([name, when]) =>
      [
        name,
        'MW3025',
        {
          'books/reviewsRoutes': route('books/reviews', {
            rules: [{ when, to: { kind: 'version', version: 'v1' } }],
            otherwise: { to: { kind: 'version', version: 'v1' } },
          }),
        },
      ] as const,
  ),
  ['an allow for anyone', 'MW3027', { 'books/a': allow('books/details', [{ kind: 'anyone', except: [] }]) }],
  ['a denial by path', 'MW3028', { 'books/a': deny('books/details', [named('books/ratings')], { requests: ['GET /a'] }) }],
  ['a denial by header', 'MW3028', { 'books/a': deny('books/details', [named('books/ratings')], { headers: { a: { kind: 'present' } } }) }],
  ['a host with a port', 'MW3029', { 'books/a': allow('books/details', [named('books/ratings')], { hosts: ['details:9080'] }) }],
  ['a host in upper case', 'MW3029', { 'books/x': gateRoute('Shop.acme.example') }],
  ['a host that the gateway does not have', 'MW3030', { 'books/x': gateRoute('shop.acme.exmaple') }],
  ['an unknown listener', 'MW3007', { 'books/x': gateRoute('shop.acme.example', 'wbe') }],
  [
    'one field twice at one level',
    'MW3031',
    {
      'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], defaults: { timeout: '5s' } },
      'mesh/b': { kind: 'standard', for: [{ kind: 'mesh' }], defaults: { timeout: '6s' } },
    },
  ],
  ['a timeout outside the bound', 'MW3032', { 'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], bounds: { timeoutMax: '1s' } } }],
  ['retries outside the bound', 'MW3032', { 'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], bounds: { retriesMax: 1 } } }],
  [
    'mTLS that takes plaintext, of whom nobody could be let in,',
    'MW3023',
    {
      'books/details': service('books/bookinfo', 'details', {
        settings: { mtls: { $mostly: { value: 'strict', except: { prod: 'permissive' } } } },
      }),
    },
  ],
  [
    'permissive where strict is asked',
    'MW3032',
    { 'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], defaults: { mtls: 'permissive' }, bounds: { mtls: 'strict' } } },
  ],
  ['a timeout under one try', 'MW3034', reviewsTo(v1, { timeout: '1s', retry: { atMost: 3, perTry: '2s', on: ['5xx'] } })],
  ['an unknown condition to retry on', 'MW3036', reviewsTo(v1, { retry: { atMost: 1, perTry: '1s', on: ['6xx'] } })],
  ['a timeout in the need of a gateway', 'MW3023', { 'platform/n': need('platform/edge', 'books/details', { timeout: '1s' }) }],
  ['a need wider than the owner', 'MW3037', { 'books/n': need('books/productpage', 'books/reviews', { timeout: '16s' }) }],
  [
    'more retries than the owner has',
    'MW3037',
    { 'books/n': need('books/productpage', 'books/reviews', { retry: { atMost: 3, perTry: '100ms', on: ['5xx'] } }) },
  ],
  ['waves that do not end', 'MW3038', { 'mesh/r': { kind: 'rollout', for: [{ kind: 'mesh' }], waves: ['5%', '50%'], hold: '1s' } }],
  ['waves that fall', 'MW3038', { 'mesh/r': { kind: 'rollout', for: [{ kind: 'mesh' }], waves: ['50%', '5%', '100%'], hold: '1s' } }],
  [
    'a patch of routing',
    'MW3040',
    {
      'books/p': {
        kind: 'patch',
        on: { ref: 'books/reviews', port: 'web' },
        direction: 'outbound',
        envoy: { min: '1.36.0' },
        because: 'x',
        merge: { transportSocket: {} },
      },
    },
  ],
  [
    'a patch for another Envoy',
    'MW3041',
    {
      'books/p': {
        kind: 'patch',
        on: { ref: 'books/reviews', port: 'web' },
        direction: 'outbound',
        envoy: { below: '1.40.0' },
        because: 'x',
        merge: { connectTimeout: '1s' },
      },
    },
  ],
  ['an unknown tag', 'MW3042', { 'books/a': service('books/bookinfo', 'a', { tags: { teir: 'gold' } }) }],
  ['an unknown tag value', 'MW3042', { 'books/a': service('books/bookinfo', 'a', { tags: { tier: 'golden' } }) }],
  ['an allow into another team', 'MW3107', { 'orders/a': allow('books/details', [named('books/ratings')]) }],
  ['an allow by the platform', 'MW3107', { 'platform/a': allow('books/details', [named('books/ratings')]) }],
  ['a route of another team', 'MW3107', { 'orders/a': route('books/details') }],
  ['a need of another team', 'MW3107', { 'orders/a': need('books/productpage', 'books/reviews') }],
  ['a host of another team', 'MW3107', { 'orders/a': gateRoute('beta.books.acme.example') }],
  ['a service in a namespace of another team', 'MW3107', { 'orders/a': service('books/bookinfo', 'spy') }],
  [
    'a standard over the mesh by a team',
    'MW3107',
    { 'books/a': { kind: 'standard', for: [{ kind: 'mesh' }], defaults: { timeout: '5s' } } },
  ],
  [
    'a second mesh root in a team',
    'MW3107',
    { 'books/m': { kind: 'mesh', trustDomain: 'evil.example', environments: ['prod'], teams: {}, runs: { envoy: '1.40.0' } } },
  ],
];

test.each(refused)('%s is %s', (_, code, more) => {
  const outcome = lower(evaluatedWith(more), 'prod');
  expect(outcome.diagnostics.map((d) => d.code)).toContain(code);
  expect(outcome.value).toBeUndefined();
  for (const d of outcome.diagnostics) {
    if (code !== 'MW3001') expect(d.span).toBeDefined();
    expect(d.message).not.toMatch(/\n|\.$|undefined/);
  }
});

test('a broken bound points to both lines', () => {
  const [found] = lower(
    evaluatedWith({ 'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], bounds: { timeoutMax: '5s' } } }),
    'dev',
  ).diagnostics;
  expect(found).toMatchObject({
    code: 'MW3032',
    span: { file: 'books/all.policy.ts' },
    related: [{ message: 'the bound', span: { file: 'mesh/all.policy.ts' } }],
  });
});

test('the nearest setting wins, field by field', () => {
  const ir = valid({
    'mesh/a': {
      kind: 'standard',
      for: [{ kind: 'mesh' }],
      defaults: {
        timeout: '9s',
        retry: { atMost: 1, perTry: '1s', on: ['reset'] },
        mtls: { $mostly: { value: 'strict', except: { dev: 'permissive' } } },
      },
    },
    'mesh/b': { kind: 'standard', for: [{ kind: 'tagged', tags: { tier: 'gold' } }], defaults: { timeout: '7s' } },
    'books/bookinfo': { kind: 'namespace', name: 'bookinfo', team: 'books', settings: { timeout: '8s', retry: 'none' } },
    'books/details': service('books/bookinfo', 'details', { settings: { timeout: '6s', connections: { max: 10 } } }),
    'books/reviewsRoutes': null,
  });
  const rule = (port: string) => ir.routes.find((table) => table.port === port)?.rules[0]?.action;
  expect(rule('bookinfo/ratings.web')).toMatchObject({ timeoutMs: 8000, retry: null });
  expect(rule('bookinfo/reviews.web')).toMatchObject({ timeoutMs: 7000, retry: null });
  expect(rule('bookinfo/details.web')).toMatchObject({ timeoutMs: 6000, retry: null });
  expect(ir.services.find((s) => s.key === 'bookinfo/details')?.ports[0]).toMatchObject({
    mtls: 'strict',
    resilience: { connections: { max: 10, pending: null } },
  });
});

test('a waived bound binds elsewhere only, and only who stated it waives it', () => {
  const bound: More = {
    'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], bounds: { timeoutMax: '15s' } },
    'books/details': service('books/bookinfo', 'details', { settings: { timeout: '20s' } }),
  };
  const waiver = {
    kind: 'waiver',
    rule: { ref: 'mesh/a' },
    at: [scope('books/details')],
    because: 'x',
    ticket: 'B-1',
    until: '2027-01-31',
  } as const;
  expect(codes(bound)).toEqual(['MW3032']);
  expect(codes({ ...bound, 'platform/w': waiver })).toEqual([]);
  expect(codes({ ...bound, 'platform/w': { ...waiver, at: [scope('books/ratings')] } })).toEqual(['MW3032']);
  expect(codes({ ...bound, 'books/w': waiver })).toEqual(['MW3032']);
});

test('a bound in shadow warns and does not stop', () => {
  const outcome = lower(
    evaluatedWith({ 'mesh/a': { kind: 'standard', for: [{ kind: 'mesh' }], bounds: { timeoutMax: '1s' }, mode: 'shadow' } }),
    'prod',
  );
  expect(outcome.value).toBeDefined();
  expect(new Set(outcome.diagnostics.map((d) => [d.code, d.severity].join()))).toEqual(new Set(['MW3033,warning']));
});

test('a rule with `only` is not there elsewhere, and keeps its index as written', () => {
  const rules = [
    { when: { request: ['GET /health'] }, to: { kind: 'version', version: 'v1' }, only: ['dev'] },
    { when: { request: ['POST /reviews'] }, to: { kind: 'version', version: 'v3' } },
  ] as const;
  const more = { 'books/reviewsRoutes': route('books/reviews', { rules, otherwise: { to: { kind: 'version', version: 'v1' } } }) };
  expect(valid(more).routes[3]?.rules.map((rule) => rule.id)).toEqual(['books/reviewsRoutes.rules.1', 'books/reviewsRoutes.otherwise']);
  expect(valid(more, 'dev').routes[3]?.rules).toHaveLength(3);
});

test('the platform may deny anywhere, and a caller from outside is its gateway', () => {
  const ir = valid({ 'platform/stop': deny('books/details', [{ kind: 'anyone', except: [named('books/productpage')] }]) });
  expect(ir.access.find((rule) => rule.id === 'platform/stop')?.callers).toEqual({
    kind: 'anyone',
    except: ['spiffe://acme.example/ns/bookinfo/sa/sa-productpage'],
  });
  expect(ir.access.find((rule) => rule.id === 'books/publicPage')?.callers).toEqual({
    kind: 'principals',
    principals: [{ principal: 'spiffe://acme.example/ns/platform/sa/edge', named: true }],
  });
});

test('callers by namespace are not named', () => {
  const ir = valid({ 'books/all': allow('books/details', [named('books/bookinfo')]) });
  expect(ir.access.find((rule) => rule.id === 'books/all')?.callers).toMatchObject({
    principals: [{ named: false }, { named: false }, { named: false }, { named: false }],
  });
});

test('a port of another layer may be declared', () => {
  expect(codes({ 'books/k': service('books/bookinfo', 'k', { ports: { broker: { protocol: 'kafka', number: 9092 } } }) })).toEqual([]);
});
