/** Declarations by hand, for tests that start after the sandbox. Teams are read from ids; line numbers are the order of writing. */
import type { CallerRef, Declaration, DeclarationValue, Evaluated, Origins, ScopeRef } from '../../core/declarations/declaration';

type ValueOf<K extends DeclarationValue['kind']> = Extract<DeclarationValue, { kind: K }>;
type Rest<K extends DeclarationValue['kind']> = Omit<ValueOf<K>, 'kind'>;

export const named = (ref: string): CallerRef => ({ kind: 'ref', to: { ref } });
export const scope = (ref: string, port?: string): ScopeRef => ({ kind: 'ref', to: port === undefined ? { ref } : { ref, port } });

/** `a/b`, `a/c.x` -> value. Bookinfo with an edge gateway; pass more, replace with the same id, or remove with null. */
export function evaluatedWith(more: { readonly [id: string]: DeclarationValue | null } = {}): Evaluated {
  const all: { [id: string]: DeclarationValue | null } = { ...bookinfo, ...more };
  const declarations: Declaration[] = [];
  const origins: { [id: string]: Origins[string] } = {};
  for (const [index, id] of Object.keys(all).entries()) {
    const value = all[id];
    if (!value) continue;
    const team = id.slice(0, id.indexOf('/'));
    declarations.push({ id, team, value });
    origins[id] = { span: { file: `${team}/all.policy.ts`, line: index + 1, column: 14 }, chain: [] };
  }
  return { declarations: declarations.sort((a, b) => (a.id < b.id ? -1 : 1)), origins, fuel: 0 };
}

export const service = (namespace: string, name: string, more: Partial<Rest<'service'>> = {}): DeclarationValue => ({
  kind: 'service',
  namespace: { ref: namespace },
  name,
  serviceAccount: `sa-${name}`,
  ports: { web: { protocol: 'http', number: 9080 } },
  ...more,
});
export const workload = (namespace: string, name: string, more: Partial<Rest<'workload'>> = {}): DeclarationValue => ({
  kind: 'workload',
  namespace: { ref: namespace },
  name,
  serviceAccount: `sa-${name}`,
  ...more,
});
export const allow = (to: string, from: readonly CallerRef[], more: Partial<Rest<'access'>> = {}): DeclarationValue => ({
  kind: 'access',
  action: 'allow',
  port: { ref: to, port: 'web' },
  from,
  requests: 'any',
  ...more,
});
export const deny = (to: string, from: readonly CallerRef[], more: Partial<Rest<'access'>> = {}): DeclarationValue =>
  ({
    ...allow(to, from, { because: 'no', ...more }),
    ...{ action: 'deny' as const },
  }) as DeclarationValue;
export const route = (on: string, more: Partial<Rest<'route'>> = {}): DeclarationValue => ({
  kind: 'route',
  on: { ref: on, port: 'web' },
  rules: [],
  otherwise: { to: { kind: 'target', to: { ref: on, port: 'web' } } },
  ...more,
});
export const never = (from: readonly CallerRef[], to: readonly ScopeRef[]): DeclarationValue => ({
  kind: 'guarantee',
  claim: 'never',
  from,
  to,
});
export const need = (caller: string, to: string, more: Partial<Rest<'need'>> = {}): DeclarationValue => ({
  kind: 'need',
  caller: { ref: caller },
  targets: [{ ref: to, port: 'web' }],
  ...more,
});

export const deploys = (on: string, more: Partial<Rest<'deploy'>> = {}): DeclarationValue => ({
  kind: 'deploy',
  on: { ref: on },
  by: [{ kind: 'group', name: 'sre' }],
  ...more,
});
export const versions = (ranges: Rest<'versions'>['ranges'], more: Partial<Rest<'versions'>> = {}): DeclarationValue => ({
  kind: 'versions',
  ranges,
  ...more,
});

