/** The kit's mesh with all that a gateway can listen for, and services for each of it. */
import type { CallerRef, DeclarationValue } from '../../core/declarations/declaration';
import { workloadKey } from '../../core/mesh/ids';
import { allow, service } from './declarations';

export const edge = workloadKey('platform', 'edge');
const outside: CallerRef = { kind: 'outside', name: 'internet', through: { ref: 'platform/edge' } };
const network = (name: string, ...networks: readonly string[]): CallerRef => ({
  kind: 'outside',
  name,
  network: networks,
  through: { ref: 'platform/edge' },
});
/** What clients of a test on loopback come from: all of it is one machine's own. */
export const office = network('office', '127.1.0.0/16', '127.3.0.0/24');
/** Within the office. */
export const desk = network('desk', '127.1.2.0/24');
const by = (status: number) => ({ kind: 'respond', status }) as const;
/** Says by its status who was taken for what. */
const bySource = (listener: string): DeclarationValue => ({
  kind: 'route',
  on: at(listener, 'who.example'),
  rules: [
    { when: { from: [desk], request: ['GET /desk'] }, to: by(201) },
    { when: { from: [office] }, to: by(202) },
    { when: { request: ['GET /open'] }, to: by(203) },
  ],
  otherwise: { to: by(403) },
});
const at = (listener: string, host: string) => ({ ref: 'platform/edge', listener, host });
const to = (ref: string) => ({ kind: 'target', to: { ref, port: 'web' } }) as const;
const every = (listener: string, host: string, ref: string): DeclarationValue => ({
  kind: 'route',
  on: at(listener, host),
  rules: [
    { when: { request: ['GET /old/{rest...}'] }, to: { kind: 'redirect', path: '/new/{rest...}' } },
    { when: { request: ['GET /up'] }, to: { kind: 'redirect', scheme: 'https', status: 308 } },
  ],
  otherwise: { to: to(ref), timeout: '60s' },
});
export const gatewayDeclarations: { [id: string]: DeclarationValue | null } = {
  'books/shop': null,
  'platform/edge': {
    kind: 'gateway',
    namespace: { ref: 'platform/platform' },
    name: 'edge',
    serviceAccount: 'edge',
    listeners: {
      web: {
        port: 443,
        hosts: {
          'shop.example': 'books',
          '*.books.example': 'books',
          'pay.books.example': 'books',
          'rpc.example': 'books',
          'chat.example': 'books',
          'who.example': 'books',
          'press.example': { team: 'books', certificate: 'books/press-tls' },
          '*.press.example': { team: 'books', certificate: 'books/press-tls' },
        },
        certificate: 'platform/edge-tls',
      },
      plain: {
        protocol: 'http',
        port: 8080,
        hosts: {
          'shop.example': 'books',
          '*.books.example': 'books',
          'chat.example': 'books',
          'idle.books.example': 'books',
          'who.example': 'books',
        },
      },
      pass: {
        protocol: 'tls',
        port: 8443,
        hosts: { 'db.example': 'books', '*.db.example': 'books', 'idle.db.example': 'books', 'shut.example': 'books' },
      },
      queue: { protocol: 'tcp', port: 5432, team: 'books' },
      fronted: { protocol: 'http', port: 8081, hosts: { 'who.example': 'books' }, proxyProtocol: 'required' },
      behind: { protocol: 'tcp', port: 5433, team: 'books', proxyProtocol: 'required' },
      partners: {
        port: 9443,
        hosts: { 'partners.example': 'books' },
        certificate: 'platform/partners-tls',
        clients: { trust: 'platform/partners-ca', certificate: 'required' },
        minTls: '1.3',
      },
      guests: {
        port: 9444,
        hosts: { 'partners.example': 'books', '*.partners.example': 'books' },
        certificate: 'platform/partners-tls',
        clients: { trust: 'platform/partners-ca', certificate: 'optional' },
      },
      open: { protocol: 'http', port: 80, hosts: { 'shop.example': 'books', '*.books.example': 'books' }, redirect: 'https' },
    },
  },
  'books/publicPage': allow('books/productpage', [outside], { requests: ['GET /productpage', 'GET /who'] }),
  'books/publicDetails': allow('books/details', [outside]),
  'books/whoWeb': bySource('web'),
  'books/whoPlain': bySource('plain'),
  'books/whoFronted': bySource('fronted'),
  'books/shopWeb': every('web', 'shop.example', 'books/productpage'),
  'books/shopPlain': every('plain', 'shop.example', 'books/productpage'),
  'books/pressWeb': every('web', 'press.example', 'books/productpage'),
  'books/oldPressWeb': every('web', 'old.press.example', 'books/productpage'),
  'books/payWeb': every('web', 'pay.books.example', 'books/details'),
  'books/partnersOnly': every('partners', 'partners.example', 'books/productpage'),
  'books/guests': every('guests', 'partners.example', 'books/productpage'),
  'books/allWeb': every('web', '*.books.example', 'books/details'),
  'books/allPlain': every('plain', '*.books.example', 'books/details'),
  'books/rpc': service('books/bookinfo', 'rpc', { ports: { web: { protocol: 'grpc', number: 7070 } } }),
  'books/publicRpc': allow('books/rpc', [outside], { requests: ['t.v1.Echo/Unary', 't.v1.Echo/Both'] }),
  'books/rpcWeb': { kind: 'route', on: at('web', 'rpc.example'), rules: [], otherwise: { to: to('books/rpc'), timeout: '2s' } },
  'books/chat': service('books/bookinfo', 'chat', { ports: { web: { protocol: 'websocket', number: 8080, maxAge: '2s' } } }),
  'books/publicChat': allow('books/chat', [outside], { requests: ['GET /talk'] }),
  'books/chatWeb': { kind: 'route', on: at('web', 'chat.example'), rules: [], otherwise: { to: to('books/chat') } },
  'books/chatPlain': { kind: 'route', on: at('plain', 'chat.example'), rules: [], otherwise: { to: to('books/chat') } },
  'books/vault': service('books/bookinfo', 'vault', { ports: { web: { protocol: 'tls', number: 6443 } } }),
  'books/other': service('books/bookinfo', 'other', { ports: { web: { protocol: 'tls', number: 6444 } } }),
  'books/closed': service('books/bookinfo', 'closed', { ports: { web: { protocol: 'tls', number: 6445 } } }),
  'books/rows': service('books/bookinfo', 'rows', { ports: { web: { protocol: 'postgres', number: 5432 } } }),
  'books/spare': service('books/bookinfo', 'spare', { ports: { web: { protocol: 'postgres', number: 5432 } } }),
  'books/publicSpare': allow('books/spare', [outside]),
  'books/publicVault': allow('books/vault', [outside]),
  'books/publicOther': allow('books/other', [outside]),
  'books/publicRows': allow('books/rows', [outside]),
  'books/vaultPass': { kind: 'route', on: at('pass', 'db.example'), rules: [], otherwise: { to: to('books/vault') } },
  'books/otherPass': { kind: 'route', on: at('pass', '*.db.example'), rules: [], otherwise: { to: to('books/other'), idle: '2s' } },
  'books/closedPass': { kind: 'route', on: at('pass', 'shut.example'), rules: [], otherwise: { to: to('books/closed') } },
  'books/rowsQueue': {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'queue' },
    rules: [{ when: { from: [desk] }, to: to('books/spare') }],
    otherwise: { to: to('books/rows') },
  },
  'books/rowsBehind': {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'behind' },
    rules: [{ when: { from: [desk] }, to: to('books/spare') }],
    otherwise: { to: to('books/rows') },
  },
};
