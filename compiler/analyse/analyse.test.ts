import type { DeclarationValue, WireClaim, WireRouteRule, WireUser } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { lower } from '../lower';
import { allow, deny, evaluatedWith, named, need, never, route, scope, service, workload } from '../../test/kit/declarations';
import { analyse, analysers } from './analyse';
import { spanLookup } from './finding';

type More = { readonly [id: string]: DeclarationValue | null };
function run(more: More, asOf = '2026-11-22') {
  const evaluated = evaluatedWith(more);
  const irs = new Map<string, MeshIr>();
  for (const environment of ['dev', 'prod']) {
    const { value, diagnostics } = lower(evaluated, environment);
    if (!value) throw new Error(JSON.stringify(diagnostics));
    irs.set(environment, value);
  }
  return analyse({ evaluated, irs, asOf });
}
const said = (more: More, asOf?: string): readonly string[] => run(more, asOf).map((d) => `${d.code} ${d.message}`);
const reviewsRules = (...requests: readonly (readonly string[])[]): More => ({
  'books/reviewsRoutes': route('books/reviews', {
    rules: requests.map((request, index) => ({ when: { request }, to: { kind: 'version', version: `v${index + 1}` } })),
    otherwise: { to: { kind: 'version', version: 'v1' } },
  }),
});

test('the example has no findings', () => expect(run({})).toEqual([]));

describe('shadowed routes', () => {
  test('the same request twice', () => {
    expect(run(reviewsRules(['GET /reviews/{id}'], ['GET /reviews/{id}']))).toMatchObject([
      {
        code: 'MW4002',
        message: '`books/reviewsRoutes.rules.1` never matches: `books/reviewsRoutes.rules.0` takes every such request before it',
        span: { file: 'books/all.policy.ts' },
        related: [{ message: 'this rule takes them' }],
      },
    ]);
  });
  const details = (...rules: readonly object[]): More => ({
    'books/detailsRoutes': route('books/details', {
      rules: rules.map((when) => ({ when, to: { kind: 'target', to: { ref: 'books/details', port: 'web' } } })) as never,
    }),
  });
  const exact = (value: string) => ({ kind: 'exact', value });
  test.each<[string, readonly object[], number]>([
    ['a template over a literal', [{ request: ['GET /a/{x}'] }, { request: ['GET /a/b'] }], 1],
    ['any method over one', [{ request: ['* /a'] }, { request: ['GET /a'] }], 1],
    ['the rest over a template', [{ request: ['GET /{r...}'] }, { request: ['GET /a/{x}'] }], 1],
    ['two rules that take a class each', [{ request: ['GET /a'] }, { request: ['GET /b'] }, { request: ['GET /a', 'GET /b'] }], 1],
    ['a prefix over a value', [{ headers: { a: { kind: 'prefix', value: 'x' } } }, { headers: { a: exact('xy') } }], 1],
    ['an expression over a value', [{ headers: { a: { kind: 'regex', value: 'x.' } } }, { headers: { a: exact('xy') } }], 1],
    ['fewer conditions over more', [{ query: { q: exact('1') } }, { query: { q: exact('1') }, cookies: { c: exact('2') } }], 1],
    ['a literal before its template', [{ request: ['GET /a/b'] }, { request: ['GET /a/{x}'] }], 0],
    ['one segment does not take the rest', [{ request: ['GET /{x}'] }, { request: ['GET /{r...}'] }], 0],
    ['one class of two is left', [{ request: ['GET /a'] }, { request: ['GET /a', 'GET /b'] }], 0],
    ['another value', [{ headers: { a: exact('x') } }, { headers: { a: exact('y') } }], 0],
    ['another header', [{ headers: { a: exact('x') } }, { headers: { b: exact('x') } }], 0],
    ['conditions over fewer', [{ request: ['GET /a'], headers: { a: exact('x') } }, { request: ['GET /a'] }], 0],
  ])('%s', (_, rules, count) => expect(run(details(...rules)).filter((d) => d.code === 'MW4002')).toHaveLength(count));
});

