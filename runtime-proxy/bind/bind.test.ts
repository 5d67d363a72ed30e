import * as fc from 'fast-check';
import type { ProxyConfig, ServiceConfig } from '../../core/bundle/objects';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { canonicalJson, type JsonObject } from '../../core/lib/json';
import { portKey, principalOf, workloadKey } from '../../core/mesh/ids';
import type { Address, Instance, Inventory } from '../inventory';
import { bindAddresses, symbolHost, unbindAddresses } from './addresses';
import { bindInbound, bindOutbound, unbind } from './bind';
import { captureInbound } from './capture';
import { hostsIn, loadAssignment } from './endpoints';

const at = (port: number, host = '127.0.0.1') => ({ host, port });
const reviews = workloadKey('shop', 'reviews');
const web = portKey(reviews, 'web');
const instance: Instance = {
  id: 'page-1',
  workload: workloadKey('shop', 'page'),
  app: { web: at(1) },
  inbound: { web: at(2) },
  outbound: at(3),
  listeners: { https: at(4) },
};
const symbol = (namedPort: string): JsonObject => ({ socketAddress: { address: symbolHost, namedPort, ipv4Compat: false } });

describe('addresses', () => {
  test('each symbol takes the address of its kind', () => {
    const { json, missing } = bindAddresses({ a: ['inbound/web', 'app/web', 'outbound', 'listener/https'].map(symbol) }, instance);
    expect(missing).toEqual([]);
    expect(json).toEqual({
      a: [2, 1, 3, 4].map((portValue) => ({ socketAddress: { address: '127.0.0.1', portValue, ipv4Compat: false } })),
    });
  });
  test('what the instance has no address for is named, names of every object among it', () => {
    expect(bindAddresses({ a: symbol('inbound/constructor'), b: symbol('app/admin'), c: symbol('nonsense') }, instance).missing).toEqual([
      'inbound/constructor',
      'app/admin',
      'nonsense',
    ]);
  });
  test('undoing the binding gives the signed bytes, whatever the object', () => {
    const leaf = fc.oneof(
      fc.constantFrom('inbound/web', 'app/web', 'outbound', 'listener/https').map(symbol),
      fc.constant({ address: '127.0.0.1', portValue: 2 }),
      fc.jsonValue({ maxDepth: 1 }),
    );
    const tree = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'address', 'namedPort', 'socketAddress'), tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('x', 'y'), tree), (value) => {
        const resource: JsonObject = JSON.parse(JSON.stringify(value));
        const { json, bound, missing } = bindAddresses(resource, instance);
        if (missing.length > 0) return;
        expect(canonicalJson(unbindAddresses(json, bound))).toBe(canonicalJson(resource));
        expect(
          JSON.stringify(json).includes(symbolHost) &&
            bound.length > 0 &&
            JSON.stringify(resource).split(symbolHost).length - 1 === bound.length,
        ).toBe(false);
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});

describe('a proxy', () => {
  const meta = { apiVersion: 'meshwright.dev/v1alpha1', metadata: { namespace: 'shop', name: 'x' } } as const;
  const envoyRange = { min: '1.36.0', below: '1.41.0' };
  const proxy = (workload: string): ProxyConfig => ({
    ...meta,
    kind: 'ProxyConfig',
    spec: {
      workload: workload as ProxyConfig['spec']['workload'],
      principal: principalOf('mesh.test', 'shop', 'page'),
      envoyRange,
      proved: true,
      inbound: {
        listeners: [{ name: 'inbound/shop/page.web', address: symbol('inbound/web') }],
        routes: [{ name: 'inbound/shop/page.web' }],
        clusters: [{ name: 'app/web', a: symbol('app/web') }],
      },
      outbound: {
        listeners: [{ name: 'outbound', address: symbol('outbound') }],
        routes: [],
        catchAll: { name: 'none', domains: ['*'] },
        services: ['shop/reviews.web'],
      },
    },
  });
  const service: ServiceConfig = {
    ...meta,
    kind: 'ServiceConfig',
    spec: {
      port: web,
      envoyRange,
      virtualHost: { name: web, domains: ['reviews.shop:9080', 'reviews:9080', 'reviews', 'reviews.shop.svc.cluster.local:9080'] },
      clusters: [{ name: web }],
      endpoints: [{ cluster: web, port: web, version: null }],
    },
  };
  test('its outbound route configuration is what it may call, then the catch-all', () => {
    const into: Diagnostic[] = [];
    const { routes, clusters, endpoints } = bindOutbound(proxy('shop/page'), [service], instance, into);
    expect(into).toEqual([]);
    expect(routes.map((route) => route.json)).toEqual([
      { name: 'outbound', virtualHosts: [service.spec.virtualHost, { name: 'none', domains: ['*'] }] },
    ]);
    expect([clusters.map((one) => one.name), endpoints]).toEqual([[web], service.spec.endpoints]);
  });
  test('short host names mean something at home only', () => {
    const [route] = bindOutbound(proxy('books/page'), [service], instance, []).routes;
    expect(route?.json['virtualHosts']).toMatchObject([{ domains: ['reviews.shop:9080', 'reviews.shop.svc.cluster.local:9080'] }, {}]);
  });
  describe('whose connections are captured', () => {
    const captured: Instance = {
      ...instance,
      capture: { inbound: { host: '0.0.0.0', port: 15006 }, outbound: { host: '127.0.0.1', port: 15005 } },
    };
    const { outbound: _explicit, ...onlyCaptured } = captured;
    const chain = { name: 'http', filters: [{ name: 'x' }] };
    const db = portKey(workloadKey('shop', 'db'), 'pg');
    const calling: ProxyConfig = {
      ...proxy('shop/page'),
      spec: {
        ...proxy('shop/page').spec,
        outbound: {
          ...proxy('shop/page').spec.outbound,
          listeners: [
            { name: 'outbound', address: symbol('outbound'), filterChains: [chain], listenerFilters: [{ name: 'y' }] },
            { name: `outbound/${db}`, address: symbol(`outbound/${db}`), filterChains: [chain] },
          ],
        },
      },
    };
    const virtual = { [db]: [at(5432, '10.96.0.7'), at(5432, 'fd00::7')] };
    test('what arrives is handed to the listener at its address, and what none is at to nobody', () => {
      const { listeners } = bindInbound(calling, captured, []);
      expect(listeners.map(({ json }) => [json['name'], json['bindToPort'], json['useOriginalDst']])).toEqual([
        ['inbound/shop/page.web', false, undefined],
        [captureInbound, undefined, true],
      ]);
      expect(listeners[1]?.json).toMatchObject({
        filterChains: [{ filterChainMatch: { prefixRanges: [{ addressPrefix: '255.255.255.255' }] } }],
      });
    });
    test('what leaves is known by port number where names decide, and by address where they do not', () => {
      const { listeners } = bindOutbound(calling, [service], onlyCaptured, [], virtual);
      expect(listeners.map(({ json }) => json)).toMatchObject([
        {
          name: 'capture/outbound',
          address: { socketAddress: { address: '127.0.0.1', portValue: 15005 } },
          useOriginalDst: true,
          listenerFilters: [{ name: 'envoy.filters.listener.original_dst' }, { name: 'y' }],
          filterChains: [{ name: 'http/9080', filterChainMatch: { destinationPort: 9080 }, filters: chain.filters }],
        },
        {
          name: `capture/outbound/${db}`,
          address: { socketAddress: { address: '10.96.0.7', portValue: 5432 } },
          additionalAddresses: [{ address: { socketAddress: { address: 'fd00::7', portValue: 5432 } } }],
          bindToPort: false,
        },
      ]);
    });
    test('a port without virtual addresses has no listener, and explicit addresses stay beside capture', () => {
      const names = (of: Instance): readonly string[] => bindOutbound(calling, [service], of, []).listeners.map(({ name }) => name);
      expect(names(onlyCaptured)).toEqual(['capture/outbound']);
      expect(names({ ...captured, outboundPorts: { [db]: at(9) } })).toEqual(['outbound', 'capture/outbound', `outbound/${db}`]);
    });
    test('who calls nobody by name has no routes: no listener would ask for them, and what nobody asks for is never in force', () => {
      const routes = (of: Instance, services: readonly ServiceConfig[]) =>
        bindOutbound(calling, services, of, []).routes.map(({ name }) => name);
      expect(routes(onlyCaptured, [])).toEqual([]);
      expect([routes(onlyCaptured, [service]), routes(captured, [])]).toEqual([['outbound'], ['outbound']]);
    });
    test('a host outside is not known by an address of the mesh, nor of the instance: Envoy would refuse two listeners there', () => {
      const outside = (host: string, number: number): ServiceConfig => {
        const port = portKey(workloadKey('outside', 'store'), 'it');
        const filterChains = [{ name: `${host}:${number}`, filters: chain.filters }];
        const listeners = [{ name: `outbound/${port}`, address: symbol(`outbound/${port}`), filterChains }];
        return { ...service, spec: { ...service.spec, port, virtualHost: null, clusters: [], endpoints: [], listeners } };
      };
      const of = (host: string, number: number) =>
        bindOutbound(calling, [service, outside(host, number)], onlyCaptured, [], virtual).listeners.map(({ json }) => json['name']);
      const [own] = Object.values(onlyCaptured.inbound);
      expect(of('192.0.2.7', 5432)).toEqual(['capture/outbound', `capture/outbound/${db}`, 'capture/outbound/outside/store.it']);
      expect(of('10.96.0.7', 5432)).toEqual(['capture/outbound', `capture/outbound/${db}`]);
      expect(of('fd00::7', 5433)).toEqual(['capture/outbound', `capture/outbound/${db}`, 'capture/outbound/outside/store.it']);
      expect(of(own?.host ?? '', own?.port ?? 0)).toEqual(['capture/outbound', `capture/outbound/${db}`]);
    });
    test('nor is a port of the mesh, where the instance itself is called', () => {
      const [own] = Object.values(onlyCaptured.inbound);
      const known = (more: readonly Address[]) =>
        bindOutbound(calling, [service], onlyCaptured, [], { [db]: [...(own ? [own] : []), ...more] }).listeners.map(
          ({ json }) => json['name'],
        );
      expect(known([])).toEqual(['capture/outbound']);
      expect(known([at(5432)])).toEqual(['capture/outbound', `capture/outbound/${db}`]);
    });
    test('a port that nobody placed is a fault, but where only what is placed is called', () => {
      const of = (over: Partial<Instance>): readonly [readonly string[], readonly string[]] => {
        const into: Diagnostic[] = [];
        const { listeners } = bindOutbound(calling, [service], { ...instance, ...over }, into);
        return [listeners.map(({ name }) => name), into.map(({ code }) => code)];
      };
      expect(of({})).toEqual([['outbound', `outbound/${db}`], ['MW9001']]);
      expect(of({ outboundAsPlaced: true })).toEqual([['outbound'], []]);
      expect(of({ outboundAsPlaced: true, outboundPorts: { [db]: at(9) } })).toEqual([['outbound', `outbound/${db}`], []]);
    });
    test('undoing it gives the signed bytes', () => {
      const into: Diagnostic[] = [];
      const bound = [
        ...bindInbound(calling, captured, into).listeners.filter(({ name }) => name !== captureInbound),
        ...bindOutbound(calling, [service], onlyCaptured, into, virtual).listeners,
      ];
      expect(into).toEqual([]);
      const signed = [...calling.spec.inbound.listeners, ...calling.spec.outbound.listeners];
      expect(bound.map((one) => canonicalJson(unbind(one)))).toEqual(signed.map((one) => canonicalJson(one)));
    });
  });
  test('a port that the inventory does not place is a diagnostic', () => {
    const into: Diagnostic[] = [];
    bindInbound(proxy('shop/page'), { ...instance, inbound: {} }, into);
    expect(into.map(({ code, message }) => [code, message])).toEqual([
      ['MW9001', 'the inventory gives `page-1` of `shop/page` no address for `inbound/web`'],
    ]);
  });
});

describe('endpoints', () => {
  const of = (id: string, version: string, zone?: string): Instance => ({
    id,
    workload: reviews,
    version,
    ...(zone ? { zone } : {}),
    app: {},
    inbound: { web: at(id.charCodeAt(0)) },
  });
  const inventory: Inventory = {
    instances: [of('b', 'v1', 'z2'), of('a', 'v2', 'z1'), of('c', 'v1'), { ...of('d', 'v1'), workload: workloadKey('shop', 'other') }],
  };
  const ports = (version: string | null, out: readonly string[] = []): unknown =>
    loadAssignment({ cluster: 'x', port: web, version }, inventory, (instance) => !out.includes(instance.id), null)['endpoints'];
  test('every instance of the service, by zone and in order', () => {
    const endpoint = (id: string): JsonObject => ({
      endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: id.charCodeAt(0) } } },
    });
    expect(ports(null)).toEqual([
      { lbEndpoints: [endpoint('c')] },
      { locality: { zone: 'z1' }, lbEndpoints: [endpoint('a')] },
      { locality: { zone: 'z2' }, lbEndpoints: [endpoint('b')] },
    ]);
  });
  test('a version takes its own only, and who does not serve is left out', () => {
    expect(hostsIn({ endpoints: ports('v1') as never })).toBe(2);
    expect(hostsIn({ endpoints: ports('v1', ['b']) as never })).toBe(1);
    expect(hostsIn({ endpoints: ports('v9') as never })).toBe(0);
  });
  test('each proxy gets them in the order of its own place, and what the inventory says of them', () => {
    const at = (id: string, where: Partial<Instance>): Instance => ({ ...of(id, 'v1'), ...where });
    const placed: Inventory = {
      instances: [
        at('a', { region: 'eu', zone: 'a' }),
        at('b', { region: 'eu', zone: 'b', weight: 3, health: 'degraded' }),
        at('c', { region: 'us', zone: 'x' }),
        at('d', { region: 'eu', zone: 'a', priority: 1 }),
      ],
    };
    const selector = { cluster: 'x', port: web, version: null, locality: { kind: 'prefer', nearness: 'zone', failover: [] } } as const;
    const seen = (caller: Partial<Instance> | null): unknown =>
      loadAssignment(selector, placed, () => true, caller && { ...instance, ...caller })['endpoints'];
    const host = (id: string): JsonObject => ({
      endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue: id.charCodeAt(0) } } },
    });
    const [a, b, c, d] = [
      { locality: { region: 'eu', zone: 'a' }, lbEndpoints: [host('a')] },
      { locality: { region: 'eu', zone: 'b' }, lbEndpoints: [{ ...host('b'), loadBalancingWeight: 3, healthStatus: 'DEGRADED' }] },
      { locality: { region: 'us', zone: 'x' }, lbEndpoints: [host('c')] },
      { locality: { region: 'eu', zone: 'a' }, lbEndpoints: [host('d')] },
    ];
    expect(seen({ region: 'eu', zone: 'b' })).toEqual([b, { ...a, priority: 1 }, { ...c, priority: 2 }, { ...d, priority: 3 }]);
    expect(seen({ region: 'us', zone: 'x' })).toEqual([c, { ...a, priority: 1 }, { ...b, priority: 1 }, { ...d, priority: 2 }]);
    expect(seen(null)).toEqual([a, b, c, { ...d, priority: 1 }]);
  });
});
