import type { ProxyConfig, ServiceConfig } from '../../../core/bundle/objects';
import type { MeshIr, Patch } from '../../../core/ir/ir';
import type { Json, JsonObject } from '../../../core/lib/json';
import { canonicalJson } from '../../../core/lib/json';
import type { RuleId } from '../../../core/mesh/ids';
import { bookinfo, key, web } from '../../../test/kit/bookinfo-ir';
import { features } from '../../../test/kit/features-ir';
import { generateMesh } from '../../../test/kit/mesh-generator';
import { emitEnvoy } from './index';

const codes = (ir: MeshIr): readonly string[] => emitEnvoy(ir).diagnostics.map((d) => `${d.code} ${d.severity}: ${d.message}`);
function emitted(ir: MeshIr): { readonly services: readonly ServiceConfig[]; readonly proxies: readonly ProxyConfig[] } {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((d) => d.message).join('\n'));
  return value;
}
const patch = (over: Partial<Patch>): MeshIr => ({
  ...bookinfo(),
  patches: [{ id: 'books/p' as RuleId, port: web('ratings'), direction: 'inbound', envoy: { min: null, below: null }, merge: {}, ...over }],
});
const withRating = (change: (ir: MeshIr) => Partial<MeshIr>): MeshIr => ({ ...bookinfo(), ...change(bookinfo()) });

describe('what cannot be emitted is said, and then there is no value', () => {
  const cases: readonly (readonly [string, MeshIr, string])[] = [
    [
      'a field that Envoy does not have',
      patch({ merge: { streamIdleTimeouts: '5s' } }),
      'MW5001 error: patch `books/p` sets `streamIdleTimeouts`, which no inbound message of Envoy has',
    ],
    [
      'a value that does not fit',
      patch({ merge: { streamIdleTimeout: 5 } }),
      'MW5002 error: patch `books/p` gives `streamIdleTimeout` a value that does not fit: ',
    ],
    [
      'a field that carries identity',
      patch({ direction: 'outbound', merge: { transportSocket: {} } }),
      'MW5003 error: patch `books/p` sets `transportSocket`, which carries identity, access or addressing',
    ],
    ['the filters themselves', patch({ merge: { http_filters: [] } }), 'MW5003 error: patch `books/p` sets `http_filters`'],
    [
      'a patch for another Envoy',
      patch({ envoy: { min: null, below: '1.40.0' } }),
      'MW5005 error: patch `books/p` is for Envoy below 1.40.0, and the mesh runs 1.40.0',
    ],
    ['another Envoy', withRating(() => ({ runs: { envoy: '1.29.1' } })), 'MW5006 error: the mesh says it runs Envoy `1.29.1`'],
    [
      'an Envoy that is no version',
      withRating(() => ({ runs: { envoy: 'latest' } })),
      'MW5006 error: the mesh says it runs Envoy `latest`',
    ],
    [
      'a denial by regex',
      withRating((ir) => ({
        access: ir.access.map((rule) =>
          rule.action === 'deny' ? { ...rule, headers: [{ name: 'x-client', match: { kind: 'regex', value: 'b.t' } }] } : rule,
        ),
      })),
      'MW5007 error: rule `books/noBots` denies by a regular expression on header `x-client`',
    ],
    [
      'a cookie by a regex that reads on',
      withRating((ir) => ({
        routes: ir.routes.map((table) => ({
          ...table,
          rules: table.rules.map((rule) =>
            rule.match ? { ...rule, match: { ...rule.match, cookies: [{ name: 's', match: { kind: 'regex', value: '\\S+' } }] } } : rule,
          ),
        })),
      })),
      'MW5008 error: route rule `books/reviewsRoutes.rules.0` matches cookie `s` by regular expression',
    ],
    [
      'a body that is too long',
      withRating((ir) => ({
        routes: ir.routes.map((table) => ({
          ...table,
          rules: table.rules.map((rule) =>
            rule.action.kind === 'respond' ? { ...rule, action: { ...rule.action, body: 'é'.repeat(2_049) } } : rule,
          ),
        })),
      })),
      'MW5009 error: route rule `books/reviewsRoutes.rules.1` responds with a body of 4098 bytes; 4096 is the most',
    ],
    [
      'a retry condition that is none',
      withRating((ir) => ({
        routes: ir.routes.map((table) => ({
          ...table,
          rules: table.rules.map((rule) =>
            rule.action.kind === 'forward' && rule.action.retry
              ? { ...rule, action: { ...rule.action, retry: { ...rule.action.retry, on: ['sometimes'] } } }
              : rule,
          ),
        })),
      })),
      'MW5010 error: `books/reviewsRoutes.otherwise` retries on `sometimes`, which Envoy does not have',
    ],
    [
      'an adoption that is not carried',
      withRating((ir) => ({ namespaces: ir.namespaces.map((namespace) => ({ ...namespace, adoption: 'shadow' })) })),
      'MW5014 error: namespace bookinfo is adopted as `shadow`',
    ],
    [
      'a host that is a pattern',
      withRating((ir) => ({ access: ir.access.map((rule) => (rule.hosts.length > 0 ? { ...rule, hosts: ['*.example'] } : rule)) })),
      'MW5015 error: rule `books/adminFromShopOnly` names the host `*.example`',
    ],
    [
      'a server name inside of what is passed on',
      withRating((ir) => ({
        services: ir.services.map((service) => ({ ...service, ports: service.ports.map((port) => ({ ...port, layer: 'tls' as const })) })),
        routes: [],
        connectionRoutes: ir.services.flatMap(({ ports }) =>
          ports.map(({ key }) => ({
            ...{ id: null, port: key },
            rules: [{ id: `${key}.default` as RuleId, match: null, to: [{ port: key, version: null, weight: 100 }], idleMs: 1000 }],
          })),
        ),
      })),
      'MW5070 error: rule `books/adminFromShopOnly` asks for a server name at bookinfo/',
    ],
  ];
  test.each(cases)('%s', (_, ir, words) => {
    expect(codes(ir)).toContainEqual(expect.stringContaining(words));
    expect(emitEnvoy(ir).value).toBeUndefined();
  });
});

