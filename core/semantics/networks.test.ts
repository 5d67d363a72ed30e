import * as fc from 'fast-check';
import { portKey, workloadKey } from '../mesh/ids';
import { serverNameOf } from '../mesh/server-name';
import type { EndpointInstance } from './locality';
import { acrossNetworks } from './networks';

const nowhere = { region: '', zone: '', subZone: '' };
const one = (id: string, network: string, over: Partial<EndpointInstance> = {}): EndpointInstance => ({
  id,
  network,
  weight: 1,
  priority: 0,
  health: 'healthy',
  locality: nowhere,
  ...over,
});
const seen = (...given: Parameters<typeof acrossNetworks>): readonly string[] =>
  acrossNetworks(...given).map(({ id, weight, priority, health }) => `${id} ${weight} ${priority} ${health}`);
const all = [one('e1', 'east'), one('w1', 'west'), one('w2', 'west', { weight: 3 })];

test('own endpoints are themselves; a gateway stands for those of its network, with their weight together', () => {
  expect(seen('east', all, [one('gw', 'west')])).toEqual(['e1 1 0 healthy', 'gw 4 0 healthy']);
  expect(seen('west', all, [one('gw', 'west'), one('ge', 'east')])).toEqual(['w1 1 0 healthy', 'w2 3 0 healthy', 'ge 1 0 healthy']);
});
test('without a gateway, or one that is well, nobody of another network is there; nor a gateway that nobody is behind', () => {
  expect(seen('east', all, [])).toEqual(['e1 1 0 healthy']);
  expect(seen('east', all, [one('gw', 'west', { health: 'unhealthy' })])).toEqual(['e1 1 0 healthy']);
  expect(seen('east', [one('e1', 'east')], [one('gw', 'west')])).toEqual(['e1 1 0 healthy']);
});
test('who names no network is in one of its own, which is another than any that is named', () => {
  expect(seen('', [one('a', ''), one('w1', 'west')], [])).toEqual(['a 1 0 healthy']);
});
test('those are stood for that a call is passed on to there: the first of the healthiest', () => {
  const behind = [
    one('a', 'west', { priority: 1 }),
    one('b', 'west', { priority: 2, weight: 9 }),
    one('c', 'west', { priority: 1, health: 'degraded' }),
  ];
  expect(seen('east', behind, [one('gw', 'west')])).toEqual(['gw 1 1 healthy']);
  const without = behind.map((endpoint) => (endpoint.id === 'a' ? { ...endpoint, health: 'unhealthy' as const } : endpoint));
  // who comes later and is well is called before who comes first and is not: the network is not given up while it can answer
  expect(seen('east', without, [one('gw', 'west')])).toEqual(['gw 9 2 healthy']);
  expect(seen('east', without.slice(0, 1), [one('gw', 'west')])).toEqual(['gw 1 1 unhealthy']);
});
test('weights stay below what Envoy takes, however many there are', () => {
  const many = Array.from({ length: 90_000 }, (_, index) => one(`w${index}`, 'west', { weight: 1000 }));
  const doors = [one('g1', 'west'), one('g2', 'west', { weight: 2 }), one('g3', 'west', { weight: 4 })];
  const weights = acrossNetworks('east', [one('e1', 'east'), ...many], doors).map(({ weight }) => weight);
  expect(weights.reduce((all, weight) => all + weight, 0)).toBeLessThan(2 ** 32);
});
test('a gateway is no healthier than it is itself', () => {
  expect(seen('east', all, [one('gw', 'west', { health: 'degraded' })])).toEqual(['e1 1 0 healthy', 'gw 4 0 degraded']);
});
test('several gateways of a network share what is behind it, and no share of anybody else changes', () => {
  expect(seen('east', [one('e1', 'east'), one('w1', 'west', { weight: 4 })], [one('g1', 'west'), one('g2', 'west')])).toEqual([
    'e1 1 0 healthy',
    'g1 2 0 healthy',
    'g2 2 0 healthy',
  ]);
  expect(seen('east', [one('e1', 'east'), one('w1', 'west')], [one('g1', 'west'), one('g2', 'west', { weight: 2 })])).toEqual([
    'e1 60 0 healthy',
    'g1 20 0 healthy',
    'g2 40 0 healthy',
  ]);
});

const networkName = fc.constantFrom('east', 'west', 'north');
const endpoints = (prefix: string, max: number) =>
  fc
    .array(fc.record({ network: networkName, weight: fc.integer({ min: 1, max: 1000 }), priority: fc.integer({ min: 0, max: 3 }) }), {
      maxLength: max,
    })
    .map((list) => list.map(({ network, ...over }, index) => one(`${prefix}${index}`, network, over)));
test('nobody of another network is ever given out; each is given once; weights are whole', () => {
  fc.assert(
    fc.property(networkName, endpoints('e', 12), endpoints('g', 4), (caller, list, gateways) => {
      const given = acrossNetworks(caller, list, gateways);
      const doors = new Set(gateways.map(({ id }) => id));
      expect(new Set(given.map(({ id }) => id)).size).toBe(given.length);
      for (const { id, network, weight } of given) {
        expect(doors.has(id) ? network !== caller : network === caller).toBe(true);
        expect(Number.isInteger(weight) && weight >= 1).toBe(true);
      }
      const open = new Set(gateways.map(({ network }) => network));
      const networks = new Set(list.map(({ network }) => network).filter((network) => network === caller || open.has(network)));
      expect(new Set(given.map(({ network }) => network))).toEqual(networks);
    }),
    { seed: 4 },
  );
});

test('a server name reads one way only: port, service and namespace have no dot, a version may', () => {
  const port = portKey(workloadKey('shop', 'reviews'), 'web');
  expect(serverNameOf(port, null)).toBe('web.reviews.shop');
  expect(serverNameOf(port, '1.2-RC')).toBe('1.2-rc.web.reviews.shop');
});
