import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
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
  const diff = semanticDiff(
    ir(),
    ir({
      'books/details': service('books/bookinfo', 'details', { settings: { timeout: '3s', mtls: 'permissive' } }),
      'books/beta': {
        kind: 'route',
        on: { ref: 'platform/edge', listener: 'web', host: 'beta.books.acme.example' },
        rules: [],
        otherwise: { to: { kind: 'respond', status: 404 } },
      },
    }),
  );
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
