/** A gateway that comes on the way out, a host that comes to it, and a gateway that goes again, under traffic that is legal all the while: no request fails. */
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

jest.setTimeout(180_000);
type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
let world: OutsideWorld;
let mesh: RunningMesh;
let number = 0;
let current: MeshIr | null = null;

function meshWith(change: Partial<External>): MeshIr {
  const partner: External = {
    ...{ kind: 'external', name: 'partner', team: 'books', hosts: ['partner.localhost'], ports: { it: { protocol: 'http', number } } },
    ...change,
  };
  return lowered({
    ...running,
    'books/reviewsRoutes': null,
    'books/partner': partner,
    // so that the gateway is one whether `partner` goes through it or not
    'books/other': {
      ...{ kind: 'external', name: 'other', team: 'books', hosts: ['other.localhost'], ports: { it: { protocol: 'http', number } } },
      through: { ref: 'platform/egress' },
    },
    ...egress,
    'books/pageCalls': {
      ...{
        kind: 'access',
        action: 'allow',
        port: { ref: 'books/partner', port: 'it' },
        from: [named('books/productpage')],
        requests: 'any',
      },
    },
    'books/pageCallsOther': {
      ...{ kind: 'access', action: 'allow', port: { ref: 'books/other', port: 'it' }, from: [named('books/productpage')], requests: 'any' },
    },
  });
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
  const ir = meshWith({});
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

test('no request fails while its way out changes', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const { outbound } = present(mesh.inventory.instances.find(({ id }) => id === 'page'));
  const bad: string[] = [];
  let sent = 0;
  const ask = (index: number): Promise<void> =>
    new Promise((resolve) => {
      sent += 1;
      const fail = (why: string): void => (bad.push(`${index}: ${why}`), resolve());
      const call = http.get(
        {
          ...present(outbound),
          path: `/n/${index}`,
          headers: { host: 'partner.localhost' },
          agent: index % 2 === 0 ? agent : false,
          timeout: 20_000,
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
  const arrivals = constantArrival(200, ask);
  try {
    const through = { through: { ref: 'platform/egress' } };
    for (const ir of [
      meshWith(through),
      meshWith({ ...through, hosts: ['partner.localhost', 'eu.localhost'] }),
      meshWith(through),
      meshWith({}),
    ])
      await release(ir);
  } finally {
    await arrivals.stop();
    agent.destroy();
  }
  expect(bad).toEqual([]);
  expect(sent).toBeGreaterThan(100);
  // each once: none was tried again
  expect(world.seen.length).toBe(sent);
});
