import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { allow, evaluatedWith, named, wayOut } from '../../test/kit/declarations';
import { present } from '../../test/kit/present';
import { compareCalls } from '../../core/semantics/compare';
import { lower } from '../lower';
import { formatDiff, isEmptyDiff, semanticDiff } from './index';

type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
const plain: External = {
  kind: 'external',
  name: 'stripe',
  team: 'books',
  hosts: ['api.stripe.example'],
  ports: { web: { protocol: 'https', number: 443 } },
};
const ir = (external: External | null): MeshIr =>
  present(
    lower(
      evaluatedWith({
        ...wayOut,
        'books/stripe': external,
        ...(external ? { 'books/charge': allow('books/stripe', [named('books/productpage')]) } : {}),
      }),
      'prod',
    ).value,
  );

test('a call of the outside that is gained is named with its caller', () => {
  const diff = semanticDiff(ir(null), ir(plain));
  expect(diff.calls).toMatchObject([{ kind: 'gained', caller: 'bookinfo/productpage', target: 'outside/stripe.web' }]);
  expect(isEmptyDiff(semanticDiff(ir(plain), ir(plain)))).toBe(true);
});

test.each<readonly [string, Partial<External>, string]>([
  ['another host', { hosts: ['eu.stripe.example'] }, 'https to eu.stripe.example, trusting the authorities of the system'],
  [
    'a gateway on the way',
    { through: { ref: 'platform/edge' } },
    'https to api.stripe.example through platform/edge, trusting the authorities of the system',
  ],
  [
    'another network',
    { hosts: ['*.stripe.example'], at: ['10.0.0.0/8'] },
    'https to *.stripe.example at 10.0.0.0/8, trusting the authorities of the system',
  ],
  ['another authority', { trust: 'bookinfo/partner' }, 'https to api.stripe.example, trusting bookinfo/partner'],
  [
    'TLS that goes',
    { ports: { web: { protocol: 'http', number: 443 } } },
    'http to api.stripe.example, trusting the authorities of the system',
  ],
])('%s is a difference', (_what, change, after) => {
  const diff = semanticDiff(ir(plain), ir({ ...plain, ...change }));
  expect(diff.ports).toContainEqual({
    port: 'outside/stripe.web',
    field: 'outside',
    before: 'https to api.stripe.example, trusting the authorities of the system',
    after,
  });
});

test.each<readonly [string, Partial<External>]>([
  ['another host', { hosts: ['eu.stripe.example'] }],
  ['a gateway on the way', { through: { ref: 'platform/edge' } }],
])('%s of TLS that is passed through is a difference', (_what, change) => {
  const passed = { ...plain, ports: { web: { protocol: 'tls', number: 443 } } };
  expect(isEmptyDiff(semanticDiff(ir(passed), ir(passed)))).toBe(true);
  expect(semanticDiff(ir(passed), ir({ ...passed, ...change })).ports).toMatchObject([{ port: 'outside/stripe.web', field: 'outside' }]);
});

describe('ranges', () => {
  const fleet = (addresses: readonly string[], more: { readonly [id: string]: DeclarationValue } = {}): MeshIr =>
    present(
      lower(
        evaluatedWith({
          'books/fleet': {
            ...{ kind: 'external', name: 'fleet', team: 'books', addresses },
            ports: { web: { protocol: 'tcp', number: 5432 } },
          },
          'books/asks': allow('books/fleet', [named('books/productpage')]),
          ...more,
        }),
        'prod',
      ).value,
    );
  const answers = (before: MeshIr, after: MeshIr) =>
    [...compareCalls(before, after)].map(({ probe, before: was, after: is }) => [probe.text, was?.outcome, is?.outcome]);
  const whole = fleet(['192.0.2.0/24']);

  test('other ranges are a difference, and what is called no more is named', () => {
    const half = fleet(['192.0.2.0/25']);
    expect(isEmptyDiff(semanticDiff(whole, fleet(['192.0.2.0/24'])))).toBe(true);
    expect(semanticDiff(whole, half).ports).toContainEqual({
      port: 'outside/fleet.web',
      field: 'outside',
      before: 'tcp to the address dialled, of 192.0.2.0/24',
      after: 'tcp to the address dialled, of 192.0.2.0/25',
    });
    expect(answers(whole, half)).toEqual([
      ['a connection to 192.0.2.128', 'allow', 'deny'],
      ['a connection to 192.0.2.255', 'allow', 'deny'],
    ]);
  });
  test('of many ranges the one that comes, or goes, is asked about', () => {
    const many = Array.from({ length: 30 }, (_, index) => `192.0.${index}.0/24`);
    const [few, more] = [fleet(many), fleet([...many, '198.51.100.0/24'])];
    const texts = ['a connection to 198.51.100.0', 'a connection to 198.51.100.255'];
    expect(answers(few, more)).toEqual(texts.map((text) => [text, 'deny', 'allow']));
    expect(answers(more, few)).toEqual(texts.map((text) => [text, 'allow', 'deny']));
    expect(semanticDiff(few, more).calls).toMatchObject([{ kind: 'gained', caller: 'bookinfo/productpage', requests: texts }]);
  });
  test('a narrower range takes its addresses from a wider one', () => {
    const narrower: DeclarationValue = {
      ...{ kind: 'external', name: 'narrow', team: 'books', addresses: ['192.0.2.64/26'] },
      ports: { web: { protocol: 'tcp', number: 5432 } },
    };
    expect(answers(whole, fleet(['192.0.2.0/24'], { 'books/narrow': narrower }))).toEqual([
      ['a connection to 192.0.2.127', 'allow', 'deny'],
      ['a connection to 192.0.2.64', 'allow', 'deny'],
    ]);
  });
});

