import type { DeclarationValue, WireRouteElse, WireRouteRule } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { anyMatch, plainForward } from '../../core/ir/plain';
import { decide } from '../../core/semantics/decide';
import { allow, evaluatedWith, named, route, service } from '../../test/kit/declarations';
import { analyse } from '../analyse';
import { lower } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
const codes = (more: More): readonly string[] => lower(evaluatedWith(more), 'prod').diagnostics.map((d) => d.code);
function valid(more: More): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), 'prod');
  expect(diagnostics).toEqual([]);
  if (!value) throw new Error('no value');
  return value;
}
const v1: WireRouteElse['to'] = { kind: 'version', version: 'v1' };
const both: WireRouteElse['to'] = { kind: 'weights', weights: { v1: 90, v3: 10 } };
const health = { request: ['GET /health'] };
const rule = (over: Partial<WireRouteRule>): DeclarationValue =>
  route('books/reviews', { rules: [{ when: health, to: v1, ...over }], otherwise: { to: v1 } });
const reviews = (over: Partial<WireRouteRule>): More => ({ 'books/reviewsRoutes': rule(over) });
const first = (ir: MeshIr) => ir.routes.find((table) => table.port === 'bookinfo/reviews.web')?.rules[0];

test('words of a rule become its action', () => {
  const ir = valid(
    reviews({
      when: {
        request: ['GET /reviews/{id}'],
        withoutHeaders: { 'X-Debug': { kind: 'present' } },
        hosts: ['reviews.bookinfo'],
        from: [named('books/productpage')],
      },
      to: both,
      sticky: { kind: 'issued', name: 'which', for: '720h' },
      rewrite: { path: '/v2/{id}', host: 'inside.example' },
      requestHeaders: { set: { 'X-B': '2', 'x-a': '1' }, remove: ['X-C'] },
      responseHeaders: { add: { 'x-d': '100%' } },
      mirror: [
        { to: { ref: 'books/ratings', port: 'web' }, share: '0.5%' },
        { to: { version: 'v2' }, share: { $perEnv: { dev: '100%', prod: '10%' } } },
        { to: { version: 'v3' }, share: '0%' },
      ],
      fault: { delay: { for: '2s', share: '10%' }, abort: { status: 503, share: '0%' } },
    }),
  );
  const [id] = ['spiffe://acme.example/ns/bookinfo/sa/sa-productpage'];
  expect(first(ir)?.match).toMatchObject({
    ...anyMatch,
    requests: [{ text: 'GET /reviews/{id}' }],
    withoutHeaders: [{ name: 'x-debug' }],
    hosts: ['reviews.bookinfo'],
    callers: [id],
  });
  expect(first(ir)?.action).toMatchObject({
    ...plainForward,
    sticky: { kind: 'issued', name: 'which', forMs: 2_592_000_000 },
    rewrite: {
      path: [
        { kind: 'literal', text: 'v2' },
        { kind: 'one', name: 'id' },
      ],
      host: 'inside.example',
    },
    requestHeaders: {
      remove: ['x-c'],
      set: [
        { name: 'x-a', value: '1' },
        { name: 'x-b', value: '2' },
      ],
      add: [],
    },
    responseHeaders: { remove: [], set: [], add: [{ name: 'x-d', value: '100%' }] },
    mirrors: [
      { port: 'bookinfo/ratings.web', version: null, percent: 0.5 },
      { port: 'bookinfo/reviews.web', version: 'v2', percent: 10 },
    ],
    fault: { delay: { ms: 2000, percent: 10 }, abort: null },
  });
});

