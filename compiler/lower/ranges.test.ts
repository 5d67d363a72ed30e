import type { DeclarationValue } from '../../core/declarations/declaration';
import { workloadKey } from '../../core/mesh/ids';
import { decideConnection, decideDialled } from '../../core/semantics/decide-connection';
import { evaluatedWith, named, wayOut } from '../../test/kit/declarations';
import { present } from '../../test/kit/present';
import { lower } from './index';

type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
const db = { it: { protocol: 'tcp', number: 5432 } };
const ranges = (addresses: readonly string[], more: Partial<Omit<External, 'kind'>> = {}): DeclarationValue => ({
  ...{ kind: 'external', name: 'fleet', team: 'books', addresses, ports: db },
  ...more,
});
const host = (name: string, address: string, team = 'books'): DeclarationValue => ({
  ...{ kind: 'external', name, team, hosts: [address], ports: db },
});
const access = (to: string, action = 'allow'): DeclarationValue =>
  ({
    ...{ kind: 'access', action, port: { ref: to, port: 'it' }, from: [named('books/productpage')], requests: 'any', because: 'a test' },
  }) as DeclarationValue; // decoding: of two kinds of rule, the one whose members are given
const lowered = (more: Parameters<typeof evaluatedWith>[0]) => lower(evaluatedWith(more), 'prod');
const codes = (more: Parameters<typeof evaluatedWith>[0]): readonly string[] =>
  lowered(more)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code }) => code);
const from = workloadKey('bookinfo', 'productpage');

test('a port of ranges stands for every address of them, canonical and sorted', () => {
  const ir = present(lowered({ 'books/fleet': ranges(['2001:db8::/48', '192.0.2.0/24']), 'books/pageCalls': access('books/fleet') }).value);
  expect(ir.services.find(({ key }) => key === 'outside/fleet')).toMatchObject({
    outside: { hosts: [], addresses: ['192.0.2.0/24', '2001:db8:0:0:0:0:0:0/48'], trust: null, through: null },
    ports: [{ key: 'outside/fleet.it', layer: 'tcp', number: 5432 }],
  });
  const at = (address: string, number = 5432) => decideDialled(ir, { from, address, number });
  for (const address of ['192.0.2.0', '192.0.2.255', '2001:db8::7', '::ffff:192.0.2.9'])
    expect([address, at(address).outcome]).toEqual([address, 'allow']);
  for (const address of ['192.0.1.255', '192.0.3.0', '2001:db8:1::7', 'nonsense'])
    expect([address, at(address).outcome]).toEqual([address, 'deny']);
  expect(at('192.0.2.7', 5433)).toMatchObject({ outcome: 'deny', says: expect.stringContaining('192.0.2.7:5433') });
  expect(decideDialled(ir, { from: workloadKey('bookinfo', 'details'), address: '192.0.2.7', number: 5432 }).outcome).toBe('deny');
  // asked about by its name it is some address of it
  const port = present(ir.services.find(({ key }) => key === 'outside/fleet')?.ports[0]).key;
  expect(decideConnection(ir, { from, to: port, sni: null }).outcome).toBe('allow');
  expect(decideConnection(ir, { from, to: port, sni: null, address: '192.0.3.1' }).outcome).toBe('deny');
});

test('the narrowest stands, and what it does not let in no wider one does', () => {
  const ir = present(
    lowered({
      'books/wide': ranges(['10.0.0.0/8', '::/0'], { name: 'wide' }),
      'books/callWide': access('books/wide'),
      'books/narrow': ranges(['10.1.0.0/16'], { name: 'narrow' }),
      'books/inNarrow': ranges(['10.1.2.0/24'], { name: 'in-narrow' }),
      'books/callInNarrow': access('books/inNarrow'),
      'books/ledger': host('ledger', '10.2.0.1'),
      'platform/metadata': ranges(['169.254.169.254/32'], { name: 'metadata', team: 'platform' }),
      'platform/callMetadata': access('platform/metadata'),
    }).value,
  );
  const outcome = (address: string) => decideDialled(ir, { from, address, number: 5432 }).outcome;
  for (const address of ['10.0.0.1', '10.1.2.1', '10.2.0.2', '2001:db8::1', '169.254.169.254'])
    expect([address, outcome(address)]).toEqual([address, 'allow']);
  for (const address of [
    ...['10.1.0.1', '10.1.3.1', '10.2.0.1', '169.254.169.253'],
    // the machine itself, its link, its cloud, many machines, and IPv4 in other spellings
    ...[
      '::1',
      '::',
      '::7f00:1',
      '::ffff:7f00:1',
      'fe80::1',
      'ff02::1',
      'fd00:ec2::254',
      'fd20:ce::254',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b::7f00:1',
      '2002:a9fe:a9fe::1',
    ],
  ])
    expect([address, outcome(address)]).toEqual([address, 'deny']);
});