test('a gateway that may not go where its host is routed', () => {
  expect(
    said({
      'books/beta': {
        kind: 'route',
        on: { ref: 'platform/edge', listener: 'web', host: 'beta.books.acme.example' },
        rules: [],
        otherwise: { to: { kind: 'target', to: { ref: 'books/details', port: 'web' } } },
      },
    }),
  ).toEqual(['MW4005 `books/beta.otherwise` sends `platform/edge` to `bookinfo/details.web`, which does not let it in']);
});
test('a port routed to another that does not let its callers in', () => {
  expect(
    said({
      'books/detailsRoutes': route('books/details', { otherwise: { to: { kind: 'target', to: { ref: 'books/ratings', port: 'web' } } } }),
    }),
  ).toEqual(['MW4005 `books/detailsRoutes.otherwise` sends `bookinfo/productpage` to `bookinfo/ratings.web`, which does not let it in']);
});
test('a route by a request that the destination never allows', () => {
  expect(
    said({
      'books/shop': {
        kind: 'route',
        on: { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' },
        rules: [{ when: { request: ['POST /productpage'] }, to: { kind: 'target', to: { ref: 'books/productpage', port: 'web' } } }],
        otherwise: { to: { kind: 'respond', status: 404 } },
      },
    }),
  ).toEqual(['MW4005 `books/shop.rules.0` sends `platform/edge` to `bookinfo/productpage.web`, which does not let it in']);
});
test('a service that nobody calls, and a workload that is cut off', () => {
  expect(
    said({
      'books/lonely': workload('books/bookinfo', 'lonely'),
      'books/idle': service('books/bookinfo', 'idle'),
      'books/a': allow('books/details', [named('books/idle')]),
    }),
  ).toEqual(['MW4011 `bookinfo/lonely` may call nothing and nobody may call it', 'MW4003 nobody may call `bookinfo/idle`']);
});
test('a gateway on the way out is not cut off, though nothing comes in by it', () => {
  const gateway = {
    kind: 'gateway',
    namespace: { ref: 'platform/platform' },
    name: 'egress',
    serviceAccount: 'egress',
    listeners: {},
    wayOutOf: ['books'],
  } as const;
  const stripe: DeclarationValue = {
    ...{
      kind: 'external',
      name: 'stripe',
      team: 'books',
      hosts: ['api.stripe.example'],
      ports: { web: { protocol: 'https', number: 443 } },
    },
    through: { ref: 'platform/egress' },
  };
  const more = { 'platform/egress': gateway, 'books/stripe': stripe, 'books/charge': allow('books/stripe', [named('books/productpage')]) };
  expect(said(more).filter((one) => one.includes('egress'))).toEqual([]);
});
test('a guarantee is refuted with a caller, a rule and a request', () => {
  expect(
    run({ 'books/pageReadsRatings': allow('books/ratings', [named('books/productpage')], { requests: ['GET /ratings/{id}'] }) }),
  ).toMatchObject([
    {
      code: 'MW4007',
      severity: 'error',
      message:
        '`books/ratingsArePrivate` does not hold: `books/pageReadsRatings` lets `bookinfo/productpage` call `bookinfo/ratings.web`, for example with `GET /ratings/7`',
    },
  ]);
});
test('a denial keeps a guarantee', () => {
  expect(
    said({
      'books/pageReadsRatings': allow('books/ratings', [named('books/productpage')]),
      'platform/no': deny('books/ratings', [named('books/productpage')]),
    }),
  ).toEqual(['MW4009 `books/pageReadsRatings` has no effect: `platform/no` denies all of its callers']);
});
test('a guarantee of another team is a watch', () => {
  expect(run({ 'orders/watch': never([named('books/productpage')], [scope('books/details')]) })).toMatchObject([
    { code: 'MW4008', severity: 'warning' },
  ]);
});
test('a need without an allow prints the line that the owner would add', () => {
  expect(
    run({
      'orders/orders': { kind: 'namespace', name: 'orders', team: 'orders' },
      'orders/reporter': workload('orders/orders', 'reporter'),
      'orders/reads': need('orders/reporter', 'books/reviews'),
    }).filter((d) => d.code === 'MW4006'),
  ).toMatchObject([
    {
      message: 'no rule lets `orders/reporter` call `bookinfo/reviews.web`',
      help: "the owner would add: export const reporterCallsReviews = reviews.ports.web.allow({ from: reporter, requests: ['GET /health'] });",
    },
  ]);
});

const shared: More = { 'books/spy': workload('books/bookinfo', 'spy', { serviceAccount: 'sa-reviews' }) };
describe('shared accounts', () => {
  test('a rule that names one of two', () => {
    expect(said(shared)).toEqual(
      [
        'MW4019 `books/ratingsArePrivate` is about `bookinfo/spy` too: it runs as `sa-reviews` as well',
        'MW4019 `books/reviewsReadRatings` is about `bookinfo/spy` too: it runs as `sa-reviews` as well',
      ].sort((a, b) => (a.includes('reviewsRead') ? -1 : 1) - (b.includes('reviewsRead') ? -1 : 1)),
    );
  });
  test('a rule that names both, or their namespace, does not tell them apart', () => {
    expect(
      said({
        ...shared,
        'books/reviewsReadRatings': allow('books/ratings', [named('books/bookinfo')]),
        'books/n': need('books/reviews', 'books/ratings'),
        'books/n2': need('books/spy', 'books/ratings'),
        'books/ratingsArePrivate': null,
      }),
    ).toEqual([]);
  });
});

const waiver = (more: Partial<Extract<DeclarationValue, { kind: 'waiver' }>> = {}): DeclarationValue => ({
  kind: 'waiver',
  code: 'MW4019',
  at: [scope('books/spy')],
  because: 'x',
  ticket: 'B-1',
  until: '2027-01-31',
  ...more,
});
describe('waivers', () => {
  test('a waiver at the thing covers its findings', () => expect(said({ ...shared, 'books/w': waiver() })).toEqual([]));
  test('a waiver at the namespace covers what is in it', () =>
    expect(said({ ...shared, 'books/w': waiver({ at: [scope('books/bookinfo')] }) })).toEqual([]));
  test('a waiver elsewhere does not, and is told so', () => {
    expect(
      run({ ...shared, 'books/w': waiver({ at: [scope('books/details')] }) })
        .map((d) => d.code)
        .sort(),
    ).toEqual(['MW4019', 'MW4019', 'MW4051']);
  });
  test('on its last day it is an error again', () => {
    expect(run({ ...shared, 'books/w': waiver() }, '2027-01-30')).toEqual([]);
    expect(
      run({ ...shared, 'books/w': waiver() }, '2027-01-31')
        .map((d) => d.code)
        .sort(),
    ).toEqual(['MW4019', 'MW4019', 'MW4052']);
  });
  test.each<[string, string, More]>([
    ['a code that may not be waived', 'MW4053', { 'books/w': waiver({ code: 'MW4007' }) }],
    ['what is no date', 'MW4054', { 'books/w': waiver({ until: '2027-02-30' }) }],
    ['a thing of another team', 'MW4055', { 'orders/w': waiver() }],
    ['the whole mesh by a team', 'MW4055', { 'books/w': waiver({ at: [{ kind: 'mesh' }] }) }],
  ])('%s', (_, code, more) => expect(run({ ...shared, ...more }).map((d) => d.code)).toContain(code));
  test('who stated a guarantee may waive it', () => {
    const more = { 'platform/g': never([named('books/productpage')], [scope('books/details')]) };
    expect(said(more)).toHaveLength(1);
    const { code: _, ...ofRule } = waiver({ at: [scope('books/details')] }) as Extract<DeclarationValue, { kind: 'waiver' }>;
    expect(said({ ...more, 'platform/w': { ...ofRule, rule: { ref: 'platform/g' } } })).toEqual([]);
  });
});

const refusedHost: DeclarationValue = {
  kind: 'route',
  on: { ref: 'platform/edge', listener: 'web', host: 'beta.books.acme.example' },
  rules: [],
  otherwise: { to: { kind: 'target', to: { ref: 'books/details', port: 'web' } } },
};
test('a team may not excuse its own service from a rule of the platform', () => {
  const more = { 'platform/g': never([named('books/productpage')], [scope('books/details')]) };
  const { code: _, ...ofRule } = waiver({ at: [scope('books/details')] }) as Extract<DeclarationValue, { kind: 'waiver' }>;
  expect(
    run({ ...more, 'books/w': { ...ofRule, rule: { ref: 'platform/g' } } })
      .map((d) => d.code)
      .sort(),
  ).toEqual(['MW4007', 'MW4055']);
});
test('a waiver at a version is not a waiver at its service', () => {
  expect(
    run({ ...shared, 'books/w': waiver({ at: [{ kind: 'ref', to: { ref: 'books/spy', version: 'v1' } }] }) }).map((d) => d.code),
  ).toContain('MW4019');
});

describe('routes for users', () => {
  const acme = (claims: readonly WireClaim[], ref = 'platform/acme') => ({ issuer: { ref }, claims });
  const is = (name: string, ...values: string[]): WireClaim => ({ name, kind: 'is', values });
  const admins = acme([is('role', 'admin')]);
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
  const text = JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', x }] });
  const issuer = (name: string): DeclarationValue => ({
    kind: 'issuer',
    name,
    url: `https://${name}.example`,
    audiences: ['shop'],
    keys: { file: 'k', text },
  });
  const mesh = (route: Partial<WireRouteRule>, ...users: readonly (WireUser | undefined)[]): More => ({
    'platform/acme': issuer('acme'),
    'platform/other': issuer('other'),
    'books/detailsRoutes': {
      kind: 'route',
      on: { ref: 'books/details', port: 'web' },
      rules: [{ when: { request: ['GET /details/{id}'] }, to: { kind: 'target', to: { ref: 'books/details', port: 'web' } }, ...route }],
      otherwise: { to: { kind: 'respond', status: 404 } },
    },
    ...Object.fromEntries(
      users.map((user, index) => [
        index === 0 ? 'books/pageReadsDetails' : `books/more${index}`,
        allow('books/details', [named('books/productpage')], { requests: ['GET /details/{id}'], ...(user ? { user } : {}) }),
      ]),
    ),
  });
  const when = (user?: WireUser): Partial<WireRouteRule> => ({ when: { request: ['GET /details/{id}'], ...(user ? { user } : {}) } });
  const bare = { requestHeaders: { remove: ['authorization'] } };
  test.each<readonly [string, Partial<WireRouteRule>, readonly (WireUser | undefined)[], number]>([
    ['the same users', when(admins), [admins], 0],
    ['other values of a claim', when(acme([is('role', 'reader')])), [admins], 1],
    ['one value of several', when(acme([{ name: 'role', kind: 'oneOf', values: ['reader', 'admin'] }])), [admins], 0],
    ['another claim', when(acme([is('tenant', 'a')])), [admins], 0],
    ['a list where a text is meant', when(acme([{ name: 'role', kind: 'includes', values: ['admin'] }])), [admins], 1],
    [
      'a list that may hold both',
      when(acme([{ name: 'g', kind: 'includes', values: ['a'] }])),
      [acme([{ name: 'g', kind: 'includes', values: ['b'] }])],
      0,
    ],
    ['users of another issuer', when(acme([], 'platform/other')), [admins], 1],
    ['users whom one allow of two takes', when(acme([], 'platform/other')), [admins, acme([], 'platform/other')], 0],
    ['users, and whoever comes', when(acme([], 'platform/other')), [admins, undefined], 0],
    ['whoever comes', when(), [admins], 0],
    ['a token that is taken off', { ...when(admins), ...bare }, [admins], 1],
    ['a token that is taken off from whoever comes', { ...when(), ...bare }, [admins], 1],
    ['a token that nobody asks for', { ...when(admins), ...bare }, [undefined], 0],
  ])('%s', (_, route, users, count) => {
    const found = run(mesh(route, ...users)).filter((d) => d.code === 'MW4130');
    expect(found).toHaveLength(count);
  });
});

test('each analyser reads what it declares and nothing else', () => {
  const evaluated = evaluatedWith({
    ...shared,
    'books/n': need('books/productpage', 'books/reviews'),
    'platform/no': deny('books/details', [named('books/spy')]),
    'books/lonely': workload('books/bookinfo', 'lonely'),
    'books/beta': refusedHost,
    'books/n2': need('books/lonely', 'books/reviews'),
  });
  const ir = lower(evaluated, 'prod').value;
  if (!ir) throw new Error('no value');
  for (const analyser of analysers) {
    const touched = new Set<PropertyKey>();
    const watched = new Proxy(ir, { get: (target, key) => (touched.add(key), Reflect.get(target, key)) });
    void [...analyser.run({ ir: watched, evaluated, spanOf: spanLookup(evaluated) })];
    expect([analyser.name, [...touched].sort()]).toEqual([analyser.name, [...analyser.inputs].sort()]);
  }
});
