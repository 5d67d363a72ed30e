/** Capture of what leaves the mesh: listeners as they are emitted for hosts outside. */
import { emitEnvoy } from '../../compiler/emit/envoy';
import { canonicalJson } from '../../core/lib/json';
import { workloadKey } from '../../core/mesh/ids';
import { outside } from '../kit/outside-ir';
import { present } from '../kit/present';
import type { Instance } from '../../runtime-proxy/inventory';
import { bindOutbound, unbind } from '../../runtime-proxy/bind/bind';

const { services, proxies } = present(emitEnvoy(outside()).value);
const page = present(proxies.find(({ spec }) => spec.workload === 'bookinfo/productpage'));
const own = services.filter(({ metadata }) => page.spec.outbound.services.includes(`${metadata.namespace}/${metadata.name}`));
const captured: Instance = {
  ...{ id: 'page-1', workload: workloadKey('bookinfo', 'productpage'), app: {}, inbound: {} },
  capture: { inbound: { host: '0.0.0.0', port: 15_006 }, outbound: { host: '127.0.0.1', port: 15_005 } },
};
const bound = bindOutbound(page, own, captured, []).listeners;
interface Shape {
  readonly filterChains: readonly {
    readonly name: string;
    readonly filterChainMatch?: { readonly serverNames?: string[]; readonly destinationPort?: number };
  }[];
  readonly listenerFilters: readonly { readonly name: string; readonly filterDisabled?: unknown }[];
}
const shapeOf = (name: string): Shape => JSON.parse(JSON.stringify(present(bound.find((one) => one.name === name)).json));

test('TLS is known by number and name, HTTP by number, a host that is an address by that', () => {
  expect(bound.map(({ name }) => name)).toEqual(['capture/outbound', 'capture/outbound/outside/ledger.it']);
  const { filterChains } = shapeOf('capture/outbound');
  expect(
    filterChains.map(({ name, filterChainMatch }) => [name, filterChainMatch?.destinationPort, filterChainMatch?.serverNames]),
  ).toEqual([
    // a host outside without a number is asked for at 80
    ['http/80', 80, undefined],
    ['http/443', 443, undefined],
    ['http/9080', 9080, undefined],
    ['a.store.example:8443', 8443, ['a.store.example']],
    ['b.store.example:8443', 8443, ['b.store.example']],
    // the rules of the caller let it into one of the two, and no gateway will say so
    ['a.vault.example:8443', 8443, ['a.vault.example']],
    ['outside/fleet.it:3306', 3306, undefined],
    ['nobody:3306', 3306, undefined],
  ]);
  expect(present(bound.find(({ name }) => name.endsWith('ledger.it'))).json).toMatchObject({
    address: { socketAddress: { address: '192.0.2.7', portValue: 5432 } },
    bindToPort: false,
  });
});
test('names are read at the numbers of TLS only: elsewhere a server may speak first', () => {
  expect(shapeOf('capture/outbound').listenerFilters).toMatchObject([
    { name: 'envoy.filters.listener.original_dst' },
    { name: 'envoy.filters.listener.tls_inspector', filterDisabled: { notMatch: { destinationPortRange: { start: 8443, end: 8444 } } } },
  ]);
});
test('undoing it gives the signed bytes', () => {
  const signed = new Map(
    [...page.spec.outbound.listeners, ...own.flatMap(({ spec }) => spec.listeners ?? [])].map((one) => [one['name'], one]),
  );
  for (const one of bound) {
    const { name, ...rest } = unbind(one);
    expect(canonicalJson({ name, ...rest })).toBe(canonicalJson(present(signed.get(name))));
  }
});
test('ranges are known by number and address, and what is within them of others leads nowhere', () => {
  const chains = shapeOf('capture/outbound').filterChains.filter(({ filterChainMatch }) => filterChainMatch?.destinationPort === 3306);
  const prefix = (addressPrefix: string, prefixLen: number) => ({ addressPrefix, prefixLen });
  expect(chains).toMatchObject([
    {
      name: 'outside/fleet.it:3306',
      filterChainMatch: { prefixRanges: [prefix('198.51.100.0', 24), prefix('2001:db8:0:0:0:0:0:0', 48)] },
      filters: [{ name: 'envoy.filters.network.tcp_proxy' }],
    },
    {
      name: 'nobody:3306',
      filterChainMatch: { prefixRanges: [prefix('198.51.100.64', 26)], sourcePrefixRanges: [prefix('255.255.255.255', 32)] },
    },
  ]);
});
