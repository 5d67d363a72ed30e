import fc from 'fast-check';
import type { DeclarationValue, WireDeployer } from '../../core/declarations/declaration';
import { canonicalJson } from '../../core/lib/json';
import { deploys, evaluatedWith, service, versions, workload } from '../../test/kit/declarations';
import { lower } from './index';

type More = { readonly [id: string]: DeclarationValue | null };
const said = (more: More, environment = 'prod'): readonly string[] =>
  lower(evaluatedWith(more), environment).diagnostics.map((d) => `${d.code} ${d.message}`);
const irOf = (more: More, environment = 'prod') => {
  const { value, diagnostics } = lower(evaluatedWith(more), environment);
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
};
const job = (environment?: string): WireDeployer => ({
  kind: 'github',
  repository: 'acme/books',
  branch: 'main',
  ...(environment === undefined ? {} : { environment }),
});

test('a rule over a namespace covers it whole, one over a service, a workload or a gateway covers that one', () => {
  const { deploys: rules } = irOf({
    'books/all': deploys('books/bookinfo'),
    'books/one': deploys('books/reviews'),
    'books/batch': workload('books/bookinfo', 'batch'),
    'books/two': deploys('books/batch'),
    'platform/three': deploys('platform/edge', { mode: 'warn' }),
  });
  expect(rules.map(({ id, mode, namespace, workloads }) => [id, mode, namespace, workloads])).toEqual([
    ['books/all', 'deny', 'bookinfo', null],
    ['books/one', 'deny', 'bookinfo', ['reviews']],
    ['books/two', 'deny', 'bookinfo', ['batch']],
    ['platform/three', 'warn', 'platform', ['edge']],
  ]);
});

test('what is said is kept whole, in one order', () => {
  const rule = deploys('books/reviews', {
    by: [{ kind: 'user', name: 'ada' }, job('production'), { kind: 'account', namespace: 'ci', name: 'deployer' }, job()],
    images: { from: ['ghcr.io/b/', 'ghcr.io/a/'], digest: 'required' },
    version: { min: '1.4.0', downgrade: 'warn' },
    mode: 'audit',
  });
  expect(irOf({ 'books/rule': rule }).deploys).toEqual([
    {
      id: 'books/rule',
      mode: 'audit',
      namespace: 'bookinfo',
      workloads: ['reviews'],
      by: [{ kind: 'account', namespace: 'ci', name: 'deployer' }, job(), job('production'), { kind: 'user', name: 'ada' }],
      images: { from: ['ghcr.io/a/', 'ghcr.io/b/'], digest: 'required' },
      version: { min: '1.4.0', below: null, downgrade: 'warn' },
    },
  ]);
});

test('only the owner says who deploys, not even the platform does for it', () => {
  expect(said({ 'orders/mine': deploys('books/bookinfo') })).toEqual([expect.stringMatching(/^MW3107 /)]);
  expect(said({ 'orders/mine': deploys('books/reviews') })).toEqual([expect.stringMatching(/^MW3107 /)]);
  expect(said({ 'platform/mine': deploys('books/bookinfo') })).toEqual([expect.stringMatching(/^MW3107 /)]);
  expect(said({ 'books/mine': deploys('books/bookinfo') })).toEqual([]);
});
test('only the platform says which versions go together', () => {
  const rule = versions({ envoy: { min: '1.36.0' } });
  expect(said({ 'books/mine': rule })).toEqual([expect.stringMatching(/^MW3107 /)]);
  expect(said({ 'platform/ours': rule, 'mesh/ours': rule })).toEqual([]);
});

test('a rule holds in the environments that it names, and only where its subject is', () => {
  const prod = deploys('books/bookinfo', { only: ['prod'] });
  expect(irOf({ 'books/prod': prod }, 'dev').deploys).toEqual([]);
  expect(irOf({ 'books/prod': prod }, 'prod').deploys).toHaveLength(1);
  expect(said({ 'books/none': deploys('books/bookinfo', { only: ['production'] }) })).toEqual([expect.stringMatching(/^MW3010 /)]);
  const beta = { 'books/beta': service('books/bookinfo', 'beta', { only: ['dev'] }), 'books/rule': deploys('books/beta') };
  expect([said(beta, 'dev'), said(beta, 'prod')]).toEqual([[], [expect.stringMatching(/^MW3013 /)]]);
});

