/** Each word about a route of HTTP: a change of it is told, in words. */
import type { DeclarationValue, WireCors, WireRouteElse } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { evaluatedWith, route } from '../../test/kit/declarations';
import { lower } from '../lower';
import { semanticDiff } from './diff';

const page = { kind: 'target', to: { ref: 'books/productpage', port: 'web' } } as const;
function mesh(otherwise: Partial<WireRouteElse>, more: { readonly cors?: WireCors; readonly rule?: DeclarationValue } = {}): MeshIr {
  const plain: DeclarationValue = {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' },
    rules: [],
    otherwise: { to: page, ...otherwise },
    ...(more.cors ? { cors: more.cors } : {}),
  };
  const { value, diagnostics } = lower(evaluatedWith({ 'books/shop': more.rule ?? plain }), 'prod');
  expect(diagnostics.filter((one) => one.severity === 'error').map((one) => one.message)).toEqual([]);
  if (!value) throw new Error('no IR');
  return value;
}
const split: Extract<WireRouteElse['to'], { kind: 'split' }> = {
  kind: 'split',
  shares: [
    { to: { ref: 'books/productpage', port: 'web' }, percent: 50 },
    { to: { ref: 'books/details', port: 'web' }, percent: 50 },
  ],
};

test.each<readonly [what: string, from: Partial<WireRouteElse>, to: Partial<WireRouteElse>, after: string]>([
  ['a rewrite of the host', {}, { rewrite: { host: 'inside.example' } }, '; reads host inside.example'],
  ['a request header', {}, { requestHeaders: { set: { 'X-A': '1' } } }, '; reads x-a: 1'],
  ['another value of it', { requestHeaders: { set: { 'x-a': '1' } } }, { requestHeaders: { set: { 'x-a': '2' } } }, '; reads x-a: 2'],
  ['a response header', {}, { responseHeaders: { remove: ['server'] } }, '; back no server'],
  ['a mirror', {}, { mirror: [{ to: { ref: 'books/details', port: 'web' }, share: '5%' }] }, '; copied bookinfo/details.web 5 % (denied)'],
  ['a delay', {}, { fault: { delay: { for: '2s', share: '0.5%' } } }, '; fault 0.5 % wait 2000 ms'],
  ['an abort', {}, { fault: { abort: { status: 503, share: '10%' } } }, '; fault 10 % are answered 503'],
  [
    'a rewrite of one destination',
    { to: split },
    { to: { ...split, shares: split.shares.map((share) => ({ ...share, rewrite: { host: `${share.to.ref.slice(6)}.example` } })) } },
    'reads bookinfo/details.web: host details.example, bookinfo/productpage.web: host productpage.example',
  ],
  ['who sticks', { to: split }, { to: split, sticky: { kind: 'issued', name: 'which' } }, '; sticks by cookie `which`, which is not there'],
])('%s', (_, from, to, after) => {
  const { calls } = semanticDiff(mesh(from), mesh(to));
  expect(calls.length).toBeGreaterThan(0);
  for (const call of calls)
    expect(call).toMatchObject({ kind: 'changed', target: 'web/shop.acme.example', after: expect.stringContaining(after) as string });
});

test('who may call across origins', () => {
  const cors: WireCors = { origins: [{ kind: 'exact', value: 'https://pay.acme.example' }], methods: ['GET'], maxAge: '1h' };
  const allowed = semanticDiff(mesh({}), mesh({}, { cors })).calls;
  expect(allowed).toContainEqual(expect.objectContaining({ requests: ['OPTIONS (preflight)'], after: 'answered by the mesh (200)' }));
  const more = semanticDiff(mesh({}, { cors }), mesh({}, { cors: { ...cors, credentials: true } })).calls;
  expect(more).toContainEqual(expect.objectContaining({ kind: 'rerouted', requests: ['OPTIONS (preflight)'] }));
});

test('a header that is not there, and a host', () => {
  const when = (conditions: object): DeclarationValue => ({
    ...route('books/reviews', {
      rules: [{ when: conditions, to: { kind: 'version', version: 'v2' } }],
      otherwise: { to: { kind: 'version', version: 'v1' } },
    }),
  });
  const ir = (conditions: object): MeshIr => {
    const { value } = lower(evaluatedWith({ 'books/reviewsRoutes': when(conditions) }), 'prod');
    if (!value) throw new Error('no IR');
    return value;
  };
  const headers = { 'x-a': { kind: 'exact', value: '1' } };
  for (const other of [
    { withoutHeaders: { 'x-debug': { kind: 'present' } }, headers },
    { hosts: ['reviews.bookinfo.svc.cluster.local'], headers },
    { from: [{ kind: 'ref', to: { ref: 'books/details' } }], headers },
  ])
    expect(semanticDiff(ir({ headers }), ir(other)).calls.map((call) => call.kind)).toContain('rerouted');
});