const rpc = (over: Partial<WireRouteRule>): More => ({
  'books/rpc': service('books/bookinfo', 'rpc', { versions: ['v1', 'v2'], ports: { web: { protocol: 'grpc', number: 7070 } } }),
  'books/rpcUse': allow('books/rpc', [named('books/productpage')]),
  'books/rpcRoutes': route('books/rpc', { rules: [{ when: { request: ['t.v1.Echo/Unary'] }, to: v1, ...over }], otherwise: { to: v1 } }),
});
test('words of a gRPC rule become its action', () => {
  const edits = { requestHeaders: { set: { 'X-A': '1' } }, responseHeaders: { add: { 'x-d': '2' } } };
  const fault = { delay: { for: '2s', share: '10%' }, abort: { status: 'unavailable', share: '20%' } };
  const ir = valid(rpc({ ...edits, mirror: [{ to: { version: 'v2' }, share: '10%' }], fault }));
  expect(ir.routes.find((table) => table.port === 'bookinfo/rpc.web')?.rules[0]?.action).toMatchObject({
    requestHeaders: { set: [{ name: 'x-a', value: '1' }] },
    responseHeaders: { add: [{ name: 'x-d', value: '2' }] },
    mirrors: [{ port: 'bookinfo/rpc.web', version: 'v2', percent: 10 }],
    fault: { delay: { ms: 2000, percent: 10 }, abort: { kind: 'grpc', status: 14, percent: 20 } },
  });
});
test.each<readonly [code: string, what: string, over: Partial<WireRouteRule>]>([
  ['MW3073', 'a status of HTTP', { fault: { abort: { status: 503, share: '10%' } } }],
  ['MW3007', 'a status that there is not', { fault: { abort: { status: 'ok', share: '10%' } } }],
  ['MW3120', 'another path, which is another method', { rewrite: { path: '/x' } }],
  ['MW3062', "the protocol's own header", { responseHeaders: { set: { 'grpc-status': '0' } } }],
  ['MW3062', 'what a call is', { requestHeaders: { set: { 'content-type': 'text/plain' } } }],
  ['MW3062', 'bytes', { requestHeaders: { set: { 'x-trace-bin': 'x' } } }],
  [
    'MW3120',
    'another path at one destination',
    { to: { kind: 'split', shares: [{ to: { ref: 'books/rpc', port: 'web' }, percent: 100, rewrite: { path: '/x' } }] } },
  ],
])('a gRPC rule: %s for %s', (code, _, over) => {
  expect(codes(rpc(over))).toEqual([code]);
});

const toPage = { ref: 'books/reviews', port: 'web' };
const divided = (rewrite: { readonly path?: string; readonly host?: string }): WireRouteElse['to'] => ({
  kind: 'split',
  shares: [
    { to: { ...toPage, version: 'v1' }, percent: 90 },
    { to: { ...toPage, version: 'v2' }, percent: 10, rewrite },
  ],
});
test('a destination of a split has a rewrite of its own', () => {
  const ir = valid(
    reviews({ when: { request: ['GET /reviews/{id}'] }, to: divided({ path: '/reviews/{id}/new' }), rewrite: { host: 'a.example' } }),
  );
  const action = first(ir)?.action;
  expect(action?.kind === 'forward' && action.to.map(({ rewrite }) => rewrite?.path?.length ?? null)).toEqual([null, 3]);
});
test.each<readonly [code: string, what: string, over: Partial<WireRouteRule>]>([
  ['MW3060', 'a parameter that no request has', { to: divided({ path: '/x/{id}' }) }],
  ['MW3029', 'a host with a port', { to: divided({ host: 'x:1' }) }],
  ['MW3023', 'a copy, which has one form', { to: divided({ host: 'x' }), mirror: [{ to: { version: 'v3' }, share: '5%' }] }],
  ['MW3023', 'a key that chooses', { to: divided({ host: 'x' }), sticky: { kind: 'header', name: 'x-user' } }],
  ['MW3121', 'a gRPC status as a fault', { fault: { abort: { status: 'unavailable', share: '10%' } } }],
])('a rewrite of one destination, and faults: %s for %s', (code, _, over) => {
  expect(codes(reviews(over))).toEqual([code]);
});

