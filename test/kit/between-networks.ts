/** Declarations of a mesh with a gateway between its networks. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import { principalOf, type Principal } from '../../core/mesh/ids';
import { allow, named, service, workload } from './declarations';

export const domain = 'acme.example';
export const principal = (account: string, namespace = 'bookinfo'): Principal => principalOf(domain, namespace, account);
const twoPorts = { web: { protocol: 'http', number: 9080 }, admin: { protocol: 'http', number: 9090 } };

/** A busy machine's time: what is slow is not lost. */
export const patient = { connectTimeout: '60s' };

/** `reviews` is exported by its port `web` and not by `admin`; `stock` is not; `db` speaks no HTTP, and is. */
export const declarations: { readonly [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/stranger': workload('books/bookinfo', 'stranger'),
  'books/reviews': service('books/bookinfo', 'reviews', {
    ports: twoPorts,
    versions: ['v1', 'v2'],
    settings: {
      connections: patient,
      locality: { prefer: 'network' },
      eject: { consecutive5xx: 5, for: '1s', atMost: '100%' },
      panicBelow: '0%',
    },
  }),
  'books/reviewsRoutes': {
    kind: 'route',
    on: { ref: 'books/reviews', port: 'web' },
    rules: [{ when: { headers: { version: { kind: 'exact', value: 'v2' } } }, to: { kind: 'version', version: 'v2' }, timeout: '60s' }],
    otherwise: { to: { kind: 'target', to: { ref: 'books/reviews', port: 'web' } }, timeout: '60s' },
  },
  'books/pageReadsReviews': allow('books/reviews', [named('books/app')], { requests: ['GET /reviews/{id}'] }),
  'books/appAdmin': allow('books/reviews', [named('books/app')], { port: { ref: 'books/reviews', port: 'admin' } }),
  'books/stock': service('books/bookinfo', 'stock'),
  'books/appStock': allow('books/stock', [named('books/app')]),
  'books/db': service('books/bookinfo', 'db', { ports: { web: { protocol: 'tcp', number: 5432 } } }),
  'books/appDb': allow('books/db', [named('books/app')]),
  'platform/crossing': {
    kind: 'east-west',
    namespace: { ref: 'platform/platform' },
    name: 'crossing',
    serviceAccount: 'crossing',
    port: 15443,
  },
  'books/reviewsAcross': { kind: 'export', port: { ref: 'books/reviews', port: 'web' }, through: [{ ref: 'platform/crossing' }] },
  'books/dbAcross': { kind: 'export', port: { ref: 'books/db', port: 'web' }, through: [{ ref: 'platform/crossing' }] },
};
