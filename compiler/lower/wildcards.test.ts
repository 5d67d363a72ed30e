import type { DeclarationValue } from '../../core/declarations/declaration';
import { builtInResilience } from '../../core/ir/resilience';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { decide } from '../../core/semantics/decide';
import { evaluatedWith, named, wayOut } from '../../test/kit/declarations';
import { present } from '../../test/kit/present';
import { lower } from './index';

type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
const external = (more: Partial<Omit<External, 'kind'>> = {}): DeclarationValue => ({
  ...{ kind: 'external', name: 'docs', team: 'books', hosts: ['*.docs.example'] },
  ports: { api: { protocol: 'https', number: 443 } },
  ...more,
});
const allow = (ref: string, hosts: readonly string[] = []): DeclarationValue => ({
  ...{ kind: 'access', action: 'allow', port: { ref, port: 'api' }, from: [named('books/productpage')], requests: 'any' },
  ...(hosts.length === 0 ? {} : { hosts }),
});
const lowered = (more: Parameters<typeof evaluatedWith>[0]) =>
  lower(evaluatedWith({ 'books/docs': external(), 'books/reads': allow('books/docs'), ...more }), 'prod');
const mesh = (more: Parameters<typeof evaluatedWith>[0] = {}) => {
  const { value, diagnostics } = lowered(more);
  expect(diagnostics).toEqual([]);
  return present(value);
};
const outsideOf = (ir: ReturnType<typeof mesh>) => ir.services.find(({ key }) => key === 'outside/docs');

test('networks are in one spelling and order, and not there where nobody says any', () => {
  expect(outsideOf(mesh())?.outside).toEqual({ hosts: ['*.docs.example'], trust: null, through: null });
  const at = ['10.20.1.1/16', 'fd12::/16', '10.20.0.0/16', '127.0.0.1/32'];
  expect(outsideOf(mesh({ 'books/docs': external({ at }) }))?.outside?.at).toEqual([
    '10.20.0.0/16',
    '127.0.0.1/32',
    'fd12:0:0:0:0:0:0:0/16',
  ]);
});
test('of names that nobody can list none is ejected, and none is better', () => {
  const settings: DeclarationValue = {
    kind: 'standard',
    for: [{ kind: 'mesh' }],
    defaults: { eject: { consecutive5xx: 5, for: '30s', atMost: '50%' }, balance: 'random' },
  };
  const reach = (host: string) =>
    mesh({ 'mesh/all': settings, 'books/docs': external({ hosts: [host] }) }).services.find(({ key }) => key === 'outside/docs')?.ports[0]
      ?.resilience;
  expect(reach('a.docs.example')).toMatchObject({ eject: { consecutive5xx: 5 }, balance: { kind: 'random' } });
  expect(reach('*.docs.example')).toMatchObject({ eject: null, balance: builtInResilience.balance, health: null });
});

