/** The order of filters, as sentences about everything that is emitted. Why it is this order is shown with a real Envoy in test/e2e/filter-order.test.ts. */
import * as path from 'node:path';
import fc from 'fast-check';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { httpOrder, listenerOrder, networkOrder, upstreamOrder } from '../../compiler/emit/envoy/filter-order';
import type { MeshIr } from '../../core/ir/ir';
import type { Json, JsonObject } from '../../core/lib/json';
import { listFiles, readTextIfThere } from '../../platform/files';
import { bookinfo } from '../kit/bookinfo-ir';
import { features } from '../kit/features-ir';
import { orderFaults } from '../kit/filter-order';
import { outside } from '../kit/outside-ir';
import { users } from '../kit/users-ir';
import { generateMesh } from '../kit/mesh-generator';

/** Everything that is emitted, as the JSON that is signed. */
function emitted(ir: MeshIr): Json {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((d) => d.message).join('\n'));
  return JSON.parse(JSON.stringify(value));
}
const managers = (json: Json): number => JSON.stringify(json).split('"httpFilters"').length - 1;

test('every golden object keeps the order', async () => {
  const folder = path.join(__dirname, '..', 'golden', 'emit-envoy');
  let seen = 0;
  for (const file of await listFiles(folder)) {
    const object: Json = JSON.parse((await readTextIfThere(path.join(folder, file))) ?? '');
    seen += managers(object);
    expect([file, orderFaults(object)]).toEqual([file, []]);
  }
  expect(seen).toBeGreaterThan(5);
});

test.each([
  ['bookinfo', bookinfo()],
  ['features', features()],
  ['users', users()],
  ['outside', outside()],
])('every object of the %s fixture keeps the order', (_, ir) => {
  expect(managers(emitted(ir))).toBeGreaterThan(5);
  expect(orderFaults(emitted(ir))).toEqual([]);
});

test('every object of any generated mesh keeps the order, and no filter stands before the guard', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1, max: 8 }), (seed, size) => {
      expect(orderFaults(emitted(generateMesh(seed, size)))).toEqual([]);
    }),
    { numRuns: 40, seed: 4 },
  );
});

describe('the check finds', () => {
  const filter = (name: string): JsonObject => ({ name, typedConfig: {} });
  const http = (...names: readonly string[]): readonly string[] => orderFaults({ httpFilters: names.map(filter) });
  const chain = (...names: readonly string[]): readonly string[] =>
    orderFaults({ filterChains: [{ name: 'c', filters: names.map(filter) }] });
  const router = 'envoy.filters.http.router';
  const tcp = 'envoy.filters.network.tcp_proxy';
  test.each([
    [http('meshwright.guard', router), []],
    [
      http('meshwright.fault', 'meshwright.guard', router),
      ['.httpFilters has meshwright.guard after meshwright.fault', '.httpFilters begins with meshwright.fault, not with the guard'],
    ],
    [
      http('meshwright.guard', 'meshwright.fault', 'meshwright.access.deny', router),
      ['.httpFilters has meshwright.access.deny after meshwright.fault'],
    ],
    [http('meshwright.guard', 'meshwright.guard', router), ['.httpFilters has meshwright.guard after meshwright.guard']],
    [http('meshwright.guard', 'lua', router), ['.httpFilters has lua, which has no slot']],
    [http('meshwright.guard'), ['.httpFilters ends with meshwright.guard, not with the router']],
    [orderFaults({ '@type': 'x.HttpProtocolOptions', httpFilters: upstreamOrder.map(({ name }) => filter(name)) }), []],
    [
      orderFaults({ '@type': 'x.HttpProtocolOptions', httpFilters: [filter('lua')] }),
      ['.httpFilters has lua, which has no slot', '.httpFilters ends with lua, not with the codec'],
    ],
    [http(), ['.httpFilters begins with undefined, not with the guard', '.httpFilters ends with undefined, not with the router']],
    [chain('meshwright.access.deny', 'meshwright.access.allow', tcp), []],
    [
      chain(tcp, 'meshwright.access.allow'),
      [
        '.filterChains[0].filters has meshwright.access.allow after envoy.filters.network.tcp_proxy',
        '.filterChains[0].filters does not end with the one that ends it',
      ],
    ],
    [chain(), []],
    [chain('meshwright.access.allow'), ['.filterChains[0].filters does not end with the one that ends it']],
    [chain('envoy.filters.network.http_connection_manager', tcp), ['.filterChains[0].filters does not end with the one that ends it']],
    [
      orderFaults({ listenerFilters: [filter('envoy.filters.listener.tls_inspector'), filter('envoy.filters.listener.original_dst')] }),
      ['.listenerFilters has envoy.filters.listener.original_dst after envoy.filters.listener.tls_inspector'],
    ],
    [orderFaults({ typedPerFilterConfig: { 'meshwright.guard': { disabled: true } } }), ['.typedPerFilterConfig takes the guard away']],
    [
      orderFaults({ typedPerFilterConfig: { 'meshwright.gaurd': {} } }),
      ['.typedPerFilterConfig is for meshwright.gaurd, which has no slot'],
    ],
  ])('case %#', (found, expected) => expect(found).toEqual(expected));
});

test('each slot has one name, and each says why it is where it is', () => {
  for (const order of [httpOrder, networkOrder, listenerOrder, upstreamOrder]) {
    expect(new Set(order.map((filter) => filter.name)).size).toBe(order.length);
    expect(new Set(order.map((filter) => filter.slot)).size).toBe(order.length);
    for (const { because } of order) expect(because).not.toBe('');
  }
});