const edge = {
  kind: 'gateway',
  namespace: { ref: 'platform/platform' },
  name: 'edge',
  serviceAccount: 'edge',
  listeners: {
    web: { port: 8443, hosts: { 'shop.acme.example': 'books', '*.books.acme.example': 'books' }, certificate: 'platform/edge-tls' },
  },
} as const satisfies DeclarationValue;
/** The gateway of `bookinfo` as the way out of a team's hosts too. */
export const wayOut: { readonly [id: string]: DeclarationValue } = { 'platform/edge': { ...edge, wayOutOf: ['books'] } };
/** A gateway that is nothing but the way out of a team's hosts. */
export const egress = {
  'platform/egress': {
    kind: 'gateway',
    namespace: { ref: 'platform/platform' },
    name: 'egress',
    serviceAccount: 'egress',
    listeners: {},
    wayOutOf: ['books'],
  },
} as const satisfies { readonly [id: string]: DeclarationValue };

const mesh = {
  kind: 'mesh',
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { platform: { namespaces: ['platform'] }, books: { namespaces: ['bookinfo'] }, orders: { namespaces: ['orders'] } },
  tags: { tier: ['gold', 'silver'] },
  runs: { envoy: '1.40.0' },
} as const satisfies DeclarationValue;
/** The mesh of `bookinfo` as the kit runs it: its authority issues for `mesh.test`. */
export const running: { readonly [id: string]: DeclarationValue } = { 'mesh/mesh': { ...mesh, trustDomain: 'mesh.test' } };

export const bookinfo: { readonly [id: string]: DeclarationValue } = {
  'mesh/mesh': mesh,
  'platform/platform': { kind: 'namespace', name: 'platform', team: 'platform' },
  'platform/edge': edge,
  'books/bookinfo': { kind: 'namespace', name: 'bookinfo', team: 'books' },
  'books/productpage': service('books/bookinfo', 'productpage'),
  'books/details': service('books/bookinfo', 'details'),
  'books/ratings': service('books/bookinfo', 'ratings'),
  'books/reviews': service('books/bookinfo', 'reviews', {
    versions: ['v1', 'v2', 'v3'],
    tags: { tier: 'gold' },
    ports: { web: { protocol: 'http', number: 9080, requests: ['GET /reviews/{id}', 'POST /reviews', 'GET /health'] } },
  }),
  'books/publicPage': allow('books/productpage', [{ kind: 'outside', name: 'internet', through: { ref: 'platform/edge' } }], {
    requests: ['GET /productpage'],
  }),
  'books/pageReadsReviews': allow('books/reviews', [named('books/productpage')], { requests: ['GET /reviews/{id}'] }),
  'books/pageReadsDetails': allow('books/details', [named('books/productpage')], { requests: ['GET /details/{id}'] }),
  'books/reviewsReadRatings': allow('books/ratings', [named('books/reviews')], { requests: ['GET /ratings/{id}'] }),
  'books/ratingsArePrivate': never([{ kind: 'anyone', except: [named('books/reviews')] }], [scope('books/ratings')]),
  'books/reviewsRoutes': route('books/reviews', {
    rules: [{ when: { headers: { 'End-User': { kind: 'exact', value: 'jason' } } }, to: { kind: 'version', version: 'v2' } }],
    otherwise: {
      to: { kind: 'weights', weights: { v1: 90, v3: 10 } },
      timeout: { $perEnv: { dev: '10s', prod: '2s' } },
      retry: { atMost: 2, perTry: '500ms', on: ['connect-failure', '5xx'] },
    },
  }),
  'books/shop': {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'web', host: 'shop.acme.example' },
    rules: [
      {
        when: { request: ['GET /productpage', 'GET /static/{file...}'] },
        to: { kind: 'target', to: { ref: 'books/productpage', port: 'web' } },
      },
    ],
    otherwise: { to: { kind: 'respond', status: 404 } },
  },
};
