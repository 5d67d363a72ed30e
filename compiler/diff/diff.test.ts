import type { DeclarationValue, WireDestination } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { principalOf } from '../../core/mesh/ids';
import { lower } from '../lower';
import { allow, evaluatedWith, named, route, service } from '../../test/kit/declarations';
import { generateMesh } from '../../test/kit/mesh-generator';
import { formatDiff, isEmptyDiff, semanticDiff } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
function ir(more: More = {}): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
const half: More = {
  'books/reviewsRoutes': route('books/reviews', {
    rules: [{ when: { headers: { 'end-user': { kind: 'exact', value: 'jason' } } }, to: { kind: 'version', version: 'v2' } }],
    otherwise: {
      to: { kind: 'weights', weights: { v1: 50, v3: 50 } },
      timeout: '2s',
      retry: { atMost: 2, perTry: '500ms', on: ['connect-failure', '5xx'] },
    },
  }),
};

test('a mesh does not differ from itself', () => {
  for (let seed = 0; seed < 20; seed++) expect(isEmptyDiff(semanticDiff(generateMesh(seed, 5), generateMesh(seed, 5)))).toBe(true);
});
test('a shift of weights is one reroute, for the requests that are let in', () => {
  const diff = semanticDiff(ir(), ir(half));
  expect(diff.calls).toEqual([
    {
      kind: 'rerouted',
      caller: 'bookinfo/productpage',
      target: 'bookinfo/reviews.web',
      requests: ['GET /reviews/{id}'],
      example: { method: 'GET', path: '/reviews/7', headers: {} },
      before: 'v1 90 %, v3 10 %',
      after: 'v1 50 %, v3 50 %',
      because: ['books/reviewsRoutes.otherwise'],
    },
  ]);
  expect(
    formatDiff({ ...diff, proxies: { changed: ['bookinfo/sa-productpage'], total: 5, bytes: 1100 } }, 'text', {
      placeOf: () => 'books/traffic.policy.ts:9',
    }),
  ).toBe(
    'prod  reroutes   bookinfo/productpage -> bookinfo/reviews.web   GET /reviews/{id}   v1 90 %, v3 10 %  ->  v1 50 %, v3 50 %   books/traffic.policy.ts:9\n' +
      '      nobody gains a call, nobody loses one; 1 of 5 proxies get new config (+1.1 KB); mTLS, timeouts, exposure unchanged\n',
  );
});
test('a new rule for a header is shown with the header', () => {
  const { calls } = semanticDiff(
    ir({ ...half, 'books/reviewsRoutes': route('books/reviews', { otherwise: { to: { kind: 'version', version: 'v1' } } }) }),
    ir({
      'books/reviewsRoutes': route('books/reviews', {
        rules: [{ when: { headers: { 'x-v': { kind: 'regex', value: '[0-9]+(a|b)' } } }, to: { kind: 'version', version: 'v2' } }],
        otherwise: { to: { kind: 'version', version: 'v1' } },
      }),
    }),
  );
  expect(calls).toMatchObject([{ kind: 'rerouted', before: 'v1 100 %', after: 'v2 100 %', example: { headers: { 'x-v': '0a' } } }]);
});
test('gained and lost calls name their rules', () => {
  const more = {
    'books/pageReadsDetails': null,
    'books/a': allow('books/details', [named('books/reviews')], { requests: ['GET /details/{id}'] }),
  };
  expect(semanticDiff(ir(), ir(more)).calls).toMatchObject([
    {
      kind: 'lost',
      caller: 'bookinfo/productpage',
      target: 'bookinfo/details.web',
      requests: ['GET /details/{id}'],
      after: 'denied (403)',
      because: ['books/pageReadsDetails'],
    },
    {
      kind: 'gained',
      caller: 'bookinfo/reviews',
      target: 'bookinfo/details.web',
      before: 'denied (403)',
      after: 'details 100 %',
      because: ['books/a'],
    },
  ]);
});
test('timeouts, mTLS and exposure are told', () => {
  const after = ir({
    'books/details': service('books/bookinfo', 'details', { settings: { timeout: '3s' } }),
    'books/beta': {
      kind: 'route',
      on: { ref: 'platform/edge', listener: 'web', host: 'beta.books.acme.example' },
      rules: [],
      otherwise: { to: { kind: 'respond', status: 404 } },
    },
  });
  const diff = semanticDiff(ir(), {
    ...after,
    // no policy says so yet
    services: after.services.map((one) => ({
      ...one,
      ports: one.ports.map((port) => (port.key === 'bookinfo/details.web' ? { ...port, mtls: 'permissive' } : port)),
    })),
  });
  expect(diff.calls).toMatchObject([
    { kind: 'changed', target: 'bookinfo/details.web', before: 'timeout 15000 ms, no retries', after: 'timeout 3000 ms, no retries' },
  ]);
  expect(diff.ports).toEqual([{ port: 'bookinfo/details.web', field: 'mtls', before: 'strict', after: 'permissive' }]);
  expect(diff.exposure).toEqual([{ gateway: 'platform/edge', listener: 'web', host: 'beta.books.acme.example', change: 'exposed' }]);
});
test('the first release is shown by call path', () => {
  const diff = semanticDiff(null, ir());
  expect(diff.calls).toHaveLength(4);
  expect(formatDiff(diff, 'text')).toContain('the first release: 5 workloads, 4 call paths, 1 host open to the outside');
});
test('Markdown escapes what users wrote', () => {
  const diff = semanticDiff(ir(), ir(half));
  const text = formatDiff(diff, 'markdown', { placeOf: () => '[x](http://evil) | **b** <img>' });
  expect(text).toContain('### meshwright: nobody gains a call, nobody loses one · mTLS, timeouts, exposure unchanged');
  expect(text).toContain('| rerouted | **1** |');
  expect(text).toContain('\\[x\\](http://evil) \\| \\*\\*b\\*\\* \\<img\\>');
});
test('JSON is the diff', () => expect(JSON.parse(formatDiff(semanticDiff(ir(), ir(half)), 'json'))).toEqual(semanticDiff(ir(), ir(half))));

