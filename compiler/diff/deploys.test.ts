import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { deploys, evaluatedWith, versions } from '../../test/kit/declarations';
import { lower } from '../lower';
import { formatDiff, isEmptyDiff, semanticDiff } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
function ir(more: More = {}): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
const changes = (before: More, after: More) =>
  semanticDiff(ir(before), ir(after)).deploys.map(({ subject, field, before: was, after: is }) => `${subject} ${field}: ${was} -> ${is}`);
const sre = { kind: 'group' as const, name: 'sre' };
const ada = { kind: 'user' as const, name: 'ada' };
const rule = (more: Partial<Parameters<typeof deploys>[1]> = {}): More => ({ 'books/rule': deploys('books/bookinfo', more) });

test('a first rule takes the namespace from anybody', () => {
  expect(changes({}, rule({ images: { from: ['ghcr.io/acme/'], digest: 'required' } }))).toEqual([
    'bookinfo deployers: anybody -> group sre',
    'bookinfo digest: optional -> required',
    'bookinfo images: any -> ghcr.io/acme/',
    'bookinfo mode: no rule -> deny',
  ]);
});
test('a rule that goes gives it back', () => {
  const { deploys: gone } = semanticDiff(ir(rule()), ir());
  expect(gone).toEqual([
    {
      subject: 'bookinfo',
      field: 'deployers',
      before: 'group sre',
      after: 'anybody',
      gained: ['anybody'],
      lost: ['group sre'],
      because: 'books/rule',
    },
    { subject: 'bookinfo', field: 'mode', before: 'deny', after: 'no rule', gained: ['no rule'], lost: ['deny'], because: 'books/rule' },
  ]);
});
test('who gains and who loses, one by one', () => {
  const bob = { kind: 'user' as const, name: 'bob' };
  expect(semanticDiff(ir(rule({ by: [sre, ada] })), ir(rule({ by: [sre, bob] }))).deploys).toEqual([
    {
      subject: 'bookinfo',
      field: 'deployers',
      before: 'group sre, user ada',
      after: 'group sre, user bob',
      gained: ['user bob'],
      lost: ['user ada'],
      because: 'books/rule',
    },
  ]);
});
test.each<[string, Partial<Parameters<typeof deploys>[1]>, string]>([
  ['a mode', { mode: 'warn' }, 'bookinfo mode: deny -> warn'],
  ['a digest', { images: { from: ['ghcr.io/acme/'], digest: 'optional' } }, 'bookinfo digest: required -> optional'],
  ['a prefix', { images: { from: ['quay.io/acme/'], digest: 'required' } }, 'bookinfo images: ghcr.io/acme/ -> quay.io/acme/'],
  ['a range', { version: { min: '1.4.0', below: '3.0.0', downgrade: 'deny' } }, 'bookinfo version: from 1.4.0 -> from 1.4.0, below 3.0.0'],
  ['a word about going back', { version: { min: '1.4.0', downgrade: 'warn' } }, 'bookinfo downgrade: deny -> warn'],
])('%s that changes is the one thing said', (_, change, words) => {
  const full = { images: { from: ['ghcr.io/acme/'], digest: 'required' }, version: { min: '1.4.0', downgrade: 'deny' } } as const;
  expect(changes(rule(full), rule({ ...full, ...change }))).toEqual([words]);
});
test('products by range and distance', () => {
  const stack = (min: string, minor: number): More => ({
    'platform/stack': versions({ istiod: { min } }, { skew: [{ of: 'istio-proxy', behind: 'istiod', minor }] }),
  });
  expect(changes(stack('1.26.0', 1), stack('1.27.0', 2))).toEqual([
    'istio-proxy behind istiod skew: at most 1 minor version -> at most 2 minor versions',
    'istiod range: from 1.26.0 -> from 1.27.0',
  ]);
});
test('the same rule in another order is no change, and a rule of another name over the same is two', () => {
  expect(changes(rule({ by: [sre, ada] }), rule({ by: [ada, sre] }))).toEqual([]);
  expect(changes(rule(), { 'books/other': deploys('books/bookinfo') })).toHaveLength(4);
});

test('it is said in text, Markdown and JSON, and such a diff is not empty', () => {
  const diff = semanticDiff(ir(rule({ by: [sre, ada] })), ir(rule({ by: [sre] })));
  expect(isEmptyDiff(diff)).toBe(false);
  const options = { placeOf: () => 'books/deploy.policy.ts:4' };
  expect(formatDiff(diff, 'text', options)).toBe(
    'prod  deploy bookinfo: deployers group sre, user ada  ->  group sre   books/deploy.policy.ts:4\n' +
      '      nobody gains a call, nobody loses one; 1 rule about deployment changes; mTLS, timeouts, exposure unchanged\n',
  );
  expect(formatDiff(diff, 'markdown', options)).toContain(
    '| bookinfo | deployers | group sre, user ada | **group sre** | books/deploy.policy.ts:4 |',
  );
  expect(JSON.parse(formatDiff(diff, 'json'))).toMatchObject({ deploys: [{ lost: ['user ada'], gained: [] }] });
});
test('a name cannot break out of the table', () => {
  const odd = { kind: 'group' as const, name: 'a | b` <script>' };
  const shown = formatDiff(semanticDiff(ir(), ir(rule({ by: [odd] }))), 'markdown');
  expect(shown).toContain('group a \\| b\\` \\<script\\>');
});
