/** The example mesh with every word about HTTP requests on one port, each under a path of its own, and on a gateway's host. */
import type { Cors, MeshIr, RouteAction, RouteMatch, RouteRule, WeightedTarget } from '../../core/ir/ir';
import { anyMatch, noEdits, plainForward, plainRedirect, plainRespond, plainTarget } from '../../core/ir/plain';
import type { Balance } from '../../core/ir/resilience';
import type { RuleId } from '../../core/mesh/ids';
import { allow, bookinfo, key, requestClass, web } from './bookinfo-ir';
import { present } from './present';

const id = (text: string): RuleId => text as RuleId; // a fixture's own ids
const version = (name: string, weight = 100): WeightedTarget => ({ ...plainTarget, port: web('reviews'), version: name, weight });
type Forward = Extract<RouteAction, { kind: 'forward' }>;
const forward = (to: readonly WeightedTarget[], over: Partial<Forward> = {}): Forward => ({
  ...plainForward,
  to,
  timeoutMs: 60_000,
  retry: null,
  ...over,
});
const header = (name: string, value: string) => ({ name, value });
const thirds = [version('v1', 50), version('v2', 30), version('v3', 20)];
const path = (text: string) => requestClass(`GET ${text}`).path;

/** By the path that a rule is asked with. */
const rules = (ir: MeshIr): readonly (readonly [request: string, action: RouteAction, match?: Partial<RouteMatch>])[] => {
  const reviews = present(ir.workloads.find((workload) => workload.key === key('reviews'))).principal;
  return [
    [
      'GET /rewritten/{id}/{rest...}',
      forward([version('v1')], { rewrite: { path: path('/new/{id}/x/{rest...}'), host: 'inside.example:99' } }),
    ],
    ['GET /whole/{rest...}', forward([version('v1')], { rewrite: { path: path('/one'), host: null } })],
    [
      'GET /edited',
      forward(
        [
          {
            ...version('v1'),
            requestHeaders: { remove: [], set: [header('x-set', 'by destination')], add: [header('x-version', 'one 100%')] },
            responseHeaders: { remove: [], set: [], add: [header('x-from', 'v1')] },
          },
        ],
        {
          requestHeaders: { remove: ['x-remove'], set: [header('x-set', '100% %REQ(x)%')], add: [header('x-add', 'more')] },
          responseHeaders: { remove: ['x-powered-by'], set: [header('x-reply-set', 'new')], add: [header('x-reply-add', 'two')] },
        },
      ),
    ],
    [
      'GET /answered',
      {
        ...plainRespond,
        status: 418,
        body: '{"tea":true}',
        responseHeaders: { remove: [], set: [header('content-type', 'application/json'), header('x-kind', 'short')], add: [] },
      },
    ],
    [
      'GET /gone/{rest...}',
      { ...plainRedirect, scheme: 'https', host: 'new.example', port: 8443, path: path('/here/{rest...}'), status: 303 },
    ],
    ['GET /to-port', { ...plainRedirect, port: 8081, status: 307 }],
    ['GET /to-https', { ...plainRedirect, scheme: 'https', status: 301, responseHeaders: { ...noEdits, set: [header('x-why', 'plain')] } }],
    [
      'GET /mirrored',
      forward([version('v1')], {
        rewrite: { path: path('/copied'), host: null },
        requestHeaders: { remove: [], set: [header('x-copy', 'yes')], add: [] },
        mirrors: [
          { port: web('ratings'), version: null, percent: 100 },
          { port: web('reviews'), version: 'v2', percent: 100 },
          { port: web('reviews'), version: 'v3', percent: 0 },
        ],
      }),
    ],
    ['GET /sampled', forward([version('v1', 50), version('v2', 50)], { mirrors: [{ port: web('reviews'), version: 'v3', percent: 25 }] })],
    ['GET /delayed', forward([version('v1')], { timeoutMs: 2_000, fault: { delay: { ms: 2_500, percent: 100 }, abort: null } })],
    [
      'GET /aborted',
      forward([{ ...version('v1'), responseHeaders: { ...noEdits, set: [header('x-from', 'v1')] } }], {
        fault: { delay: null, abort: { kind: 'http', status: 503, percent: 100 } },
        responseHeaders: { ...noEdits, add: [header('x-reply-add', 'two')] },
      }),
    ],
    ['GET /shaky', forward([version('v1')], { fault: { delay: null, abort: { kind: 'http', status: 418, percent: 50 } } })],
    ['GET /by-header', forward(thirds, { sticky: { kind: 'header', name: 'x-user' } })],
    ['GET /by-cookie', forward(thirds, { sticky: { kind: 'cookie', name: 'sid' } })],
    ['GET /issued', forward(thirds, { sticky: { kind: 'issued', name: 'which', forMs: 60_000 } })],
    ['GET /whose', forward([version('v3')]), { callers: [reviews] }],
    ['GET /whose', forward([version('v1')])],
    ['GET /named', forward([version('v2')]), { hosts: ['reviews.bookinfo.svc.cluster.local'] }],
    ['GET /without', forward([version('v2')]), { withoutHeaders: [{ name: 'x-debug', match: { kind: 'exact', value: '1' } }] }],
    ['GET /absent', forward([version('v2')]), { withoutHeaders: [{ name: 'x-debug', match: { kind: 'present' } }] }],
    [
      'GET /elsewhere',
      forward([
        { ...plainTarget, port: web('details'), weight: 50 },
        { ...plainTarget, port: web('reviews'), version: 'v2', weight: 50 },
      ]),
    ],
    [
      'GET /each/{id}',
      forward(
        [
          { ...version('v1', 50), rewrite: { path: path('/first/{id}'), host: null } },
          { ...version('v2', 30), rewrite: { path: null, host: 'second.example' } },
          { ...version('v3', 20), responseHeaders: { ...noEdits, add: [header('x-from', 'v3')] } },
        ],
        { rewrite: { path: path('/all/{id}'), host: 'all.example' } },
      ),
    ],
    [
      'GET /each-kept/{id}',
      forward(
        [
          { ...version('v1', 50), rewrite: { path: path('/first/{id}'), host: null } },
          { ...version('v2', 50), rewrite: { path: path('/second/{id}'), host: null } },
        ],
        { sticky: { kind: 'issued', name: 'which', forMs: null } },
      ),
    ],
    ['GET /crumbs', forward([version('v1')], { requestHeaders: { ...noEdits, add: [header('cookie', 'more=1')] } })],
  ];
};