describe('names', () => {
  const mesh = (external: Partial<External>, more: { readonly [id: string]: DeclarationValue } = {}): MeshIr =>
    present(
      lower(
        evaluatedWith({
          ...wayOut,
          'books/docs': { ...plain, name: 'docs', ...external },
          'books/reads': allow('books/docs', [named('books/productpage')], { requests: ['GET /v1'] }),
          ...more,
        }),
        'prod',
      ).value,
    );
  const calls = (before: MeshIr, after: MeshIr) =>
    semanticDiff(before, after).calls.flatMap(({ kind, caller, target, requests }) =>
      kind === 'gained' || kind === 'lost' ? [[kind, caller, target, requests]] : [],
    );
  const change = (kind: string, ...requests: readonly string[]) => [kind, 'bookinfo/productpage', 'outside/docs.web', requests];
  const wild = { hosts: ['*.docs.example'] };
  const eu: DeclarationValue = { ...plain, name: 'eu', hosts: ['eu.docs.example'] };

  test.each<readonly [string, Partial<External>]>([
    ['at the caller', {}],
    ['at a gateway', { through: { ref: 'platform/edge' } }],
  ])('one that somebody names closer is lost by those who may call the wildcard, and comes back to them: %s', (_where, way) => {
    const [open, taken] = [mesh({ ...wild, ...way }), mesh({ ...wild, ...way }, { 'books/eu': eu })];
    expect(calls(open, taken)).toEqual([change('lost', 'GET /v1 at eu.docs.example:443')]);
    expect(calls(taken, open)).toEqual([change('gained', 'GET /v1 at eu.docs.example:443')]);
    expect(formatDiff(semanticDiff(taken, open), 'text')).toContain('1 call gained, 0 lost');
  });
  test('longer wildcards too', () => {
    const far = mesh(wild, { 'books/eu': { ...plain, name: 'far', hosts: ['*.far.docs.example'] } });
    expect(calls(mesh(wild), far)).toEqual([change('lost', 'GET /v1 at any.far.docs.example:443')]);
  });
  test('a wider wildcard is more', () => {
    expect(calls(mesh({ hosts: ['*.eu.docs.example'] }), mesh(wild))).toEqual([change('gained', 'GET /v1 at any.docs.example:443')]);
  });
  test('one more of a list, and one for another', () => {
    const [one, both] = [mesh({ hosts: ['a.docs.example'] }), mesh({ hosts: ['a.docs.example', 'b.docs.example'] })];
    expect(calls(one, both)).toEqual([change('gained', 'GET /v1 at b.docs.example:443')]);
    expect(calls(one, mesh({ hosts: ['b.docs.example'] }))).toEqual([
      change('lost', 'GET /v1 at a.docs.example:443'),
      change('gained', 'GET /v1 at b.docs.example:443'),
    ]);
  });
  test('an allow of one is seen at whatever number', () => {
    const far = { ...wild, ports: { web: { protocol: 'https', number: 8443 } } };
    const more = allow('books/docs', [named('books/productpage')], { requests: ['POST /v1'], hosts: ['eu.docs.example'] });
    expect(calls(mesh(far), mesh(far, { 'books/writes': more }))).toEqual([change('gained', 'POST /v1')]);
  });
});
