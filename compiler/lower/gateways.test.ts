import type { CallerRef, DeclarationValue } from '../../core/declarations/declaration';
import { allow, evaluatedWith, service } from '../../test/kit/declarations';
import type { AnalyserInput } from '../analyse/finding';
import { shadowedRoute } from '../analyse/shadowed-route';
import { tokensInClear } from '../analyse/tokens-in-clear';
import { semanticDiff } from '../diff/diff';
import { canonicalJson } from '../../core/lib/json';
import { decide } from '../../core/semantics/decide';
import { workloadKey } from '../../core/mesh/ids';
import { lower } from './lower';

type More = { readonly [id: string]: DeclarationValue | null };
const edge = (listeners: Extract<DeclarationValue, { kind: 'gateway' }>['listeners']): DeclarationValue => ({
  kind: 'gateway',
  namespace: { ref: 'platform/platform' },
  name: 'edge',
  serviceAccount: 'edge',
  listeners,
});
const web = { port: 443, hosts: { 'shop.acme.example': 'books' }, certificate: 'platform/edge-tls' };
const lowered = (more: More) => lower(evaluatedWith(more), 'prod');
const ir = (more: More) => {
  const { value, diagnostics } = lowered(more);
  if (!value) throw new Error(diagnostics.map((d) => d.message).join('\n'));
  return value;
};
const codes = (more: More): readonly string[] => lowered(more).diagnostics.map(({ code }) => code);
const rows: More = {
  'books/rows': service('books/bookinfo', 'rows', { ports: { web: { protocol: 'postgres', number: 5432 } } }),
  'books/publicRows': allow('books/rows', [{ kind: 'outside', name: 'internet', through: { ref: 'platform/edge' } }]),
};
const queue = (to: string): More => ({
  ...rows,
  'platform/edge': edge({ web, queue: { protocol: 'tcp', port: 5432, team: 'books' } }),
  'books/queue': {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'queue' },
    rules: [],
    otherwise: { to: { kind: 'target', to: { ref: to, port: 'web' } } },
  },
});

