import type { DeclarationValue, WireDeployer } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { deploys, evaluatedWith, versions } from '../../test/kit/declarations';
import { lower } from '../lower';
import { analyse } from './analyse';

type More = { readonly [id: string]: DeclarationValue | null };
function said(more: More): readonly string[] {
  const evaluated = evaluatedWith(more);
  const { value, diagnostics } = lower(evaluated, 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  const irs = new Map<string, MeshIr>([['prod', value]]);
  return analyse({ evaluated, irs, asOf: '2026-11-22' }).map((d) => `${d.code} ${d.message}`);
}
const group = (name: string): WireDeployer => ({ kind: 'group', name });
const user = (name: string): WireDeployer => ({ kind: 'user', name });
const job = (repository: string, environment?: string): WireDeployer => ({
  kind: 'github',
  repository,
  branch: 'main',
  ...(environment === undefined ? {} : { environment }),
});
const by = (...deployers: readonly WireDeployer[]): DeclarationValue => deploys('books/bookinfo', { by: deployers });

test('a rule over a namespace without workloads', () => {
  expect(said({ 'orders/orders': { kind: 'namespace', name: 'orders', team: 'orders' }, 'orders/rule': deploys('orders/orders') })).toEqual(
    ['MW4101 `orders/rule` is about nothing: policy declares no workload in `orders`, so nothing may be deployed there'],
  );
});

describe('several rules over one workload', () => {
  const range = (min: string, below: string, on = 'books/reviews'): DeclarationValue =>
    deploys(on, { version: { min, below, downgrade: 'deny' } });
  test('leave no version', () => {
    expect(said({ 'books/a': range('1.0.0', '2.0.0', 'books/bookinfo'), 'books/b': range('2.0.0', '3.0.0') })).toEqual([
      'MW4102 no version of `bookinfo/reviews` satisfies `books/a`, `books/b` at once',
    ]);
    expect(said({ 'books/a': range('1.0.0', '2.0.0', 'books/bookinfo'), 'books/b': range('1.9.9', '3.0.0') })).toEqual([]);
  });
  test('name the fewest rules that are at odds', () => {
    const more = { 'books/a': range('1.0.0', '9.0.0'), 'books/b': range('1.0.0', '2.0.0'), 'books/c': range('3.0.0', '4.0.0') };
    expect(said(more)).toEqual(['MW4102 no version of `bookinfo/reviews` satisfies `books/b`, `books/c` at once']);
  });
  test('are not at odds when one of them only warns', () => {
    const warns = deploys('books/reviews', { version: { min: '2.0.0', downgrade: 'deny' }, mode: 'warn' });
    expect(said({ 'books/a': range('1.0.0', '2.0.0'), 'books/b': warns })).toEqual([]);
  });
  test('leave no place of images', () => {
    const from = (...prefixes: readonly string[]): DeclarationValue =>
      deploys('books/reviews', { images: { from: prefixes, digest: 'optional' } });
    expect(said({ 'books/a': from('ghcr.io/acme/'), 'books/b': from('quay.io/acme/') })).toEqual([
      'MW4104 no image of `bookinfo/reviews` satisfies `books/a`, `books/b` at once',
    ]);
    expect(said({ 'books/a': from('ghcr.io/acme/'), 'books/b': from('quay.io/acme/', 'ghcr.io/acme/books/') })).toEqual([]);
  });

  test.each<[string, readonly WireDeployer[], readonly WireDeployer[], boolean]>([
    ['two users', [user('ada')], [user('bob')], false],
    ['the same user among others', [user('ada'), user('eve')], [user('bob'), user('ada')], true],
    ['a user and an account', [user('ada')], [{ kind: 'account', namespace: 'ci', name: 'd' }], false],
    ['two groups, since one may be in both', [group('a')], [group('b')], true],
    ['a user and a group', [user('ada')], [group('b')], true],
    ['a job and a group', [job('acme/a'), group('x')], [group('b')], true],
    ['two jobs, with a group beside one of them', [job('acme/a')], [job('acme/b'), group('sre')], true],
    ['two jobs, with a user beside both', [job('acme/a'), user('ada')], [job('acme/b'), user('eve')], true],
    ['a job, and the same in one environment', [job('acme/a'), user('x')], [job('acme/a', 'prod')], true],
    ['a job in two environments', [job('acme/a', 'dev'), user('ada')], [job('acme/a', 'prod'), user('bob')], true],
  ])('%s', (_, first, second, possible) => {
    const nobody = said({ 'books/a': by(...first), 'books/b': by(...second) }).filter((line) => line.startsWith('MW4103'));
    expect(nobody).toEqual(possible ? [] : [expect.stringContaining('nobody is named by `books/a`, `books/b` at once')]);
  });
  test('jobs that cannot be one', () => {
    const nobody = said({ 'books/a': by(job('acme/a')), 'books/b': by(job('acme/b')) }).filter((line) => line.startsWith('MW4103'));
    expect(nobody).toHaveLength(1);
    const environments = said({ 'books/a': by(job('acme/a', 'dev')), 'books/b': by(job('acme/a', 'prod')) });
    expect(environments.filter((line) => line.startsWith('MW4103'))).toHaveLength(1);
  });
});

test('CI jobs alone, which the cluster does not know', () => {
  expect(said({ 'books/rule': by(job('acme/books')) })).toEqual([expect.stringMatching(/^MW4105 `books\/rule` names CI jobs alone/)]);
  expect(said({ 'books/rule': by(job('acme/books'), group('sre')) })).toEqual([]);
});

test('what another part of the rule takes in', () => {
  expect(said({ 'books/rule': by(job('acme/books', 'production'), job('acme/books'), group('sre')) })).toEqual([
    'MW4106 `github acme/books main production` of `books/rule` changes nothing: `github acme/books main` takes it in',
  ]);
  const images = { from: ['ghcr.io/acme/', 'ghcr.io/acme/books/', 'ghcr.io/acme-labs/'], digest: 'optional' as const };
  expect(said({ 'books/rule': deploys('books/bookinfo', { images }) })).toEqual([
    'MW4106 `ghcr.io/acme/books/` of `books/rule` changes nothing: `ghcr.io/acme/` takes it in',
  ]);
});

describe('products', () => {
  test('two ranges without a version in common', () => {
    expect(
      said({ 'platform/a': versions({ istiod: { below: '1.27.0' } }), 'platform/b': versions({ istiod: { min: '1.27.0' } }) }),
    ).toEqual(['MW4107 no version of istiod satisfies `platform/a`, `platform/b` at once']);
  });
  test.each<[string, string, string, string, string, number, boolean]>([
    ['ranges that touch', '1.26.0', '1.28.0', '1.27.0', '1.30.0', 0, true],
    ['one minor version between them, one allowed', '1.20.0', '1.27.0', '1.27.0', '1.30.0', 1, true],
    ['one minor version between them, none allowed', '1.20.0', '1.27.0', '1.27.0', '1.30.0', 0, false],
    ['a patch release counts its minor version', '1.20.0', '1.27.1', '1.27.0', '1.30.0', 0, true],
    ['newer than what it is to be behind', '1.30.0', '1.31.0', '1.20.0', '1.30.0', 9, false],
    ['another major version', '1.0.0', '2.0.0', '2.0.0', '3.0.0', 99, false],
    ['the last of one major version', '1.0.0', '2.0.0', '1.90.0', '3.0.0', 0, true],
  ])('%s', (_, min, below, behindMin, behindBelow, minor, possible) => {
    const rule = versions(
      { 'istio-proxy': { min, below }, istiod: { min: behindMin, below: behindBelow } },
      { skew: [{ of: 'istio-proxy', behind: 'istiod', minor }] },
    );
    expect(said({ 'platform/rule': rule })).toEqual(possible ? [] : [expect.stringMatching(/^MW4108 `platform\/rule` wants istio-proxy/)]);
  });
  test('a range that only one of the two has', () => {
    const rule = (ranges: { readonly [product: string]: { readonly min?: string; readonly below?: string } }): DeclarationValue =>
      versions(ranges, { skew: [{ of: 'istio-proxy', behind: 'istiod', minor: 1 }] });
    expect(said({ 'platform/rule': rule({ istiod: { min: '1.27.0' } }) })).toEqual([]);
    expect(said({ 'platform/rule': rule({ 'istio-proxy': { min: '1.27.0' } }) })).toEqual([]);
  });
});
