/** Hosts outside the mesh of every layer, called by the caller's own proxy and through a gateway. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { named } from './declarations';
import { lowered } from './layered-mesh';

const to = (ref: string, more: object = {}): DeclarationValue =>
  ({
    kind: 'access',
    action: 'allow',
    port: { ref, port: 'it' },
    from: [named('books/productpage')],
    requests: 'any',
    ...more,
  }) as DeclarationValue; // decoding: an allow, with members of one
const external = (name: string, hosts: readonly string[], protocol: string, number: number, through: boolean): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', hosts, ports: { it: { protocol, number } } },
  ...(through ? { trust: 'bookinfo/partner', through: { ref: 'platform/egress' } } : {}),
});
const gateway: DeclarationValue = {
  ...{
    kind: 'gateway',
    namespace: { ref: 'platform/platform' },
    name: 'egress',
    serviceAccount: 'egress',
    listeners: {},
    wayOutOf: ['books'],
  },
};

export function outside(): MeshIr {
  return lowered({
    'platform/egress': gateway,
    'books/stripe': external('stripe', ['api.stripe.example', 'files.stripe.example'], 'https', 443, false),
    'books/charges': to('books/stripe', { requests: ['POST /v1/charges'] }),
    'books/partner': external('partner', ['api.partner.example', 'files.partner.example'], 'https', 443, true),
    'books/pageAsks': to('books/partner', { requests: ['GET /v1/{rest...}'], headers: { 'x-key': { kind: 'present' } } }),
    'books/rpc': external('rpc', ['rpc.example'], 'grpcs', 443, true),
    'books/pageCalls': to('books/rpc', { requests: ['t.v1.Echo/Say'] }),
    'books/vault': external('vault', ['a.vault.example', 'b.vault.example'], 'tls', 8443, false),
    'books/pageOpensA': to('books/vault', { hosts: ['a.vault.example'] }),
    'books/store': external('store', ['a.store.example', 'b.store.example'], 'tls', 8443, true),
    'books/pageStoresB': to('books/store', { hosts: ['b.store.example'] }),
    'books/ledger': external('ledger', ['192.0.2.7'], 'postgres', 5432, false),
    'books/pageBooks': to('books/ledger'),
    'books/fleet': {
      ...{ kind: 'external', name: 'fleet', team: 'books', addresses: ['198.51.100.0/24', '2001:db8::/48'] },
      ports: { it: { protocol: 'mysql', number: 3306 } },
    },
    'books/pageCallsFleet': to('books/fleet'),
    // within, and for nobody here
    'books/others': {
      ...{ kind: 'external', name: 'others', team: 'books', addresses: ['198.51.100.64/26'] },
      ports: { it: { protocol: 'mysql', number: 3306 } },
    },
    'books/cache': external('cache', ['cache.example'], 'redis', 6379, true),
    'books/pageCaches': to('books/cache'),
    'books/docs': external('docs', ['*.docs.example'], 'https', 443, false),
    'books/pageReadsDocs': to('books/docs', { requests: ['GET /v1/{rest...}'] }),
    'books/euDocs': external('eu-docs', ['eu.docs.example'], 'https', 443, false),
    'books/corp': { ...external('corp', ['*.corp.example'], 'grpcs', 443, true), at: ['10.20.0.0/16'] } as DeclarationValue, // decoding: an external
    'books/pageCallsCorp': to('books/corp', { requests: ['t.v1.Echo/Say'] }),
  });
}
