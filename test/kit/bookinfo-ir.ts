/** A small mesh written down as IR: a gateway, the product page, details, reviews in three versions, ratings. */
import type { AccessRule, MeshIr, PathTemplate, RequestClass, RouteRule, Service, Workload } from '../../core/ir/ir';
import { anyMatch, plainForward, plainRedirect, plainRespond, plainTarget } from '../../core/ir/plain';
import { portKey, principalOf, type PortKey, type RuleId, workloadKey, type WorkloadKey } from '../../core/mesh/ids';
import { builtInResilience } from '../../core/ir/resilience';

const trustDomain = 'shop.example';
const id = (text: string): RuleId => text as RuleId; // a fixture's own ids
export const key = (name: string): WorkloadKey => workloadKey('bookinfo', name);
export const web = (name: string): PortKey => portKey(key(name), 'web');
const account = (name: string): string => `bookinfo-${name}`;
const principal = (name: string): Workload['principal'] => principalOf(trustDomain, 'bookinfo', account(name));
const edge = workloadKey('platform', 'edge');

/** `GET /reviews/{id}` */
export function requestClass(text: string): RequestClass {
  const [method = '', path = ''] = text.split(' ');
  const segments = path === '/' ? [] : path.slice(1).split('/');
  const template: PathTemplate = segments.map((segment) => {
    const name = /^\{(\w+)(\.\.\.)?\}$/.exec(segment);
    if (!name?.[1]) return { kind: 'literal', text: segment };
    return { kind: name[2] === undefined ? 'one' : 'rest', name: name[1] };
  });
  return { method, path: template, text };
}

const workload = (name: string, kind: Workload['kind'] = 'service'): Workload => ({
  id: id(`books/${name}`),
  key: key(name),
  kind,
  team: 'books',
  serviceAccount: account(name),
  principal: principal(name),
  labels: [`app=${name}`],
  tags: {},
});
const service = (name: string, versions: readonly string[] = []): Service => ({
  id: id(`books/${name}`),
  key: key(name),
  team: 'books',
  versions,
  versionLabel: 'version',
  ports: [
    {
      key: web(name),
      name: 'web',
      protocol: 'http',
      layer: 'http',
      number: 9080,
      requests: null,
      maxAgeMs: null,
      brokers: [],
      urls: 'rfc3986',
      mtls: 'strict',
      resilience: builtInResilience,
    },
  ],
});
export const allow = (
  name: string,
  from: readonly string[],
  to: string,
  requests: readonly string[] | 'any',
  over: Partial<AccessRule> = {},
): AccessRule => ({
  id: id(`books/${name}`),
  action: 'allow',
  mode: 'enforce',
  port: web(to),
  callers: {
    kind: 'principals',
    principals: from.map((caller) => ({
      principal: caller === 'edge' ? principalOf(trustDomain, 'platform', 'edge') : principal(caller),
      named: true,
    })),
  },
  requests: requests === 'any' ? 'any' : requests.map(requestClass),
  headers: [],
  hosts: [],
  user: null,
  because: null,
  ...over,
});
const forward = (ruleId: string, to: string, version: string | null = null): RouteRule => ({
  id: id(ruleId),
  match: null,
  action: { ...plainForward, to: [{ ...plainTarget, port: web(to), version }], timeoutMs: 15_000, retry: null },
});