describe('what must not pass for nothing', () => {
  const edge = (to: WireDestination): DeclarationValue => ({
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'web', host: 'beta.books.acme.example' },
    rules: [],
    otherwise: { to },
  });
  test('a redirect that leads elsewhere', () => {
    const to = (host: string): More => ({ 'books/beta': edge({ kind: 'redirect', host }) });
    expect(semanticDiff(ir(to('shop.acme.example')), ir(to('other.example'))).calls).toMatchObject([
      {
        kind: 'rerouted',
        before: 'redirected to https://shop.acme.example/meshwright-other/path (302)',
        after: 'redirected to https://other.example/meshwright-other/path (302)',
      },
    ]);
  });
  test('another body of an answer', () => {
    const body = (text: string): More => ({ 'books/beta': edge({ kind: 'respond', status: 200, body: text }) });
    expect(semanticDiff(ir(body('one')), ir(body('two'))).calls).toMatchObject([{ kind: 'rerouted' }]);
  });
  test('one request more than there are probes', () => {
    const lines = Array.from({ length: 120 }, (_, n) => `GET /many${n}/{id}`);
    const rules = (more: readonly string[]): More => ({
      'books/open': service('books/bookinfo', 'open'),
      'books/many': allow('books/open', [named('books/productpage')], { requests: [...lines, ...more] }),
    });
    expect(semanticDiff(ir(rules([])), ir(rules(['GET /zadmin/{x...}']))).calls).toMatchObject([
      { kind: 'gained', target: 'bookinfo/open.web', requests: ['GET /zadmin/{x...}'] },
    ]);
  });
  test('one destination of a split let in instead of the other', () => {
    const shares = ['books/details', 'books/open'].map((ref) => ({ to: { ref, port: 'web' }, percent: 50 }));
    const rules = (details: string, open: string): More => ({
      'books/open': service('books/bookinfo', 'open'),
      'books/openRoutes': route('books/open', { otherwise: { to: { kind: 'split', shares } } }),
      'books/a': allow('books/details', [named('books/reviews')], { requests: [details] }),
      'books/b': allow('books/open', [named('books/reviews')], { requests: [open] }),
    });
    const { calls } = semanticDiff(ir(rules('GET /x', 'GET /y')), ir(rules('GET /y', 'GET /x')));
    expect(calls.filter((call) => call.target === 'bookinfo/open.web').map((call) => call.kind)).toEqual(['rerouted', 'rerouted']);
  });
  test('a second port, which takes the name without a number away', () => {
    const ports = { web: { protocol: 'http', number: 9080 } };
    const more = { ...ports, more: { protocol: 'http', number: 9081 } };
    const open = (all: typeof ports): More => ({
      'books/open': { kind: 'service', namespace: { ref: 'books/bookinfo' }, name: 'open', serviceAccount: 'sa-open', ports: all },
    });
    expect(semanticDiff(ir(open(ports)), ir(open(more))).ports).toEqual([
      { port: 'bookinfo/open.web', field: 'addressed', before: 'with or without port number', after: 'with port number' },
    ]);
  });
  test('a host that is served and not routed, out of a wildcard; another certificate', () => {
    const mesh = ir({ 'books/beta': edge({ kind: 'respond', status: 200 }) });
    const [gateway] = mesh.gateways;
    const [table] = mesh.hostRoutes;
    const [listener] = gateway?.listeners ?? [];
    if (!gateway || !table || !listener) throw new Error('no gateway');
    const wild: MeshIr = { ...mesh, issuers: [], hostRoutes: [{ ...table, host: '*.books.acme.example' }] };
    const hosts = [...listener.hosts, { host: 'own.books.acme.example', team: 'orders' }];
    const carved: MeshIr = {
      ...wild,
      gateways: [
        { ...gateway, listeners: [{ ...listener, hosts, speaks: { kind: 'https', certificate: 'platform/other', clients: null } }] },
      ],
    };
    const diff = semanticDiff(wild, carved);
    expect(diff.calls).toMatchObject([{ target: `${listener.name}/own.books.acme.example`, after: 'denied (404)' }]);
    expect(diff.ports.map((change) => change.field)).toEqual(['certificate', 'hosts']);
  });
  test('a workload that is somebody else', () => {
    const before = ir({ 'books/open': service('books/bookinfo', 'open') });
    const other = principalOf('acme.example', 'bookinfo', 'other');
    const workloads = before.workloads.map((workload) => (workload.id === 'books/open' ? { ...workload, principal: other } : workload));
    const diff = semanticDiff(before, { ...before, workloads });
    expect(diff.ports).toMatchObject([{ port: 'bookinfo/open', field: 'identity', after: other }]);
  });
  test('what a change is not about is not named', () => {
    const rules = (requests: readonly string[]): More => ({
      'books/open': service('books/bookinfo', 'open'),
      'books/a': allow('books/open', [named('platform/edge')], { requests: ['GET /a'] }),
      'books/beta': edge({ kind: 'target', to: { ref: 'books/open', port: 'web' } }),
      'books/b': allow('books/open', [named('books/details')], { requests }),
    });
    const diff = semanticDiff(ir(rules(['GET /x'])), ir(rules(['GET /x', 'GET /y'])));
    expect(diff.calls.map((call) => call.caller)).toEqual(['bookinfo/details']);
    expect(diff.unshown).toEqual([]);
  });
  test('rules that changed without an example are named, and nothing is promised', () => {
    const header = (value: string): More => ({
      'books/open': service('books/bookinfo', 'open'),
      'books/a': allow('books/open', [named('books/reviews')], { headers: { 'x-a': { kind: 'regex', value } } }),
    });
    const diff = semanticDiff(ir(header('(aq[^q]b){3}|zz')), ir(header('(aq[^q]b){3}|zz|yy')));
    if (diff.calls.length === 0) expect(diff.unshown).toEqual(['bookinfo/open.web']);
    expect(isEmptyDiff(diff)).toBe(false);
    expect(formatDiff(diff, 'text')).not.toContain('every request is answered as before');
  });
});
