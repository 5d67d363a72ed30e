/**
 * The definition against real proxies under the real control plane: every case kept, then generated meshes and requests, then a planted fault that must
 * be found and made small. `npm run differential` is the long form.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { EmittedEnvoy } from '../../compiler/emit/envoy';
import type { Json, JsonObject } from '../../core/lib/json';
import { casesFolder, formatCase, readCases } from './cases';
import { leastLikelihood, likelihood } from './distribution';
import { decisionOn } from './decision-on';
import { judged, run } from './run';
import { startWorld, type World } from './world';

const setting = (name: string, usual: number): number => Number(process.env[`MESHWRIGHT_${name}`] ?? usual);
const meshes = setting('MESHES', 40);
const requestsEach = setting('REQUESTS', 50);
const firstSeed = setting('SEED', 1);

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world?.close();
});

test('every case: the definition says what it said, and the proxies say the same', async () => {
  for (const [name, one] of await readCases()) {
    const ir = await world.put(one.declarations);
    const decision = decisionOn(ir, one.question);
    expect([name, decision]).toMatchObject([name, one.expected]);
    expect([name, (await judged(world, ir, one.question, decision)).says]).toEqual([name, null]);
  }
});

test('generated meshes are answered as the definition says', async () => {
  const begun = performance.now();
  const { found, cases, outcomes, requests, trials } = await run(world, {
    ...{ firstSeed, meshes, requestsEach, shrinkAtMost: 3 },
    say: (line) => void process.stderr.write(`differential: ${line}\n`),
  });
  const seeds = `seeds ${firstSeed} to ${firstSeed + meshes - 1}`;
  const told = [...outcomes].sort().map(([kind, count]) => `${kind}: ${count}`);
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  process.stdout.write(`differential: ${seeds}, ${requests} requests, ${found.length} differences, ${seconds} s; ${told.join(', ')}\n`);
  process.stdout.write(`left to chance: ${trials.length} times, which fall so or worse with ${likelihood(trials).toPrecision(2)}\n`);
  for (const one of cases) {
    const name = `${one.about.replaceAll(' ', '-')}.json`;
    process.stdout.write(`\ntest/differential/cases/${name}:\n${formatCase(one)}`);
    if (process.env['UPDATE_GOLDEN'] === '1') await fs.writeFile(path.join(casesFolder, name), formatCase(one));
  }
  expect(found).toEqual([]);
  expect(likelihood(trials)).toBeGreaterThan(leastLikelihood);
  // the run is worth something only when every way of answering came up
  const ways = [
    'inbound allow',
    'inbound deny',
    'inbound mixed',
    'route allow',
    'route deny',
    'canonical deny',
    'outbound deny',
    'authentication deny 401',
    'outside inbound allow',
    'outside outbound deny',
    'outside authentication deny',
    'connection inbound allow',
    'connection inbound deny',
    'connection outside inbound allow',
    'connection outside inbound deny',
    'connection outside outbound deny',
    'connection at the gateway inbound allow',
    'connection at the gateway inbound deny',
    'connection at the gateway route deny',
    'connection at the gateway by network inbound allow',
    'by network inbound allow',
    'authentication deny closed',
    'route deny closed',
    'upgrade inbound allow',
    'upgrade inbound deny',
    'upgrade outbound deny',
    'upgrade route deny',
    'outside by a wildcard or closer inbound allow',
    'outside by a wildcard or closer outbound deny',
  ];
  expect(ways.filter((way) => ![...outcomes.keys()].some((kind) => kind.startsWith(way)))).toEqual([]);
}, 3_600_000);

test('a fault in what is emitted is found, and made small', async () => {
  const { found, cases } = await run(world, {
    ...{ firstSeed: 1, meshes: 40, requestsEach: 50, shrinkAtMost: 1 },
    plant: withoutQueryConditions,
    untilFound: true,
  });
  expect(found.length).toBeGreaterThan(0);
  const [least] = cases;
  // what is left is one route rule, with the one condition that was dropped and a question that only it tells apart
  const routes = least?.declarations.flatMap(({ value }) => (value.kind === 'route' ? [value] : []));
  expect(routes).toMatchObject([{ rules: [{ when: { query: expect.anything() } }] }]);
  expect(Object.keys(routes?.[0]?.rules[0]?.when ?? {})).toEqual(['query']);
  expect(least?.declarations.filter(({ value }) => value.kind === 'access').length).toBeLessThanOrEqual(2);
  expect(least?.question).toMatchObject({ kind: 'request', request: { headers: {} } });
  expect(least?.declarations.length).toBeLessThanOrEqual(10);
});

/** The fault: routes take a request whatever its query says. */
function withoutQueryConditions({ services, proxies }: EmittedEnvoy): EmittedEnvoy {
  const drop = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(drop);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => (key === 'queryParameters' ? [] : [[key, drop(inner)]])));
  };
  return {
    services: services.map((one) => ({ ...one, spec: { ...one.spec, virtualHost: drop(one.spec.virtualHost) as JsonObject } })),
    proxies,
  };
}