export function bookinfo(): MeshIr {
  return {
    version: 'meshwright.ir/1',
    environment: 'test',
    trustDomain,
    runs: { envoy: '1.40.0' },
    teams: [
      { name: 'books', namespaces: ['bookinfo'] },
      { name: 'platform', namespaces: ['platform'] },
    ],
    namespaces: [
      { id: id('books/bookinfo'), name: 'bookinfo', team: 'books', adoption: 'enforce' },
      { id: id('platform/platform'), name: 'platform', team: 'platform', adoption: 'enforce' },
    ],
    workloads: [
      workload('details'),
      workload('productpage'),
      workload('ratings'),
      workload('reviews'),
      {
        id: id('platform/edge'),
        key: edge,
        kind: 'gateway',
        team: 'platform',
        serviceAccount: 'edge',
        principal: principalOf(trustDomain, 'platform', 'edge'),
        labels: [],
        tags: {},
      },
    ],
    services: [service('details'), service('productpage'), service('ratings'), service('reviews', ['v1', 'v2', 'v3'])],
    gateways: [
      {
        id: id('platform/edge'),
        key: edge,
        listeners: [
          {
            name: 'web',
            port: 8443,
            speaks: { kind: 'https', certificate: 'platform/shop', clients: null },
            hosts: [
              { host: '*.books.example', team: 'books' },
              { host: 'admin.example', team: 'platform' },
              { host: 'shop.example', team: 'books' },
            ],
          },
        ],
      },
    ],
    access: [
      allow('adminFromShopOnly', ['edge'], 'productpage', ['* /admin/{rest...}'], { hosts: ['admin.example'] }),
      allow('noBots', ['edge'], 'productpage', 'any', {
        action: 'deny',
        headers: [{ name: 'x-client', match: { kind: 'exact', value: 'bot' } }],
      }),
      allow('pageReadsDetails', ['productpage'], 'details', ['GET /details/{id}']),
      allow('pageReadsReviews', ['productpage'], 'reviews', ['GET /reviews/{id}', 'POST /reviews']),
      allow('publicPage', ['edge'], 'productpage', ['GET /productpage', 'GET /static/{file...}', 'GET /']),
      allow('reviewsReadRatings', ['reviews'], 'ratings', ['GET /ratings/{id}']),
    ],
    routes: [
      { id: null, port: web('details'), cors: null, rules: [forward('bookinfo/details.web.default', 'details')] },
      { id: null, port: web('productpage'), cors: null, rules: [forward('bookinfo/productpage.web.default', 'productpage')] },
      { id: null, port: web('ratings'), cors: null, rules: [forward('bookinfo/ratings.web.default', 'ratings')] },
      {
        id: id('books/reviewsRoutes'),
        port: web('reviews'),
        cors: null,
        rules: [
          {
            ...forward('books/reviewsRoutes.rules.0', 'reviews', 'v2'),
            match: { ...anyMatch, headers: [{ name: 'end-user', match: { kind: 'exact', value: 'jason' } }] },
          },
          {
            id: id('books/reviewsRoutes.rules.1'),
            match: { ...anyMatch, requests: [requestClass('GET /reviews/old')] },
            action: { ...plainRespond, status: 410, body: 'gone\n' },
          },
          {
            id: id('books/reviewsRoutes.otherwise'),
            match: null,
            action: {
              ...plainForward,
              to: [
                { ...plainTarget, port: web('reviews'), version: 'v1', weight: 90 },
                { ...plainTarget, port: web('reviews'), version: 'v3', weight: 10 },
              ],
              timeoutMs: 2_000,
              retry: {
                atMost: 2,
                perTryMs: 500,
                on: ['5xx', 'connect-failure'],
                budgetPercent: 20,
                backOff: { baseMs: 25, maxMs: 250 },
                hedge: false,
                methods: 'idempotent',
              },
            },
          },
        ],
      },
    ],
    hostConnections: [],
    connectionRoutes: [],
    issuers: [],
    hostRoutes: [
      {
        id: id('platform/admin'),
        gateway: edge,
        listener: 'web',
        host: 'admin.example',
        team: 'platform',
        cors: null,
        rules: [forward('platform/admin.otherwise', 'productpage')],
      },
      {
        id: id('books/shop'),
        gateway: edge,
        listener: 'web',
        host: 'shop.example',
        team: 'books',
        cors: null,
        rules: [
          {
            ...forward('books/shop.rules.0', 'productpage'),
            match: {
              ...anyMatch,
              requests: [requestClass('GET /productpage'), requestClass('GET /static/{file...}'), requestClass('* /admin/{rest...}')],
            },
          },
          {
            id: id('books/shop.rules.1'),
            match: { ...anyMatch, requests: [requestClass('GET /')] },
            action: { ...plainRedirect, path: requestClass('GET /productpage').path },
          },
          { id: id('books/shop.otherwise'), match: null, action: { ...plainRespond, status: 404 } },
        ],
      },
    ],
    needs: [],
    guarantees: [],
    patches: [],
    deploys: [],
    products: [],
    rollout: { waves: [100], holdMs: 0 },
  };
}