test.each<readonly [string, DeclarationValue, readonly string[]]>([
  ['no address', ranges([]), ['MW3012']],
  ['what is no network', ranges(['192.0.2.0']), ['MW3091']],
  ['a prefix too long', ranges(['192.0.2.0/33']), ['MW3091']],
  ['an address in the middle of a range', ranges(['192.0.2.7/24']), ['MW3091']],
  ['the same in IPv6', ranges(['2001:db8::7/48']), ['MW3091']],
  ['the machine itself', ranges(['127.0.0.0/8']), ['MW3091']],
  ['a part of it', ranges(['127.0.0.53/32']), ['MW3091']],
  ['the machine itself in IPv6', ranges(['::1/128']), ['MW3091']],
  ['the link in IPv6 clothes', ranges(['::ffff:a9fe:a900/120']), ['MW3092']],
  ['a part of all IPv4 in IPv6 clothes', ranges(['::ffff:7f00:0/104']), ['MW3091']],
  ['many machines', ranges(['224.0.0.0/4', 'ff00::/8']), ['MW3091', 'MW3091']],
  ['the link', ranges(['169.254.169.254/32']), ['MW3092']],
  ['the link in IPv6', ranges(['fe80::/64']), ['MW3092']],
  ['the link by a translator', ranges(['64:ff9b::a9fe:a900/120']), ['MW3092']],
  ['the metadata of a cloud', ranges(['fd00:ec2::254/128']), ['MW3092']],
  ['HTTP', ranges(['192.0.2.0/24'], { ports: { it: { protocol: 'http', number: 80 } } }), ['MW3023']],
  ['TLS that a proxy makes', ranges(['192.0.2.0/24'], { ports: { it: { protocol: 'https', number: 443 } } }), ['MW3023']],
  ['TLS by its name', ranges(['192.0.2.0/24'], { ports: { it: { protocol: 'tls', number: 443 } } }), ['MW3023']],
  ['authorities', ranges(['192.0.2.0/24'], { trust: 'bookinfo/partner' }), ['MW3023']],
  ['a gateway on the way', ranges(['192.0.2.0/24'], { through: { ref: 'platform/edge' } }), ['MW3023']],
  ['hosts beside ranges', ranges(['192.0.2.0/24'], { hosts: ['ledger.example'] }), ['MW3023']],
  ['neither', { kind: 'external', name: 'fleet', team: 'books', ports: db }, ['MW3012']],
])('refuses %s', (_what, fleet, expected) => {
  expect(codes({ ...wayOut, 'books/fleet': fleet })).toEqual(expected);
});

test.each<readonly [string, { readonly [id: string]: DeclarationValue }, readonly string[]]>([
  ['another team within', { 'orders/more': ranges(['10.1.0.0/16'], { name: 'more', team: 'orders' }) }, ['MW3093']],
  ['another team around', { 'orders/more': ranges(['8.0.0.0/6'], { name: 'more', team: 'orders' }) }, ['MW3093']],
  ['another team at the same', { 'orders/more': ranges(['10.0.0.0/8'], { name: 'more', team: 'orders' }) }, ['MW3093']],
  ['a host of another team', { 'orders/more': host('more', '10.1.2.3', 'orders') }, ['MW3093']],
  ['its own team at the same', { 'books/more': ranges(['10.0.0.0/8'], { name: 'more' }) }, ['MW3004']],
  [
    'a host that is the whole range',
    { 'books/one': ranges(['11.0.0.1/32'], { name: 'one' }), 'books/more': host('more', '11.0.0.1') },
    ['MW3004'],
  ],
  ['its own team within', { 'books/more': ranges(['10.1.0.0/16'], { name: 'more' }) }, []],
  ['a platform at the metadata of a cloud', { 'platform/more': ranges(['169.254.169.254/32'], { name: 'more', team: 'platform' }) }, []],
  ['another team beside', { 'orders/more': ranges(['11.0.0.0/8'], { name: 'more', team: 'orders' }) }, []],
  [
    'another team at another port',
    { 'orders/more': ranges(['10.0.0.0/8'], { name: 'more', team: 'orders', ports: { it: { protocol: 'tcp', number: 5433 } } }) },
    [],
  ],
])('at one port an address is of one team: %s', (_what, more, expected) => {
  expect(codes({ 'books/fleet': ranges(['10.0.0.0/8', '168.0.0.0/6']), ...more })).toEqual(expected);
});