it('a redirect leads to the number of the listener that serves the host under TLS', () => {
  const open = { protocol: 'http', port: 80, hosts: { 'shop.acme.example': 'books' }, redirect: 'https' } as const;
  const portOf = (port: number): unknown =>
    ir({ 'platform/edge': edge({ web: { ...web, port }, open }) }).hostRoutes.find(({ listener }) => listener === 'open')?.rules[0]?.action;
  expect(portOf(8443)).toMatchObject({ kind: 'redirect', scheme: 'https', port: 8443, status: 301 });
  expect(portOf(443)).toMatchObject({ host: 'shop.acme.example', port: null });
});
it('a redirect of a wildcard says the number where the one that a client came by would stay', () => {
  const hosts = { '*.acme.example': 'books' };
  const portOf = (port: number): unknown =>
    ir({ 'platform/edge': edge({ web: { ...web, hosts }, open: { protocol: 'http', port, hosts, redirect: 'https' } }) }).hostRoutes.find(
      ({ listener }) => listener === 'open',
    )?.rules[0]?.action;
  expect(portOf(80)).toMatchObject({ host: null, port: null });
  expect(portOf(8080)).toMatchObject({ host: null, port: 443 });
  const exact = { ...web, hosts: { 'any.acme.example': 'books', 'shop.acme.example': 'books' } };
  expect(codes({ 'platform/edge': edge({ web: exact, open: { protocol: 'http', port: 80, hosts, redirect: 'https' } }) })).toEqual([
    'MW3083',
  ]);
});
it('one name is one team’s at all listeners, were it by a wildcard', () => {
  const at = (plain: { readonly [host: string]: string }, hosts: { readonly [host: string]: string }, redirect = {}): readonly string[] =>
    codes({
      'books/shop': null,
      'platform/edge': edge({ web: { ...web, hosts }, open: { protocol: 'http', port: 80, hosts: plain, ...redirect } }),
    });
  expect(at({ 'pay.acme.example': 'platform' }, { 'pay.acme.example': 'books' })).toEqual(['MW3082']);
  expect(at({ 'pay.acme.example': 'platform' }, { '*.acme.example': 'books' })).toEqual(['MW3082']);
  expect(at({ '*.acme.example': 'books' }, { '*.pay.acme.example': 'platform' })).toEqual(['MW3082']);
  expect(at({ 'pay.acme.example': 'platform' }, { '*.acme.example': 'books', 'pay.acme.example': 'platform' })).toEqual([]);
  expect(at({ 'pay.acme.example': 'platform' }, { '*': 'books' })).toEqual([]);
  // there nobody routes
  expect(
    at({ '*.acme.example': 'platform' }, { '*.acme.example': 'platform', 'pay.acme.example': 'books' }, { redirect: 'https' }),
  ).toEqual([]);
});
it('a number belongs to one listener, whose hosts may have certificates of their own', () => {
  const own = { ...web, hosts: { 'shop.acme.example': 'books', 'press.example': { team: 'books', certificate: 'books/press-tls' } } };
  expect(codes({ 'platform/edge': edge({ web, press: { ...web, certificate: 'books/press-tls' } }) })).toEqual(['MW3086']);
  const { hosts } = ir({ 'platform/edge': edge({ web: own }) }).gateways[0]?.listeners[0] ?? {};
  expect(hosts).toEqual([
    { host: 'press.example', team: 'books', certificate: 'books/press-tls' },
    { host: 'shop.acme.example', team: 'books' },
  ]);
  const named = { ...own, hosts: { ...own.hosts, 'press.example': { team: 'books', certificate: 'no name' } } };
  expect(codes({ 'platform/edge': edge({ web: named }) })).toEqual(['MW3003']);
  expect(
    semanticDiff(
      ir({ 'platform/edge': edge({ web: { ...own, hosts: { ...own.hosts, 'press.example': 'books' } } }) }),
      ir({ 'platform/edge': edge({ web: own }) }),
    ).ports,
  ).toMatchObject([
    {
      field: 'hosts',
      before: 'press.example (books), shop.acme.example (books)',
      after: 'press.example (books, certificate books/press-tls), shop.acme.example (books)',
    },
  ]);
});
it('who writes routes for a host that a listener redirects is told so', () => {
  const open = { protocol: 'http', port: 80, hosts: { 'shop.acme.example': 'books' }, redirect: 'https' } as const;
  const route: DeclarationValue = {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'open', host: 'shop.acme.example' },
    rules: [],
    otherwise: { to: { kind: 'respond', status: 200 } },
  };
  expect(codes({ 'platform/edge': edge({ web, open }), 'books/own': route })).toEqual(['MW3021']);
});
it('connections go to what speaks as they do, and nobody else routes them', () => {
  expect(codes(queue('books/rows'))).toEqual([]);
  expect(codes(queue('books/details'))).toEqual(['MW3072']);
  expect(codes({ ...queue('books/rows'), 'orders/queue': queue('books/rows')['books/queue'] ?? null })).toContain('MW3107');
  expect(codes({ ...queue('books/rows'), 'books/second': queue('books/rows')['books/queue'] ?? null })).toEqual(['MW3021']);
});
it('a connection that goes elsewhere is a difference, and so is a place that comes', () => {
  const other: More = {
    'books/more': service('books/bookinfo', 'more', { ports: { web: { protocol: 'postgres', number: 5432 } } }),
    'books/publicMore': allow('books/more', [{ kind: 'outside', name: 'internet', through: { ref: 'platform/edge' } }]),
  };
  const [before, after] = [ir({ ...other, ...queue('books/rows') }), ir({ ...other, ...queue('books/more') })];
  expect(semanticDiff(before, after).calls).toMatchObject([
    { kind: 'rerouted', caller: 'platform/edge', target: 'queue/*', requests: ['any connection'] },
  ]);
  const without = ir({ ...other, ...rows, 'platform/edge': edge({ web }) });
  expect(semanticDiff(without, before).exposure).toEqual([{ gateway: 'platform/edge', listener: 'queue', host: '*', change: 'exposed' }]);
  expect(semanticDiff(before, before).calls).toEqual([]);
});
it('a question says what the client shows', () => {
  const asked = (certificate: 'required' | 'optional') =>
    ir({ 'platform/edge': edge({ web: { ...web, clients: { trust: 'platform/ca', certificate } } }) });
  const answer = (certificate: 'required' | 'optional', shown?: 'valid' | 'invalid'): unknown => {
    const from = { kind: 'outside', gateway: workloadKey('platform', 'edge'), listener: 'web', host: 'shop.acme.example' } as const;
    const { outcome, stage, status } = decide(asked(certificate), {
      from: { ...from, ...(shown ? { certificate: shown } : {}) },
      to: null,
      ...{ method: 'GET', path: '/productpage', headers: {} },
    });
    return [outcome, stage, status];
  };
  const closed = ['deny', 'authentication', null];
  expect([answer('required'), answer('required', 'invalid'), answer('optional', 'invalid')]).toEqual([closed, closed, closed]);
  expect([answer('required', 'valid'), answer('optional')]).toEqual([
    ['allow', 'inbound', null],
    ['allow', 'inbound', null],
  ]);
});
it('whom a listener believes about who dialled is a difference', () => {
  const behind = ir({ 'platform/edge': edge({ web: { ...web, proxyProtocol: 'required' } }) });
  const plain = ir({ 'platform/edge': edge({ web }) });
  const change = { port: 'platform/edge/web', field: 'proxyProtocol', before: 'none', after: 'required' };
  expect(semanticDiff(plain, behind).ports).toEqual([change]);
  expect(semanticDiff(behind, behind).ports).toEqual([]);
});
it('the oldest TLS of a listener is a difference; what holds anyway is none', () => {
  const [said, older, strict] = ([{}, { minTls: '1.2' }, { minTls: '1.3' }] as const).map((more) =>
    ir({ 'platform/edge': edge({ web: { ...web, ...more } }) }),
  );
  if (!said || !older || !strict) throw new Error('three');
  expect(canonicalJson(older)).toBe(canonicalJson(said));
  expect(semanticDiff(said, strict).ports).toEqual([{ port: 'platform/edge/web', field: 'minTls', before: '1.2', after: '1.3' }]);
});
it('whom a listener asks for certificates is a difference', () => {
  const clients = (certificate: 'required' | 'optional') => ({
    'platform/edge': edge({ web: { ...web, clients: { trust: 'platform/ca', certificate } } }),
  });
  const diff = semanticDiff(ir(clients('optional')), ir(clients('required')));
  expect(diff.ports).toEqual([
    { port: 'platform/edge/web', field: 'clients', before: 'optional, of platform/ca', after: 'required, of platform/ca' },
  ]);
  expect(diff.calls.map(({ kind, target, after }) => [kind, target, after])).toContainEqual(['lost', 'web/shop.acme.example', 'closed']);
});
const from = (...networks: readonly string[]): CallerRef => ({
  kind: 'outside',
  name: 'office',
  network: networks,
  through: { ref: 'platform/edge' },
});
const sourced = (when: readonly CallerRef[], status = 204): More => ({
  'platform/edge': edge({ web }),
  'books/shop': {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' },
    rules: [{ when: { from: when }, to: { kind: 'respond', status } }],
    otherwise: { to: { kind: 'respond', status: 404 } },
  },
});
it('networks at a gateway are canonical; who has an identity or comes by another way is refused', () => {
  const match = ir(sourced([from('10.9.9.9/8', 'FD00::1/8'.toLowerCase()), from('192.0.2.7/24')])).hostRoutes[0]?.rules[0]?.match;
  expect(match?.sources).toEqual(['10.0.0.0/8', '192.0.2.0/24', 'fd00:0:0:0:0:0:0:0/8']);
  expect(codes(sourced([{ kind: 'ref', to: { ref: 'books/details' } }]))).toEqual(['MW3084']);
  expect(codes(sourced([{ kind: 'outside', name: 'internet', through: { ref: 'platform/edge' } }]))).toEqual(['MW3084']);
  expect(codes(sourced([from('10.0.0.0/8'), { kind: 'anyone', except: [] }]))).toEqual(['MW3084']);
  const other: More = { 'platform/side': { ...edge({ web }), ...{ name: 'side', serviceAccount: 'side' } } as DeclarationValue };
  expect(codes({ ...other, ...sourced([{ ...from('10.0.0.0/8'), ...{ through: { ref: 'platform/side' } } } as CallerRef]) })).toContain(
    'MW3084',
  );
});
it('a network that leads elsewhere is a difference, shown by an address of it', () => {
  const diff = semanticDiff(ir(sourced([from('10.0.0.0/8')])), ir(sourced([from('10.0.0.0/8')], 202)));
  expect(diff.calls.map(({ requests }) => requests)).toEqual([expect.arrayContaining(['GET (any other path) from 10.0.0.0'])]);
  const wider = semanticDiff(ir(sourced([from('10.0.0.0/8')])), ir(sourced([from('10.0.0.0/8', '192.0.2.0/24')])));
  expect(wider.calls.flatMap(({ requests }) => requests)).toContain('GET (any other path) from 192.0.2.0');
});
it('a rule about a network within one that went before is never met', () => {
  const rules = (first: CallerRef, second: CallerRef): More => {
    const written = sourced([first])['books/shop'];
    if (written?.kind !== 'route') throw new Error('no route');
    return {
      'platform/edge': edge({ web }),
      'books/shop': { ...written, rules: [...written.rules, { when: { from: [second] }, to: { kind: 'respond', status: 202 } }] },
    };
  };
  const findings = (first: CallerRef, second: CallerRef): readonly string[] => {
    const found: string[] = [];
    for (const { diagnostic } of shadowedRoute.run({ ir: ir(rules(first, second)), spanOf: () => undefined } as unknown as AnalyserInput))
      found.push(diagnostic.code);
    return found;
  };
  expect(findings(from('10.0.0.0/8'), from('10.1.0.0/16'))).toHaveLength(1);
  expect(findings(from('10.1.0.0/16'), from('10.0.0.0/8'))).toEqual([]);
});
it('tokens in the clear are a finding: at the host, or where its routes lead', () => {
  const user = { issuer: { ref: 'platform/acme' }, claims: [] };
  const acme: DeclarationValue = {
    kind: 'issuer',
    name: 'acme',
    url: 'https://acme.example',
    audiences: ['shop'],
    keys: {
      file: 'k.json',
      text: JSON.stringify({
        keys: [{ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', kid: 'a', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
      }),
    },
  };
  const at = (protocol: 'http' | 'https', asked: 'host' | 'end' | 'nowhere'): readonly string[] => {
    const more: More = {
      'platform/acme': acme,
      'platform/edge': edge({ web: protocol === 'https' ? web : { protocol, port: 80, hosts: web.hosts } }),
      'books/publicPage': allow(
        'books/productpage',
        [{ kind: 'outside', name: 'internet', through: { ref: 'platform/edge' } }],
        asked === 'end' ? { user } : {},
      ),
      'books/shop': {
        kind: 'route',
        on: { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' },
        rules: asked === 'host' ? [{ when: { user }, to: { kind: 'respond', status: 204 } }] : [],
        otherwise: { to: { kind: 'target', to: { ref: 'books/productpage', port: 'web' } } },
      },
    };
    const found: string[] = [];
    for (const { diagnostic } of tokensInClear.run({ ir: ir(more), spanOf: () => undefined } as unknown as AnalyserInput))
      found.push(diagnostic.code);
    return found;
  };
  expect([at('http', 'host'), at('http', 'end'), at('http', 'nowhere')]).toEqual([['MW4080'], ['MW4080'], []]);
  expect([at('https', 'host'), at('https', 'end')]).toEqual([[], []]);
});