test.each<readonly [string, Partial<External>, readonly string[]]>([
  ['in the clear', { ports: { api: { protocol: 'http', number: 80 } } }, ['MW3080']],
  ['HTTP/2 in the clear', { ports: { api: { protocol: 'http2', number: 80 } } }, ['MW3080']],
  ['gRPC in the clear', { ports: { api: { protocol: 'grpc', number: 80 } } }, ['MW3080']],
  ['TLS that is passed through', { ports: { api: { protocol: 'tls', number: 443 } } }, ['MW3080']],
  ['TCP', { ports: { api: { protocol: 'tcp', number: 443 } } }, ['MW3080']],
  [
    'one port in the clear beside another',
    { ports: { api: { protocol: 'https', number: 443 }, old: { protocol: 'http', number: 80 } } },
    ['MW3080'],
  ],
  ['any name', { hosts: ['*'] }, ['MW3029']],
  ['all names of a top-level domain', { hosts: ['*.example'] }, ['MW3029']],
  ['a wildcard within', { hosts: ['a.*.example'] }, ['MW3029']],
  ['two of them', { hosts: ['*.*.docs.example'] }, ['MW3029']],
  ['part of a label', { hosts: ['*a.docs.example'] }, ['MW3029']],
  ['a number', { hosts: ['*.docs.1'] }, ['MW3029']],
  ['addresses', { hosts: ['*.0.0.127'] }, ['MW3029']],
  ['upper case', { hosts: ['*.Docs.example'] }, ['MW3029']],
  ['the names of the cluster', { hosts: ['*.svc.cluster.local'] }, ['MW3029']],
  ['names of the mesh', { hosts: ['*.bookinfo.svc.cluster.local'] }, ['MW3029']],
  ['names of another team', { hosts: ['*.orders.svc.cluster.local'] }, ['MW3107']],
  ['networks without a wildcard', { hosts: ['a.docs.example'], at: ['10.0.0.0/8'] }, ['MW3023']],
  ['no network', { at: ['10.0.0.0'] }, ['MW3088']],
  ['everywhere', { at: ['0.0.0.0/0'] }, ['MW3088']],
  ['everywhere in IPv6', { at: ['::/0'] }, ['MW3088']],
  ['of the link', { at: ['169.254.169.254/32'] }, ['MW3088']],
  ['of the link in IPv6', { at: ['fe80::/64'] }, ['MW3088']],
  ['many machines', { at: ['224.0.0.0/8'] }, ['MW3088']],
  ['IPv4 in another spelling', { at: ['::/64'] }, ['MW3088']],
  ['all of IPv4 in another spelling', { at: ['::ffff:0:0/96'] }, ['MW3088']],
  ['the link in another spelling', { at: ['::ffff:169.254.0.0/112'] }, ['MW3088']],
  ['the link through NAT64', { at: ['64:ff9b::a9fe:a9fe/128'] }, ['MW3088']],
  ['all of IPv4 through NAT64', { at: ['64:ff9b::/96'] }, ['MW3088']],
  ['the link by 6to4', { at: ['2002:a9fe:a9fe::/48'] }, ['MW3088']],
  ['all of 6to4', { at: ['2002::/16'] }, ['MW3088']],
  ['where a cloud hands out credentials', { at: ['100.100.100.200/32'] }, ['MW3088']],
  ['where a cloud does, in IPv6', { at: ['fd00:ec2::254/128'] }, ['MW3088']],
  ['where a cloud does, among others', { at: ['fd00::/8'] }, ['MW3088']],
  ['the machine of a gateway', { at: ['127.0.0.1/32'], through: { ref: 'platform/edge' } }, ['MW3088']],
])('refuses %s', (_what, more, codes) => {
  const { value, diagnostics } = lowered({
    ...wayOut,
    'books/docs': external(more),
    'orders/orders': { kind: 'namespace', name: 'orders', team: 'orders' },
  });
  expect(value).toBeUndefined();
  expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(codes);
});
test('two of one wildcard are one too many', () => {
  const { diagnostics } = lowered({ 'books/other': external({ name: 'other' }) });
  expect(diagnostics.map(({ code }) => code)).toEqual(['MW3004']);
});
describe('a name under a wildcard is of one team', () => {
  const orders = { 'orders/orders': { kind: 'namespace', name: 'orders', team: 'orders' } } as const;
  const own = { name: 'own', trust: 'orders/own' };
  test.each<readonly [string, { readonly [id: string]: DeclarationValue }, readonly string[]]>([
    ['a name by another team', { 'orders/own': external({ ...own, team: 'orders', hosts: ['eu.docs.example'] }) }, ['MW3094']],
    ['names by another team', { 'orders/own': external({ ...own, team: 'orders', hosts: ['*.eu.docs.example'] }) }, ['MW3094']],
    ['a wildcard around', { 'orders/own': external({ ...own, team: 'orders', hosts: ['*.eu.example', '*.org.example'] }) }, ['MW3094']],
    ['its own team', { 'books/own': external({ ...own, hosts: ['eu.docs.example'] }) }, []],
    ['the domain itself', { 'orders/own': external({ ...own, team: 'orders', hosts: ['docs.example'] }) }, []],
    ['a platform', { 'platform/own': external({ ...own, team: 'platform', hosts: ['eu.docs.example'] }) }, []],
    ['another team, by the word of a platform', { 'platform/own': external({ ...own, team: 'orders', hosts: ['eu.docs.example'] }) }, []],
  ])('names closer: %s', (_what, more, codes) => {
    const within = { 'books/other': external({ name: 'other', hosts: ['a.org.example'] }) };
    expect(lowered({ ...orders, ...within, ...more }).diagnostics.map(({ code }) => code)).toEqual(codes);
  });
});
test('an allow is of names under it alone', () => {
  const codes = (...hosts: readonly string[]) => lowered({ 'books/reads': allow('books/docs', hosts) }).diagnostics.map(({ code }) => code);
  expect(codes('eu.docs.example', 'a.b.docs.example')).toEqual([]);
  expect(codes('docs.example')).toEqual(['MW3007']);
  expect(codes('eu.other.example')).toEqual(['MW3007']);
});

describe('a name belongs to who names it closest', () => {
  const ir = mesh({
    'books/docs': external({ hosts: ['*.docs.example', 'own.far.docs.example', '*.x.far.docs.example'] }),
    'books/special': external({ name: 'special', hosts: ['eu.docs.example'], ports: { api: { protocol: 'http', number: 80 } } }),
    'books/callsSpecial': allow('books/special'),
    'books/far': external({ name: 'far', hosts: ['*.far.docs.example'], ports: { api: { protocol: 'https', number: 8443 } } }),
    'books/callsFar': allow('books/far'),
  });
  const asked = (to: string, host: string) =>
    decide(ir, {
      from: { kind: 'workload', workload: workloadKey('bookinfo', 'productpage') },
      to: portKey(workloadKey('outside', to), 'api'),
      ...{ method: 'GET', path: '/', headers: { host } },
    }).outcome;
  test.each([
    ['docs', 'us.docs.example', 'allow'],
    ['docs', 'us.docs.example:443', 'allow'],
    ['docs', 'A.B.Docs.Example', 'allow'],
    ['docs', 'docs.example', 'deny'],
    ['docs', '.docs.example', 'deny'],
    ['docs', 'us.docs.example.', 'deny'],
    ['docs', 'us.docs.example:80', 'deny'],
    ['docs', 'eu.docs.example:443', 'deny'],
    ['special', 'eu.docs.example', 'allow'],
    ['docs', 'a.far.docs.example', 'deny'],
    ['far', 'a.far.docs.example:8443', 'allow'],
    ['far', 'a.far.docs.example', 'deny'], // without a number it is 443
    ['docs', 'far.docs.example', 'allow'],
    ['docs', 'own.far.docs.example', 'allow'],
    ['docs', 'a.x.far.docs.example', 'allow'],
    ['far', 'a.x.far.docs.example:8443', 'deny'],
  ])('%s for %s: %s', (to, host, outcome) => expect(asked(to, host)).toBe(outcome));
});