test.each<[string, DeclarationValue, string]>([
  ['nobody', deploys('books/bookinfo', { by: [] }), 'MW3012 the list of deployers is empty'],
  ['one twice', deploys('books/bookinfo', { by: [job(), job()] }), 'MW3201 this rule cannot hold: a deployer is named twice'],
  ['no images', deploys('books/bookinfo', { images: { from: [], digest: 'optional' } }), 'MW3012 `images.from` is empty'],
  [
    'half a prefix',
    deploys('books/bookinfo', { images: { from: ['ghcr.io/acme'], digest: 'optional' } }),
    'MW3201 this rule cannot hold: `ghcr.io/acme` is no prefix of images that ends with `/`',
  ],
  [
    'a range that is empty',
    deploys('books/reviews', { version: { min: '2.0.0', below: '2.0.0', downgrade: 'deny' } }),
    'MW3201 this rule cannot hold: no version is from 2.0.0, below 2.0.0',
  ],
  [
    'below the first version',
    deploys('books/reviews', { version: { below: '0.0.0', downgrade: 'deny' } }),
    'MW3201 this rule cannot hold: no version is below 0.0.0',
  ],
  [
    'two numbers',
    deploys('books/reviews', { version: { min: '1.4', downgrade: 'deny' } }),
    'MW3201 this rule cannot hold: `1.4` is no version of three numbers',
  ],
])('%s', (_, rule, words) => expect(said({ 'books/rule': rule })).toEqual([words]));

test.each<[string, DeclarationValue, string]>([
  ['no range', versions({}), 'MW3012 `ranges` is empty'],
  ['a product that there is not', versions({ nginx: { min: '1.0.0' } }), 'MW3201 this rule cannot hold: there is no product `nginx`'],
  [
    'a product behind itself',
    versions({ istiod: { min: '1.20.0' } }, { skew: [{ of: 'istiod', behind: 'istiod', minor: 1 }] }),
    'MW3201 this rule cannot hold: `istiod` cannot be behind itself',
  ],
  [
    'half a version behind',
    versions({ istiod: { min: '1.20.0' } }, { skew: [{ of: 'istio-proxy', behind: 'istiod', minor: 0.5 }] }),
    'MW3016 skew.minor 0.5 is not a whole number from 0 to 99',
  ],
  [
    'what the mesh runs',
    versions({ envoy: { min: '1.36.0', below: '1.40.0' } }),
    'MW3202 the mesh says it runs envoy 1.40.0, and this rule takes envoy from 1.36.0, below 1.40.0',
  ],
])('%s, of versions', (_, rule, words) => expect(said({ 'platform/rule': rule })).toEqual([words]));

test('the order in which deployers, prefixes and skews are written means nothing', () => {
  const by: readonly WireDeployer[] = [job(), job('production'), { kind: 'group', name: 'sre' }, { kind: 'user', name: 'ada' }];
  const from = ['ghcr.io/a/', 'ghcr.io/b/', 'quay.io/c/'];
  const skew = [
    { of: 'envoy', behind: 'istiod', minor: 2 },
    { of: 'envoy', behind: 'kubernetes', minor: 9 },
    { of: 'istio-proxy', behind: 'istiod', minor: 1 },
  ];
  const bytes = (of: { readonly by: readonly WireDeployer[]; readonly from: readonly string[]; readonly skew: typeof skew }): string =>
    canonicalJson(
      irOf({
        'books/rule': deploys('books/bookinfo', { by: of.by, images: { from: of.from, digest: 'optional' } }),
        'platform/rule': versions({ envoy: { min: '1.36.0' } }, { skew: of.skew }),
      }),
    );
  const first = bytes({ by, from, skew });
  const shuffled = <T>(list: readonly T[]) => fc.shuffledSubarray([...list], { minLength: list.length });
  fc.assert(
    fc.property(fc.record({ by: shuffled(by), from: shuffled(from), skew: shuffled(skew) }), (of) => expect(bytes(of)).toBe(first)),
    { numRuns: 20, seed: 4 },
  );
});
