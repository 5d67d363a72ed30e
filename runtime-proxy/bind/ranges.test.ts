import { apiVersion, type ProxyConfig, type ServiceConfig } from '../../core/bundle/objects';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { portKey, workloadKey } from '../../core/mesh/ids';
import type { Instance } from '../inventory';
import { bindOutbound } from './bind';
import { addressesOfMesh, rangeChains } from './ranges';

const prefixes = (networks: readonly string[]) =>
  networks.map((network) => ({ addressPrefix: network.replace(/\/.*/, ''), prefixLen: Number(network.replace(/.*\//, '')) }));
const nowhere = { sourcePrefixRanges: prefixes(['255.255.255.255/32']) };
const port = (name: string) => portKey(workloadKey('outside', name), 'it');
/** As emission has it: a chain for the ranges, and one that takes nothing for what is within them. */
const calls = (name: string, number: number, ranges: readonly string[], within: readonly string[] = []): ServiceConfig => ({
  apiVersion,
  kind: 'ServiceConfig',
  metadata: { namespace: 'shop', name: `outside.${name}.it+shop.page` },
  spec: {
    ...{ port: port(name), envoyRange: { min: '1.36.2', below: '1.41.0' }, virtualHost: null, clusters: [], endpoints: [] },
    listeners: [
      {
        name: `outbound/${port(name)}`,
        address: { socketAddress: { address: 'meshwright.bind', namedPort: `outbound/${port(name)}` } },
        filterChains: [
          ...(ranges.length === 0
            ? []
            : [{ name: `${port(name)}:${number}`, filterChainMatch: { prefixRanges: prefixes(ranges) }, filters: [{ name: 'tcp' }] }]),
          { name: `nobody:${number}`, filterChainMatch: { prefixRanges: prefixes(within), ...nowhere } },
        ],
      },
    ],
  },
});
const shown = (chains: ReturnType<typeof rangeChains>) =>
  JSON.parse(JSON.stringify(chains)).map(
    (chain: {
      name: string;
      filters?: unknown;
      filterChainMatch: { destinationPort: number; prefixRanges: ReturnType<typeof prefixes>; sourcePrefixRanges?: unknown };
    }) => {
      const { destinationPort, prefixRanges, sourcePrefixRanges } = chain.filterChainMatch;
      // a chain takes what comes, or has a source that nothing comes from
      expect(chain.filters === undefined).toBe(sourcePrefixRanges !== undefined);
      return [chain.name, destinationPort, prefixRanges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen}`)];
    },
  );

test('each range is at the number of its port, and what of another is callable is served', () => {
  const services = [
    calls('wide', 80, ['10.0.0.0/8'], ['10.1.0.0/16', '10.2.0.0/16']),
    calls('narrow', 80, ['10.1.0.0/16']),
    calls('other', 81, ['10.0.0.0/8']),
  ];
  expect(shown(rangeChains(services, new Set(), []))).toEqual([
    ['outside/wide.it:80', 80, ['10.0.0.0/8']],
    ['outside/narrow.it:80', 80, ['10.1.0.0/16']],
    ['nobody:80', 80, ['10.2.0.0/16']],
    ['outside/other.it:81', 81, ['10.0.0.0/8']],
  ]);
});
test('an address of the mesh is in no range, were it the whole range', () => {
  const services = [calls('wide', 80, ['10.0.0.0/8', '10.0.0.4/32']), calls('one', 80, ['10.0.0.5/32'])];
  const ofMesh = addressesOfMesh({
    instances: [
      { id: 'a', workload: workloadKey('shop', 'a'), app: {}, inbound: { web: { host: '10.0.0.4', port: 1 } } },
      // what a pod's author writes takes nobody's range away
      { id: 'b', workload: workloadKey('shop', 'b'), app: {}, inbound: {}, listeners: { web: { host: '10.0.0.9', port: 1 } } },
      { id: 'c', workload: workloadKey('shop', 'c'), app: {}, inbound: {}, eastWest: { host: '10.0.0.9', port: 1 } },
      { id: 'd', workload: workloadKey('shop', 'd'), app: {}, inbound: { web: { host: 'a.name', port: 1 } } },
    ],
    virtual: {
      [portKey(workloadKey('shop', 'a'), 'web')]: [{ host: '10.0.0.7', port: 1 }],
      [portKey(workloadKey('shop', 'b'), 'web')]: [{ host: '192.0.2.7', port: 1 }],
    },
    alsoOfMesh: ['10.0.0.5', '::ffff:10.0.0.6', '192.0.2.8'],
  });
  expect(shown(rangeChains(services, new Set(), ofMesh))).toEqual([
    ['outside/wide.it:80', 80, ['10.0.0.0/8']],
    ['nobody:80', 80, ['10.0.0.4/32', '10.0.0.5/32', '10.0.0.6/32', '10.0.0.7/32']],
  ]);
});
test('at a number where a name says what is meant no range stands: Envoy would refuse both, or take one for the other', () => {
  expect(rangeChains([calls('wide', 80, ['10.0.0.0/8'])], new Set([80]), [])).toEqual([]);
});
test('what only refuses adds no chain: without one the connection is closed as well', () => {
  expect(rangeChains([calls('shut', 80, [], ['10.0.0.0/8'])], new Set(), [])).toEqual([]);
});

describe('an instance whose connections are not captured', () => {
  const proxy: ProxyConfig = {
    apiVersion,
    kind: 'ProxyConfig',
    metadata: { namespace: 'shop', name: 'page' },
    spec: {
      ...{ workload: workloadKey('shop', 'page'), principal: 'spiffe://a/ns/shop/sa/page', proved: true },
      envoyRange: { min: '1.36.2', below: '1.41.0' },
      inbound: { listeners: [], routes: [], clusters: [] },
      outbound: { listeners: [], routes: [], catchAll: { name: 'none', domains: ['*'], routes: [] }, services: [] },
    },
  } as unknown as ProxyConfig; // what binding reads of one
  const instance: Instance = {
    id: 'page-1',
    workload: workloadKey('shop', 'page'),
    app: {},
    inbound: {},
    outbound: { host: '127.0.0.1', port: 1 },
  };
  const bound = (more: Partial<Instance>, service: ServiceConfig) => {
    const into: Diagnostic[] = [];
    const { listeners } = bindOutbound(proxy, [service], { ...instance, ...more }, into);
    return [into.map(({ code, message }) => [code, message.includes('outside/wide.it')]), listeners.map(({ name }) => name)];
  };
  const wide = calls('wide', 80, ['10.0.0.0/8']);
  test('cannot say an address, and hears so', () => {
    expect(bound({}, wide)).toEqual([[['MW9011', true]], []]);
    // an address of its own for the port does not help: what it dials is that
    expect(bound({ outboundPorts: { [port('wide')]: { host: '127.0.0.1', port: 2 } } }, wide)).toEqual([[['MW9011', true]], []]);
  });
  test('on Kubernetes what a pod does not place is not called from there', () => {
    expect(bound({ outboundAsPlaced: true }, wide)).toEqual([[], []]);
  });
  test('who is denied lacks nothing', () => {
    expect(bound({}, calls('wide', 80, [], ['10.0.0.0/8']))).toEqual([[], []]);
  });
});
