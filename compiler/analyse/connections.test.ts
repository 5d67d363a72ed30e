import type { DeclarationValue } from '../../core/declarations/declaration';
import { lower } from '../lower';
import { allow, evaluatedWith, named, route, service, workload } from '../../test/kit/declarations';
import { analyse } from './analyse';

type More = { readonly [id: string]: DeclarationValue | null };
const base: More = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/db': service('books/bookinfo', 'db', { ports: { web: { protocol: 'tls', number: 5432 } }, versions: ['v1', 'v2'] }),
  'books/other': service('books/bookinfo', 'other', { ports: { web: { protocol: 'tls', number: 5432 } } }),
  'books/dbUse': allow('books/db', [named('books/app')]),
  'books/otherUse': allow('books/other', [named('books/details')]),
};
function said(more: More): readonly string[] {
  const evaluated = evaluatedWith({ ...base, ...more });
  const { value, diagnostics } = lower(evaluated, 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return analyse({ evaluated, irs: new Map([['prod', value]]), asOf: '2026-11-22' }).map((d) => `${d.code} ${d.message}`);
}
const to = { kind: 'version', version: 'v1' } as const;
interface When {
  readonly sni?: readonly string[];
  readonly from?: readonly ReturnType<typeof named>[];
}
const rules = (when: readonly When[]): More => ({
  'books/dbRoutes': route('books/db', { rules: when.map((one) => ({ when: one, to })), otherwise: { to } }),
});

test.each<[string, readonly When[], number]>([
  ['the same name twice', [{ sni: ['a.example'] }, { sni: ['a.example'] }], 1],
  ['a wildcard over a name', [{ sni: ['*.example'] }, { sni: ['a.example'] }], 1],
  ['any name over one', [{ from: [named('books/app')] }, { from: [named('books/app')], sni: ['a.example'] }], 1],
  ['a name before its wildcard', [{ sni: ['a.example'] }, { sni: ['*.example'] }], 0],
  ['one name of two is left', [{ sni: ['a.example'] }, { sni: ['a.example', 'b.example'] }], 0],
  ['another caller', [{ from: [named('books/app')] }, { from: [named('books/details')] }], 0],
])('a rule that is left nothing: %s', (_, when, count) => {
  expect(said(rules(when)).filter((line) => line.startsWith('MW4002'))).toHaveLength(count);
});
test('a route that leads a caller to where it is not let in', () => {
  const more: More = {
    'books/dbRoutes': route('books/db', { otherwise: { to: { kind: 'target', to: { ref: 'books/other', port: 'web' } } } }),
  };
  expect(said(more)).toEqual([expect.stringContaining('`bookinfo/app`')]);
  expect(said({ ...more, 'books/otherApp': allow('books/other', [named('books/app')]) })).toEqual([]);
});
