import { portKey, workloadKey } from '../../core/mesh/ids';
import type { Instance, Inventory } from '../inventory';
import { loadAssignment, type Serves } from './endpoints';

const reviews = workloadKey('shop', 'reviews');
const web = portKey(reviews, 'web');
const crossing = workloadKey('mesh', 'crossing');
const one = (id: string, network: string, over: Partial<Instance> = {}): Instance => ({
  id,
  workload: reviews,
  network,
  app: {},
  inbound: { web: { host: '10.0.0.1', port: id.charCodeAt(0) } },
  ...over,
});
const door = (id: string, network: string, host: string, over: Partial<Instance> = {}): Instance => ({
  id,
  workload: crossing,
  network,
  app: {},
  inbound: {},
  listeners: { 'east-west': { host, port: 15443 } },
  ...over,
});
const inventory: Inventory = {
  instances: [
    one('a', 'east'),
    one('b', 'west'),
    one('c', 'west', { weight: 2 }),
    door('d', 'west', '10.9.0.1', { zone: 'w1', eastWest: { host: '203.0.113.7', port: 443 } }),
  ],
};
const selector = { cluster: 'x', port: web, version: null, across: [crossing] };
const seen = (network: string | undefined, over: object = {}, instances = inventory.instances, serves: Serves = () => true): unknown => {
  const caller = network === undefined ? null : one('p', network, { workload: workloadKey('shop', 'page') });
  const { endpoints } = loadAssignment({ ...selector, ...over }, { instances }, serves, caller);
  const list = endpoints as readonly {
    readonly priority?: number;
    readonly lbEndpoints: readonly { readonly loadBalancingWeight?: number }[];
  }[];
  return list.flatMap(({ priority = 0, lbEndpoints }) =>
    lbEndpoints.map((found) => {
      const { host, port } = addressIn(JSON.parse(JSON.stringify(found)));
      return `${priority} ${host}:${port} x${found.loadBalancingWeight ?? 1}`;
    }),
  );
};
const addressIn = (found: { endpoint: { address: { socketAddress: { address: string; portValue: number } } } }) => ({
  host: found.endpoint.address.socketAddress.address,
  port: found.endpoint.address.socketAddress.portValue,
});

test('a caller is given its own network, and the gateway of the other where it is reached from outside', () => {
  expect(seen('east')).toEqual(['0 10.0.0.1:97 x1', '0 203.0.113.7:443 x3']);
  expect(seen('west')).toEqual(['0 10.0.0.1:98 x1', '0 10.0.0.1:99 x2']);
  expect(seen('north')).toEqual(['0 203.0.113.7:443 x3']);
  expect(seen(undefined)).toEqual(['0 203.0.113.7:443 x3']);
});
test('what is not exported, or not through a gateway that is there, is not given out', () => {
  expect(seen('east', { across: undefined })).toEqual(['0 10.0.0.1:97 x1']);
  expect(seen('east', { across: [workloadKey('mesh', 'other')] })).toEqual(['0 10.0.0.1:97 x1']);
  expect(seen('north', { across: [] })).toEqual([]);
});
test('nor through one that does not pass it on now, nor for endpoints that are away', () => {
  expect(seen('east', {}, inventory.instances, ({ id }) => id !== 'd')).toEqual(['0 10.0.0.1:97 x1']);
  const leaving = inventory.instances.map((one) => (one.id === 'd' ? { ...one, away: ['east-west'] } : one));
  expect(seen('east', {}, leaving)).toEqual(['0 10.0.0.1:97 x1']);
  const away = inventory.instances.map((instance) => (instance.workload === reviews ? { ...instance, away: ['web'] } : instance));
  expect(seen('east', {}, away)).toEqual([]);
});
test('the own network first, where the owner says so', () => {
  const locality = { kind: 'prefer', nearness: 'network', failover: [] } as const;
  expect(seen('east', { locality })).toEqual(['0 10.0.0.1:97 x1', '1 203.0.113.7:443 x3']);
  expect(seen('west', { locality })).toEqual(['0 10.0.0.1:98 x1', '0 10.0.0.1:99 x2']);
});
test('gateways behind one address are one endpoint: Envoy keeps an address once', () => {
  const instances = [...inventory.instances, door('e', 'west', '10.9.0.2', { zone: 'w1', eastWest: { host: '203.0.113.7', port: 443 } })];
  expect(seen('north', {}, instances)).toEqual(['0 203.0.113.7:443 x3']);
  const apart = [...inventory.instances, door('e', 'west', '10.9.0.2')];
  expect(seen('north', {}, apart)).toEqual(['0 10.9.0.2:15443 x90', '0 203.0.113.7:443 x90']);
});
