import type { DeclarationValue, WireSettings } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { evaluatedWith, need, service } from '../../test/kit/declarations';
import { lower } from '../lower';
import { semanticDiff } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
function ir(more: More = {}): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
const reviews = (settings: WireSettings): More => ({
  'books/reviews': service('books/bookinfo', 'reviews', { versions: ['v1', 'v2', 'v3'], settings }),
});

test.each<[string, WireSettings]>([
  ['connections', { connections: { requests: 5 } }],
  ['eject', { eject: { consecutive5xx: 5, for: '30s', atMost: '50%' } }],
  ['health', { health: { tcp: 'connect', every: '5s', timeout: '1s' } }],
  ['balance', { balance: 'random' }],
  ['locality', { locality: { prefer: 'zone' } }],
  ['panicBelowPercent', { panicBelow: '20%' }],
])('a change of %s is one of the port', (field, settings) => {
  const diff = semanticDiff(ir(), ir(reviews(settings)));
  expect(diff.ports.map((change) => [change.port, change.field])).toEqual([['bookinfo/reviews.web', field]]);
  expect(diff.calls).toEqual([]);
});
test('limits are told by name, those that there are', () => {
  const { ports } = semanticDiff(ir(), ir(reviews({ connections: { max: 2, pending: 1, ping: { every: '10s', timeout: '1s' } } })));
  expect(ports.map(({ before, after }) => [before, after])).toEqual([
    ['connectTimeoutMs 2000', 'connectTimeoutMs 2000, max 2, pending 1, ping {"everyMs":10000,"timeoutMs":1000}'],
  ]);
});
test('another idle time, and what a caller asks for itself, are changes of its calls', () => {
  const idle = semanticDiff(ir(), ir(reviews({ idle: '10s' })));
  expect(idle.calls[0]).toMatchObject({ kind: 'changed', caller: 'bookinfo/productpage', after: expect.stringContaining('idle 10000 ms') });
  const asked = semanticDiff(ir(), ir({ 'books/wants': need('books/productpage', 'books/reviews', { connections: { requests: 2 } }) }));
  expect(asked.calls[0]).toMatchObject({ kind: 'changed', caller: 'bookinfo/productpage', after: expect.stringContaining('requests 2') });
});
test('a health check by path is also access that callers gain', () => {
  const diff = semanticDiff(ir(), ir(reviews({ health: { path: '/healthz', every: '5s', timeout: '1s' } })));
  expect(diff.calls).toContainEqual(
    expect.objectContaining({ kind: 'gained', requests: ['GET /healthz'], because: ['books/reviews.health.web'] }),
  );
});
