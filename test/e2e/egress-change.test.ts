/** Ways out that change under traffic that is legal all the while: a gateway that comes and goes, hosts that come to it, and hosts that move from one `external` to another. No request fails. */
import * as http from 'node:http';
import { planSteps } from '../../compiler/analyse/order';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { proxyNameOf } from '../../core/ir/proxy-name';
import { constantArrival } from '../kit/constant-arrival';
import { egress, named, running } from '../kit/declarations';
import { lowered } from '../kit/layered-mesh';
import { openOutsideWorld, type OutsideWorld } from '../kit/outside-world';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';

jest.setTimeout(600_000);
type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
let world: OutsideWorld;
let mesh: RunningMesh;
let number = 0;
let current: MeshIr | null = null;

const through = { through: { ref: 'platform/egress' } } as const;
/** What is outside, by name: its hosts, by the gateway unless it says otherwise. Productpage may call all of it. */
function meshWith(outside: Readonly<Record<string, Partial<External>>>): MeshIr {
  const declared = Object.entries(outside).flatMap(([name, change]): [string, DeclarationValue][] => [
    [
      `books/${name}`,
      {
        ...{ kind: 'external', name, team: 'books', hosts: [`${name}.localhost`], ports: { it: { protocol: 'http', number } } },
        ...change,
      },
    ],
    [
      `books/pageCalls-${name}`,
      {
        ...{ kind: 'access', action: 'allow', port: { ref: `books/${name}`, port: 'it' }, from: [named('books/productpage')] },
        ...{ requests: 'any' },
      },
    ],
  ]);
  // so that the gateway is one whatever goes through it
  const kept = {
    ...{ kind: 'external', name: 'kept', team: 'books', hosts: ['kept.localhost'], ports: { it: { protocol: 'http', number } } },
    ...through,
  };
  return lowered({ ...running, 'books/reviewsRoutes': null, ...egress, 'books/kept': kept as External, ...Object.fromEntries(declared) });
}

async function release(ir: MeshIr): Promise<void> {
  const { services, proxies } = present(emitEnvoy(ir).value);
  const run = new Set<string>(['bookinfo/productpage', 'platform/egress']);
  const steps = present(planSteps(current, ir, proxyNameOf).value);
  const objects = [...services, ...proxies.filter(({ spec }) => run.has(spec.workload))];
  const { status, json, signed } = await mesh.release(objects, { steps });
  expect([status, json]).toMatchObject([202, {}]);
  current = ir;
  await mesh.until('converged', (now) => now.state === 'converged' && now.generation === signed.release.generation);
}

beforeAll(async () => {
  world = await openOutsideWorld();
  number = await world.plain();
  const ir = meshWith({ partner: {} });
  const principal = (key: string): string => present(ir.workloads.find((workload) => workload.key === key)).principal;
  mesh = await runMesh([
    { id: 'page', workload: 'bookinfo/productpage', principal: principal('bookinfo/productpage'), ports: ['web'] },
    { id: 'egress', workload: 'platform/egress', principal: principal('platform/egress'), ports: ['egress'], listeners: [] },
  ]);
  await Promise.all(['page', 'egress'].map((id) => mesh.startAgent(id)));
  await mesh.until('both are there', (now) => now.proxies.filter(({ connected }) => connected).length === 2);
  await release(ir);
});
afterAll(async () => {
  await mesh?.stop();
  world?.close();
});

/** Requests to these hosts while one mesh after the other is rolled out; what failed, a line each. */
async function whileChanging(hosts: readonly string[], meshes: readonly MeshIr[]): Promise<readonly string[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const { outbound } = present(mesh.inventory.instances.find(({ id }) => id === 'page'));
  const bad: string[] = [];
  let sent = 0;
  world.forget();
  const ask = (index: number): Promise<void> =>
    new Promise((resolve) => {
      sent += 1;
      const host = present(hosts[index % hosts.length]);
      const fail = (why: string): void => (bad.push(`${index} ${host}: ${why}`), resolve());
      const call = http.get(
        {
          ...present(outbound),
          path: `/n/${index}`,
          headers: { host },
          agent: index % 4 < 2 ? agent : false,
          timeout: 60_000,
        },
        (response) => {
          response.resume();
          response.on('error', (error) => fail(error.message));
          response.on('end', () => (response.statusCode === 200 ? resolve() : fail(String(response.statusCode))));
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer')));
      call.on('error', (error) => fail(error.message));
    });
  const [first, ...then] = meshes;
  await release(present(first));
  const arrivals = constantArrival(200, ask, { mostUnderWay: 50 });
  try {
    for (const ir of then) {
      await release(ir);
      for (const until = sent + 40; sent < until;) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    await arrivals.stop();
    agent.destroy();
  }
  // each once: none was tried again
  if (bad.length === 0) expect(world.seen.length).toBe(sent);
  return bad;
}
const one = 'one.localhost';
const two = 'two.localhost';
const both = { first: { ...through, hosts: [one, 'first.localhost'] }, second: { ...through, hosts: [two] } };

test.each<[string, readonly string[], () => readonly MeshIr[]]>([
  [
    'a gateway comes on the way, a host comes to it and goes, and the gateway goes',
    ['partner.localhost'],
    () => [
      meshWith({ partner: {} }),
      meshWith({ partner: through }),
      meshWith({ partner: { ...through, hosts: ['partner.localhost', 'eu.localhost'] } }),
      meshWith({ partner: through }),
      meshWith({ partner: {} }),
    ],
  ],
  [
    'a host moves from one to another behind the gateway, and back',
    [one, two],
    () => [
      meshWith(both),
      meshWith({ first: { ...through, hosts: ['first.localhost'] }, second: { ...through, hosts: [two, one] } }),
      meshWith(both),
    ],
  ],
  [
    'two hosts change places behind the gateway',
    [one, two],
    () => [
      meshWith(both),
      meshWith({ first: { ...through, hosts: [two, 'first.localhost'] }, second: { ...through, hosts: [one] } }),
      meshWith(both),
    ],
  ],
  [
    'what is behind the gateway gets another name',
    [one, two],
    () => [meshWith(both), meshWith({ other: both.first, second: both.second }), meshWith(both)],
  ],
  [
    'a host moves from one without a gateway to one behind it, and another the other way',
    [one, two],
    () => [
      meshWith({ first: { ...through, hosts: [one, 'first.localhost'] }, second: { hosts: [two, 'second.localhost'] } }),
      meshWith({ first: { ...through, hosts: [two, 'first.localhost'] }, second: { hosts: [one, 'second.localhost'] } }),
      meshWith({ first: { ...through, hosts: [one, 'first.localhost'] }, second: { hosts: [two, 'second.localhost'] } }),
    ],
  ],
  [
    'a host moves from one to another without a gateway',
    [one, two],
    () => [
      meshWith({ first: { hosts: [one, 'first.localhost'] }, second: { hosts: [two] } }),
      meshWith({ first: { hosts: ['first.localhost'] }, second: { hosts: [two, one] } }),
      meshWith({ first: { hosts: [one, 'first.localhost'] }, second: { hosts: [two] } }),
    ],
  ],
])('no request fails while %s', async (_, hosts, meshes) => {
  expect(await whileChanging(hosts, meshes())).toEqual([]);
});
