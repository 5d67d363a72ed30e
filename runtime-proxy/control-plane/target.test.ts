import type { JsonObject } from '../../core/lib/json';
import { misdirectedName } from '../../core/mesh/server-name';
import { encode, nothing, type PartResources } from './resources';
import { targetOf } from './target';

const routes = (...virtualHosts: readonly JsonObject[]): JsonObject => ({
  name: 'inbound/outside/far.api',
  virtualHosts: [...virtualHosts],
});
const host = (name: string, cluster: string): JsonObject => ({
  ...{ name, domains: [name] },
  routes: [{ name: 'outside', match: { prefix: '/' }, route: { cluster } }],
});
const elsewhere = (name: string): JsonObject => ({
  ...{ name, domains: [name] },
  routes: [{ name: misdirectedName, match: { prefix: '/' }, directResponse: { status: 421 } }],
});
const doors = (...names: readonly string[]): JsonObject => ({
  name: 'inbound/platform/egress.egress',
  filterChains: names.map((name) => ({ name, filterChainMatch: { serverNames: [name] } })),
});
function part(listener: JsonObject, configuration: JsonObject): PartResources {
  const one = (type: 'listeners' | 'routes', json: JsonObject) =>
    new Map([[String(json['name']), encode(type, String(json['name']), json)]]);
  return {
    ...nothing,
    listeners: one('listeners', listener),
    routes: one('routes', configuration),
    key: JSON.stringify([listener, configuration]),
  };
}
/** What a gateway on the way out has whose parts are of different releases. */
function united(inbound: PartResources, outbound: PartResources): readonly JsonObject[] {
  const { resources } = targetOf({
    parts: { inbound, outbound },
    sets: { inbound: 'candidate', outbound: 'stable' },
    endpoints: { resources: new Map(), hosts: new Map() } as never, // decoding: none are read
    other: () => new Map(),
  });
  return [...resources.listeners.values(), ...resources.routes.values()].map(({ json }) => json);
}

test('between its two moves a gateway has what comes and what goes; what stays is as the inbound part has it', () => {
  const stable = part(doors('a', 'b'), routes(host('one', 'old'), host('two', 'old')));
  const candidate = part(doors('b', 'c'), routes(host('two', 'new'), host('three', 'new')));
  expect(united(candidate, stable)).toEqual([doors('a', 'b', 'c'), routes(host('one', 'old'), host('three', 'new'), host('two', 'new'))]);
  expect(united(stable, candidate)).toEqual([doors('a', 'b', 'c'), routes(host('one', 'old'), host('three', 'new'), host('two', 'old'))]);
  expect(united(candidate, candidate)).toEqual([doors('b', 'c'), routes(host('two', 'new'), host('three', 'new'))]);
});
test('a name under a wildcard is served as long as one of the two finds it there; what neither has is refused', () => {
  const wildcard = host('*.x', 'any');
  const rest = elsewhere(misdirectedName);
  const [stable, candidate] = [part(doors(), routes(wildcard, rest)), part(doors(), routes(wildcard, elsewhere('a.x'), rest))];
  expect(united(candidate, stable)[1]).toEqual(routes(wildcard, rest));
  expect(united(stable, candidate)[1]).toEqual(routes(wildcard, rest));
  const both = part(doors(), routes(wildcard, elsewhere('a.x'), elsewhere('b.x'), rest));
  expect(united(candidate, both)[1]).toEqual(routes(wildcard, elsewhere('a.x'), rest));
  // it was the port's by its own name, and is another's now
  const exact = part(doors(), routes(wildcard, host('a.x', 'own'), rest));
  expect(united(candidate, exact)[1]).toEqual(routes(wildcard, host('a.x', 'own'), rest));
});
