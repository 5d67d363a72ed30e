import type { DeclarationValue } from '../../../../core/declarations/declaration';
import { lower } from '../../../lower';
import { evaluatedWith, named } from '../../../../test/kit/declarations';
import { present } from '../../../../test/kit/present';
import { emitEnvoy } from '..';

const external = (name: string, where: object, protocol: string, number: number): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', ports: { it: { protocol, number } } },
  ...where,
});
const access = (to: string, action: 'allow' | 'deny' = 'allow'): DeclarationValue =>
  ({
    ...{ kind: 'access', action, port: { ref: to, port: 'it' }, from: [named('books/productpage')], requests: 'any', because: 'a test' },
  }) as DeclarationValue; // decoding: of two kinds of rule, the one whose members are given
const emitted = (more: { readonly [id: string]: DeclarationValue }) =>
  emitEnvoy(present(lower(evaluatedWith({ ...more, 'books/pageCalls': access('books/fleet') }), 'prod').value));
const fleet = (number: number) => ({ 'books/fleet': external('fleet', { addresses: ['192.0.2.0/24'] }, 'tcp', number) });

test.each<readonly [string, number, { readonly [id: string]: DeclarationValue }]>([
  ['a service of the mesh', 9080, {}],
  ['HTTP outside', 8080, { 'books/web': external('web', { hosts: ['web.example'] }, 'http', 8080), 'books/callWeb': access('books/web') }],
  [
    'HTTP outside without its number',
    80,
    { 'books/web': external('web', { hosts: ['web.example'] }, 'https', 443), 'books/callWeb': access('books/web') },
  ],
  ['TLS outside', 8443, { 'books/web': external('web', { hosts: ['web.example'] }, 'tls', 8443), 'books/callWeb': access('books/web') }],
])('nobody calls by name and by range at one number: %s', (_what, number, more) => {
  const { value, diagnostics } = emitted({ ...fleet(number), ...more });
  expect(value).toBeUndefined();
  expect(diagnostics.map(({ code }) => code)).toEqual(['MW5018']);
});
test.each<readonly [string, number, { readonly [id: string]: DeclarationValue }]>([
  ['names that others call', 8443, { 'books/web': external('web', { hosts: ['web.example'] }, 'tls', 8443) }],
  [
    'a host by its address',
    5432,
    { 'books/db': external('db', { hosts: ['192.0.2.7'] }, 'tcp', 5432), 'books/callDb': access('books/db') },
  ],
])('at one number with ranges may be: %s', (_what, number, more) => {
  expect(emitted({ ...fleet(number), ...more }).diagnostics).toEqual([]);
});

test('who is denied has no way there, nor by a wider range that lets him in', () => {
  const { services } = present(
    emitted({
      ...fleet(5432),
      'books/narrow': external('narrow', { addresses: ['192.0.2.64/26'] }, 'tcp', 5432),
      'books/in': access('books/narrow'),
      'books/out': access('books/narrow', 'deny'),
    }).value,
  );
  const chains = (name: string) =>
    present(services.find(({ metadata }) => metadata.name === `outside.${name}.it+bookinfo.productpage`)).spec;
  expect(chains('narrow')).toMatchObject({ clusters: [], listeners: [{ filterChains: [{ name: 'nobody:5432' }] }] });
  expect(chains('fleet')).toMatchObject({
    clusters: [{ name: 'outside/fleet.it', type: 'ORIGINAL_DST', lbPolicy: 'CLUSTER_PROVIDED' }],
    listeners: [
      {
        filterChains: [
          { name: 'outside/fleet.it:5432' },
          { name: 'nobody:5432', filterChainMatch: { prefixRanges: [{ addressPrefix: '192.0.2.64', prefixLen: 26 }] } },
        ],
      },
    ],
  });
});