describe('what is emitted with a warning', () => {
  test('a patch outside the list marks the proxy unproved, one on it does not', () => {
    const unproved = patch({ merge: { via: 'me' } });
    expect(codes(unproved)).toEqual([
      'MW5004 warning: patch `books/p` sets `via` of bookinfo/ratings.web, which is not on the list of safe fields: guarantees about it no longer hold',
    ]);
    const proved = (ir: MeshIr): { readonly [workload: string]: boolean } =>
      Object.fromEntries(emitted(ir).proxies.map((proxy) => [proxy.spec.workload, proxy.spec.proved]));
    expect(proved(unproved)).toMatchObject({ [key('ratings')]: false, [key('reviews')]: true });
    expect(proved(patch({ merge: { streamIdleTimeout: '5s' } }))).toMatchObject({ [key('ratings')]: true });
    expect(proved(patch({ direction: 'outbound', merge: { lbPolicy: 'RANDOM' } }))).toMatchObject({
      [key('ratings')]: true,
      [key('reviews')]: false,
    });
  });
  test('a patch reaches every HTTP filter chain of its port and nothing else', () => {
    const text = (ir: MeshIr, name: string): string =>
      canonicalJson(emitted(ir).proxies.find((proxy) => proxy.spec.workload === key(name))?.spec.inbound);
    const patched = patch({ merge: { stream_idle_timeout: '7s', perConnectionBufferLimitBytes: 1_000 } });
    expect(text(patched, 'ratings')).toContain('"streamIdleTimeout":"7s"');
    expect(text(patched, 'ratings')).toContain('"perConnectionBufferLimitBytes":1000');
    expect(text(patched, 'reviews')).toBe(text(bookinfo(), 'reviews'));
  });
});

describe('the objects of a mesh fit together', () => {
  const strings = (value: Json | undefined, field: string): readonly string[] => {
    if (Array.isArray(value)) return value.flatMap((inner) => strings(inner, field));
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value as JsonObject).flatMap(([name, inner]) =>
      name === field && typeof inner === 'string' ? [inner] : strings(inner, field),
    ); // neither null nor a list
  };
  const names = (resources: readonly JsonObject[]): readonly string[] => resources.map((resource) => String(resource['name']));
  const meshes: readonly (readonly [string, MeshIr])[] = [
    ['features', features()],
    ...[1, 2, 3, 4, 5, 6].map((seed) => [`seed ${seed}`, generateMesh(seed, 10)] as const),
  ];

  test.each(meshes)('%s', (_, ir) => {
    const { services, proxies } = emitted(ir);
    const byName = new Map(services.map((service) => [`${service.metadata.namespace}/${service.metadata.name}`, service]));
    const clusters = new Map<string, string>();
    for (const service of services) {
      for (const cluster of service.spec.clusters) {
        const name = String(cluster['name']);
        const bytes = canonicalJson(cluster);
        expect([name, clusters.get(name) ?? bytes]).toEqual([name, bytes]); // one name, one meaning
        clusters.set(name, bytes);
      }
      // but what is found by a name of somebody else's, or by the name that a request says
      const told = service.spec.clusters.filter(
        ({ loadAssignment, clusterType }) => loadAssignment === undefined && clusterType === undefined,
      );
      expect(service.spec.endpoints.map((selector) => selector.cluster)).toEqual(names(told));
      const routedTo = new Set(
        [service.spec.virtualHost, [...(service.spec.listeners ?? [])]].flatMap((part) => [...strings(part, 'cluster'), ...weighted(part)]),
      );
      for (const cluster of routedTo) expect(names(service.spec.clusters)).toContain(cluster);
    }
    for (const { spec } of proxies) {
      const called = spec.outbound.services.map((name) => byName.get(name));
      expect(called).not.toContain(undefined);
      const held = new Set(called.flatMap((service) => names(service?.spec.clusters ?? [])));
      const routes = new Set([
        ...names(spec.inbound.routes),
        ...names(spec.outbound.routes),
        ...(spec.outbound.catchAll ? ['outbound'] : []),
      ]);
      for (const name of strings([...spec.inbound.listeners, ...spec.outbound.listeners], 'routeConfigName'))
        expect([...routes]).toContain(name);
      for (const cluster of [...strings([...spec.outbound.routes], 'cluster'), ...weighted([...spec.outbound.routes])])
        expect([...held]).toContain(cluster);
      for (const cluster of strings([...spec.inbound.routes, ...spec.inbound.listeners], 'cluster'))
        expect(names(spec.inbound.clusters)).toContain(cluster);
    }
  });
  const weighted = (value: Json): readonly string[] => {
    if (Array.isArray(value)) return value.flatMap(weighted);
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value as JsonObject).flatMap(([name, inner]) =>
      name === 'weightedClusters' ? strings(inner, 'name') : weighted(inner),
    ); // neither null nor a list
  };
});
