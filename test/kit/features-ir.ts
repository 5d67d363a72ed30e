/** The example mesh with one of everything that changes an emitted object: dialects, limits, ejection, permissive, TCP, shadow, hosts, a stricter caller, patches. */
import type { MeshIr, Service } from '../../core/ir/ir';
import { anyMatch, plainRedirect } from '../../core/ir/plain';
import { builtInResilience, noLimits, type Ejection } from '../../core/ir/resilience';
import { portKey, type RuleId } from '../../core/mesh/ids';
import { allow, bookinfo, key, requestClass, web } from './bookinfo-ir';
import { present } from './present';

const id = (text: string): RuleId => text as RuleId; // a fixture's own ids
export const queue = portKey(key('ratings'), 'queue');

const ejection: Ejection = {
  consecutive5xx: 5,
  gatewayFailures: null,
  localFailures: null,
  successRate: null,
  failureShare: null,
  everyMs: 10_000,
  forMs: 30_500,
  forAtMostMs: 300_000,
  atMostPercent: 50,
};

export function features(): MeshIr {
  const base = bookinfo();
  const services = base.services.map((service): Service => {
    const [port] = service.ports;
    if (!port) return service;
    if (service.key === key('details'))
      return {
        ...service,
        ports: [{ ...port, urls: 'case-insensitive', mtls: 'permissive', resilience: { ...builtInResilience, eject: ejection } }],
      };
    if (service.key === key('productpage')) return { ...service, ports: [{ ...port, urls: 'servlet' }] };
    if (service.key === key('ratings')) {
      return {
        ...service,
        ports: [
          { ...port, key: queue, name: 'queue', protocol: 'tcp', layer: 'tcp', number: 9091 },
          { ...port, resilience: { ...builtInResilience, connections: { ...noLimits, max: 20, pending: 5 } } },
        ],
      };
    }
    return service;
  });
  return {
    ...base,
    services,
    access: [
      ...base.access,
      allow('anyoneButReviews', [], 'details', 'any', {
        callers: { kind: 'anyone', except: [present(base.workloads[3]).principal] },
        headers: [{ name: 'x-probe', match: { kind: 'present' } }],
      }),
      allow('tenantPage', ['edge'], 'productpage', ['GET /tenant'], {
        headers: [
          { name: 'x-tenant', match: { kind: 'exact', value: 'a' } },
          { name: 'x-zone', match: { kind: 'prefix', value: 'eu-' } },
        ],
      }),
      allow('later', ['reviews'], 'ratings', ['POST /ratings/{id}'], { mode: 'shadow' }),
      allow('neverDelete', ['productpage', 'reviews'], 'ratings', ['DELETE /{rest...}'], { action: 'deny' }),
      { ...allow('feed', ['reviews'], 'ratings', 'any'), port: queue },
      { ...allow('noFeedForThePage', ['productpage'], 'ratings', 'any', { action: 'deny' }), port: queue },
    ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    connectionRoutes: [
      {
        id: null,
        port: queue,
        rules: [{ id: id(`${queue}.default`), match: null, to: [{ port: queue, version: null, weight: 100 }], idleMs: 3_600_000 }],
      },
    ],
    routes: base.routes.map((table) =>
      table.port === web('details')
        ? {
            ...table,
            id: id('books/detailsRoutes'),
            rules: [
              {
                id: id('books/detailsRoutes.rules.0'),
                match: {
                  ...anyMatch,
                  requests: [requestClass('GET /details/{id}'), requestClass('* /old/{rest...}')],
                  headers: [{ name: 'x-tenant', match: { kind: 'prefix', value: 'a.' } }],
                  query: [{ name: 'q', match: { kind: 'regex', value: '[a-z]+' } }],
                  cookies: [{ name: 'user', match: { kind: 'exact', value: 'j.a' } }],
                },
                action: { ...plainRedirect, host: 'old.example', path: requestClass('GET /moved').path, status: 308 },
              },
              ...table.rules,
            ],
          }
        : table,
    ),
    needs: [
      {
        id: id('books/pageIsQuick'),
        caller: key('productpage'),
        targets: [web('reviews')],
        timeoutMs: 750,
        idleMs: null,
        retry: {
          atMost: 1,
          perTryMs: 300,
          on: ['5xx', 'reset'],
          budgetPercent: 10,
          backOff: { baseMs: 0, maxMs: 0 },
          hedge: true,
          methods: 'all',
        },
        connections: null,
      },
      {
        id: id('books/pageNeedsDetails'),
        caller: key('productpage'),
        targets: [web('details')],
        timeoutMs: null,
        idleMs: null,
        retry: null,
        connections: null,
      },
    ],
    patches: [
      {
        id: id('books/longStreams'),
        port: web('reviews'),
        direction: 'inbound',
        envoy: { min: '1.40.0', below: null },
        merge: { streamIdleTimeout: '900s', perConnectionBufferLimitBytes: 65_536 },
      },
      {
        id: id('books/quickConnect'),
        port: web('ratings'),
        direction: 'outbound',
        envoy: { min: null, below: '2.0.0' },
        merge: { connectTimeout: '0.250s' },
      },
    ],
  };
}
