import { objectName } from '../../../../core/bundle/objects';
import { digestOfJson, shortDigest } from '../../../../core/lib/digest';
import { allow, named, service } from '../../../../test/kit/declarations';
import { lowered } from '../../../../test/kit/layered-mesh';
import { outside } from '../../../../test/kit/outside-ir';
import { present } from '../../../../test/kit/present';
import { emitEnvoy } from '../index';

test('a host outside that is called like a service takes nothing of its name', () => {
  const ir = lowered({
    'books/shop': service('books/bookinfo', 'shop'),
    // a route about a caller gives that caller an object of its own, named after both
    'books/shopRoutes': {
      kind: 'route',
      on: { ref: 'books/shop', port: 'web' },
      rules: [{ when: { from: [named('books/productpage')] }, to: { kind: 'respond', status: 404 } }],
      otherwise: { to: { kind: 'target', to: { ref: 'books/shop', port: 'web' } } },
    },
    'books/pageShops': allow('books/shop', [named('books/productpage')]),
    'books/far': {
      kind: 'external',
      name: 'shop',
      team: 'books',
      hosts: ['shop.example'],
      ports: { web: { protocol: 'https', number: 443 } },
    },
    'books/pageShopsFar': allow('books/far', [named('books/productpage')]),
  });
  const { services, proxies } = present(emitEnvoy(ir).value);
  const names = services.map(objectName);
  expect(new Set(names).size).toBe(names.length);
  expect(present(proxies.find(({ spec }) => spec.workload === 'bookinfo/productpage')).spec.outbound.services).toEqual(
    expect.arrayContaining(['bookinfo/outside.shop.web+bookinfo.productpage', 'bookinfo/shop.web+bookinfo.productpage']),
  );
});
test('only the gateway knows where a host behind it is, and its door takes accounts of the mesh only', () => {
  const { services, proxies } = present(emitEnvoy(outside()).value);
  const behind = ['partner.example', 'rpc.example', 'store.example', 'cache.example'];
  for (const host of behind) {
    const dialling = [...services, ...proxies].filter((object) => new RegExp(`"address":"[a-z.]*${host}"`).test(JSON.stringify(object)));
    expect(dialling.map(objectName)).toEqual(['ProxyConfig/platform/egress']);
  }
  const [door] = present(proxies.find(({ spec }) => spec.workload === 'platform/egress')).spec.inbound.listeners;
  const chains = present(door)['filterChains'] as readonly {
    readonly filterChainMatch: { readonly serverNames: string[] };
    readonly transportSocket: unknown;
  }[]; // decoding: an emitted listener
  for (const { filterChainMatch, transportSocket } of chains) {
    expect(filterChainMatch.serverNames).toHaveLength(1);
    expect(transportSocket).toMatchObject({ typedConfig: { requireClientCertificate: true } });
  }
});
test('what names are kept in is called by all that is set there: Envoy refuses two of one name that are set otherwise', () => {
  const { services } = present(emitEnvoy(outside()).value);
  const caches = services.flatMap(({ spec }) =>
    spec.clusters.flatMap(({ name, clusterType }) => {
      const typed = (clusterType as { readonly typedConfig?: { readonly dnsCacheConfig?: { readonly name: string } } } | undefined)
        ?.typedConfig; // decoding: an emitted cluster
      return typed?.dnsCacheConfig ? [{ cluster: String(name), cache: typed.dnsCacheConfig }] : [];
    }),
  );
  expect(caches).not.toEqual([]);
  for (const { cluster, cache } of caches) {
    const { name, ...settings } = cache;
    expect(name).toBe(`${cluster} ${shortDigest(digestOfJson(settings))}`);
  }
});