test.each<readonly [code: string, what: string, over: Partial<WireRouteRule>]>([
  ['MW3060', 'a parameter that no request has', { rewrite: { path: '/x/{id}' } }],
  ['MW3060', 'a parameter that takes less there', { when: { request: ['GET /reviews/{id}'] }, rewrite: { path: '/x/{id...}' } }],
  ['MW3017', 'a path with a query', { rewrite: { path: '/x?y' } }],
  ['MW3029', 'a host with a port', { rewrite: { host: 'x:1' } }],
  ['MW3062', 'the host as a header', { requestHeaders: { set: { Host: 'x' } } }],
  ['MW3062', 'who is behind a request', { requestHeaders: { remove: ['X-Forwarded-Client-Cert'] } }],
  ['MW3062', 'one connection', { responseHeaders: { set: { 'transfer-encoding': 'chunked' } } }],
  ['MW3063', 'one header twice', { responseHeaders: { set: { 'x-a': '1' }, add: { 'X-A': '2' } } }],
  ['MW3064', 'a value over two lines', { responseHeaders: { set: { 'x-a': '1\r\nx-b: 2' } } }],
  ['MW3065', 'a user with one destination', { sticky: { kind: 'header', name: 'x-user' } }],
  [
    'MW3065',
    'a user with one destination that has any share',
    { to: { kind: 'weights', weights: { v1: 0, v3: 100 } }, sticky: { kind: 'header', name: 'x-user' } },
  ],
  ['MW3130', 'an abort with an answer that has no body', { fault: { abort: { status: 204, share: '1%' } } }],
  ['MW3016', 'an abort that is no answer', { fault: { abort: { status: 100, share: '1%' } } }],
  ['MW3012', 'no fault', { fault: {} }],
  ['MW3012', 'no rewrite', { rewrite: {} }],
  ['MW3012', 'no edit of headers', { requestHeaders: {} }],
  ['MW3012', 'an edit that sets nothing', { responseHeaders: { set: {} } }],
  ['MW3026', 'a user by a header that proxies write', { to: both, sticky: { kind: 'header', name: 'x-forwarded-for' } }],
  ['MW3007', 'a copy to a version that is not there', { mirror: [{ to: { version: 'v9' }, share: '1%' }] }],
  [
    'MW3004',
    'a copy twice',
    {
      mirror: [
        { to: { version: 'v2' }, share: '1%' },
        { to: { version: 'v2' }, share: '2%' },
      ],
    },
  ],
  [
    'MW3023',
    'words beside an answer',
    { to: { kind: 'respond', status: 404 }, rewrite: { host: 'x' }, mirror: [{ to: { version: 'v2' }, share: '1%' }] },
  ],
  ['MW3025', 'an expression that takes what is not there', { when: { withoutHeaders: { 'x-a': { kind: 'regex', value: '.*' } } } }],
])('%s: %s', (code, _, over) => expect(new Set(codes(reviews(over)))).toEqual(new Set([code])));

test('a condition on the caller is the caller’s own proxy’s to decide: not at a gateway', () => {
  const at: DeclarationValue = {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' },
    rules: [{ when: { from: [named('books/details')] }, to: { kind: 'respond', status: 404 } }],
    otherwise: { to: { kind: 'respond', status: 404 } },
  };
  expect(codes({ 'books/shop': at })).toEqual(['MW3084']);
});

