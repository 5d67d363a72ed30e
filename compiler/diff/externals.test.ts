import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { allow, evaluatedWith, named, wayOut } from '../../test/kit/declarations';
import { present } from '../../test/kit/present';
import { compareCalls } from '../../core/semantics/compare';
import { lower } from '../lower';
import { isEmptyDiff, semanticDiff } from './index';

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