export const origins: Cors = {
  origins: [
    { kind: 'exact', value: 'https://shop.example' },
    { kind: 'regex', value: 'https://[a-z]+\\.books\\.example' },
  ],
  methods: ['GET', 'POST'],
  headers: ['authorization', 'x-user'],
  exposed: ['x-total'],
  credentials: true,
  maxAgeMs: 3_600_000,
};

/** Endpoints of `details` by a cookie that the proxy makes. */
const kept: Balance = { kind: 'hash', by: { kind: 'cookie', name: 'kept', madeForMs: 60_000 }, table: { kind: 'maglev' } };
/** Of a host over https: cookies that the mesh gives out. */
const atShop: readonly RouteRule[] = [
  {
    id: id('books/shop.issued'),
    match: { ...anyMatch, requests: [requestClass('GET /issued')] },
    action: forward(thirds, { sticky: { kind: 'issued', name: 'which', forMs: null } }),
  },
  {
    id: id('books/shop.kept'),
    match: { ...anyMatch, requests: [requestClass('GET /kept')] },
    action: forward([{ ...plainTarget, port: web('details') }]),
  },
];

export function routing(): MeshIr {
  const base = bookinfo();
  const written = rules(base).map(([request, action, match], index): RouteRule => ({
    id: id(`books/reviewsRoutes.rules.${index}`),
    match: { ...anyMatch, requests: [requestClass(request)], ...match },
    action,
  }));
  const otherwise: RouteRule = { id: id('books/reviewsRoutes.otherwise'), match: null, action: forward([version('v1')]) };
  return {
    ...base,
    access: [
      ...base.access,
      allow('pageAsksAnything', ['productpage', 'reviews'], 'reviews', 'any'),
      allow('pageCopies', ['productpage'], 'ratings', ['GET /copied']),
      allow('pageReadsElsewhere', ['productpage'], 'details', ['GET /elsewhere']),
      allow('shopIsIssued', ['edge'], 'reviews', ['GET /issued']),
      allow('shopIsKept', ['edge'], 'details', ['GET /kept']),
    ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    routes: base.routes.map((table) =>
      table.port === web('reviews') ? { ...table, cors: origins, rules: [...written, otherwise] } : table,
    ),
    hostRoutes: base.hostRoutes.map((table) =>
      table.host === 'shop.example' ? { ...table, cors: { ...origins, credentials: false }, rules: [...atShop, ...table.rules] } : table,
    ),
    services: base.services.map((service) => ({
      ...service,
      ports: service.ports.map((port) =>
        port.key === web('details') ? { ...port, resilience: { ...port.resilience, balance: kept } } : port,
      ),
    })),
  };
}