describe('delegation', () => {
  const shop = { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' };
  const catalog = (path: string, to = 'orders'): DeclarationValue => ({ kind: 'delegation', on: shop, path, to });
  const orders = { ref: 'orders/orders', port: 'web' };
  const list = (on: string, rules: readonly WireRouteRule[] = []): DeclarationValue => ({
    kind: 'route',
    on: { ref: on },
    rules,
    otherwise: { to: { kind: 'respond', status: 410 } },
  });
  const base: More = {
    'orders/space': { kind: 'namespace', name: 'orders', team: 'orders' },
    'orders/orders': service('orders/space', 'orders'),
    'orders/edgeCalls': allow('orders/orders', [named('platform/edge')]),
    'books/catalog': catalog('/catalog'),
  };
  const asked = (ir: MeshIr, path: string): readonly [string | undefined, number | null] => {
    const decision = decide(ir, {
      from: { kind: 'outside', gateway: 'platform/edge' as never, listener: 'web', host: shop.host },
      to: null,
      method: 'GET',
      path,
      headers: {},
    });
    return [decision.route?.rule, decision.status];
  };

  test('who was given a prefix routes it before its owner, and nothing beside it', () => {
    const ir = valid({
      ...base,
      'books/desk': catalog('/catalog/desk', 'platform'),
      'platform/desk': list('books/desk'),
      'orders/catalog': list('books/catalog', [
        { when: { request: ['GET /catalog/{id}'] }, to: { kind: 'target', to: orders } },
        { when: { headers: { 'x-a': { kind: 'present' } } }, to: { kind: 'respond', status: 418 } },
      ]),
    });
    expect(asked(ir, '/catalog/7')).toEqual(['orders/catalog.rules.0', null]);
    expect(asked(ir, '/catalog')).toEqual(['orders/catalog.otherwise', 410]);
    expect(asked(ir, '/catalog/')).toEqual(['orders/catalog.otherwise', 410]);
    expect(asked(ir, '/catalog/7/8')).toEqual(['orders/catalog.otherwise', 410]);
    expect(asked(ir, '/catalog/desk')).toEqual(['platform/desk.otherwise', 410]);
    expect(asked(ir, '/catalogs')).toEqual(['books/shop.otherwise', 404]);
    expect(asked(ir, '/')).toEqual(['books/shop.otherwise', 404]);
  });
  test('is held to its prefix, its team and its owner', () => {
    const with2 = (more: More): readonly string[] => codes({ ...base, 'orders/catalog': list('books/catalog'), ...more });
    expect(with2({})).toEqual([]);
    expect(
      with2({ 'orders/catalog': list('books/catalog', [{ when: { request: ['GET /{any...}'] }, to: { kind: 'respond', status: 404 } }]) }),
    ).toEqual(['MW3067']);
    expect(with2({ 'orders/catalog': null, 'platform/catalog': list('books/catalog') })).toEqual(['MW3107']);
    expect(with2({ 'books/catalog': null, 'orders/mine': catalog('/catalog'), 'orders/catalog': list('orders/mine') })).toEqual(['MW3107']);
    expect(with2({ 'books/again': catalog('/catalog', 'platform') })).toEqual(['MW3068']);
    expect(with2({ 'orders/second': list('books/catalog') })).toHaveLength(1);
    expect(with2({ 'books/catalog': catalog('/{any}') })).toContain('MW3017');
    expect(with2({ 'books/catalog': catalog('/catalog', 'nobody') })).toContain('MW3008');
    expect(with2({ 'books/shop': null })).toEqual(['MW3069']);
  });
  test('leaves nothing of the owner’s own under it, and says so', () => {
    const evaluated = evaluatedWith({
      ...base,
      'orders/catalog': list('books/catalog'),
      'books/shop': {
        kind: 'route',
        on: shop,
        rules: [{ when: { request: ['GET /catalog/old'] }, to: { kind: 'respond', status: 404 } }],
        otherwise: { to: { kind: 'respond', status: 404 } },
      },
    });
    const { value } = lower(evaluated, 'prod');
    if (!value) throw new Error('no value');
    const found = analyse({ evaluated, irs: new Map([['prod', value]]), asOf: '2026-11-22' });
    expect(found.map((one) => one.code)).toContain('MW4002');
  });
});

test('a path is made of no more parts than an expression has groups', () => {
  const made = (names: string): readonly string[] => {
    const path = [...names].map((name) => `/{${name}}`).join('');
    // such a request is not in the contract of the service; that is not what is asked
    return codes(reviews({ when: { request: [`GET ${path}`] }, rewrite: { path: `/x${path}` } })).filter((code) => code !== 'MW3018');
  };
  expect(made('abcdefghi')).toEqual([]);
  expect(made('abcdefghij')).toEqual(['MW3017']);
});

test.each(['.*', 'https?://.+', 'null|https://[a-z]+[.]acme[.]example', 'https://.*'])(
  'credentials are for no page whatever: %s',
  (value) => {
    const cors = { origins: [{ kind: 'regex', value }], methods: ['GET'] } as const;
    const asked = (more: { readonly credentials?: boolean }): More => ({
      'books/reviewsRoutes': route('books/reviews', { cors: { ...cors, ...more }, rules: [], otherwise: { to: v1 } }),
    });
    expect(codes(asked({}))).toEqual([]);
    expect(codes(asked({ credentials: true }))).toEqual(['MW3066']);
  },
);

test.each([204, 205, 304])('an answer of %i has no body', (status) => {
  expect(codes(reviews({ to: { kind: 'respond', status } }))).toEqual([]);
  expect(codes(reviews({ to: { kind: 'respond', status, body: 'x' } }))).toEqual(['MW3016']);
});

test('what is wrong with a rule says with which', () => {
  const { diagnostics } = lower(evaluatedWith(reviews({ sticky: { kind: 'header', name: 'x-user' } })), 'prod');
  expect(diagnostics.map(({ related }) => related)).toEqual([[{ message: 'in `rules.0.sticky`' }]]);
});
