/** Two clusters with a control plane each, one policy and one certificate authority: what runs in the other one is known by its addresses alone. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { writeFileAtomic } from '../../platform/files';
import { freePorts } from '../../platform/ports';
import { silentLog } from '../../platform/log';
import { runAgent, type RunningAgent } from '../../runtime-proxy/agent/main';
import { controlPlaneIdentity } from '../../runtime-proxy/ca/main';
import { serveControlPlane, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import type { Instance } from '../../runtime-proxy/inventory';
import { declarations, domain, principal } from '../kit/between-networks';
import { eventually, lowered } from '../kit/layered-mesh';
import { environment, runMesh, type Answer, type RunningMesh } from '../kit/running-mesh';
import { signTestObject, signTestRelease, testRelease } from '../kit/signing';
import { objectsOf } from '../kit/two-networks';

jest.setTimeout(600_000);
const eastern = ['app', 'reviews-east'];
let west: RunningMesh;
let east: RunningControlPlane | null = null;
const agents: RunningAgent[] = [];
const file = (name: string): string => path.join(west.folder, name);
const writeEast = (change: (id: string) => Partial<Instance> = () => ({})): Promise<void> =>
  writeFileAtomic(
    file('inventory-east.json'),
    JSON.stringify({
      instances: west.inventory.instances.map((one) => ({
        ...one,
        ...(eastern.includes(one.id) ? { network: 'east' } : { network: 'west', endpointOnly: true }),
        ...change(one.id),
      })),
    }),
  );

beforeAll(async () => {
  const at = (id: string, name: string, ports: readonly string[], version?: string) => ({
    ...{ id, workload: `bookinfo/${name}`, principal: principal(`sa-${name}`), ports },
    ...(version === undefined ? {} : { version }),
  });
  west = await runMesh(
    [
      at('app', 'app', []),
      at('reviews-east', 'reviews', ['web', 'admin'], 'v1'),
      at('reviews-west', 'reviews', ['web', 'admin'], 'v2'),
      at('stock-west', 'stock', ['web']),
      { id: 'crossing', workload: 'platform/crossing', principal: principal('crossing', 'platform'), ports: [], listeners: ['east-west'] },
    ],
    { trustDomain: domain },
  );
  const own = west.inventory.instances.filter(({ id }) => !eastern.includes(id));
  await west.writeInventory({ instances: own.map((one) => ({ ...one, network: 'west' })) });
  await writeEast();
  const [xds = 0, admin = 0] = await freePorts(2);
  const config = {
    ...west.controlPlaneConfig,
    stateDir: file('control-plane-east'),
    listen: { host: '127.0.0.1', port: xds },
    admin: { host: '127.0.0.1', port: admin },
    adminTokenFile: file('admin-east.token'),
    inventoryFile: file('inventory-east.json'),
    joinTokenFile: file('control-plane-east.join'),
  };
  await fs.writeFile(config.joinTokenFile, await west.mint(controlPlaneIdentity(domain)), { mode: 0o600 });
  east = await serveControlPlane(config, { log: silentLog });
  await Promise.all(own.map(({ id }) => west.startAgent(id)));
  for (const id of eastern)
    agents.push(await runAgent({ ...(await west.agentConfig(id)), controlPlane: config.listen }, { log: silentLog }));
  // without the words of connections: nobody dials the database here
  const objects = objectsOf(lowered({ ...declarations, 'books/db': null, 'books/appDb': null, 'books/dbAcross': null }));
  expect((await west.release(objects)).status).toBe(202);
  const put = async (where: string, body: unknown): Promise<number> => {
    const token = (await fs.readFile(config.adminTokenFile, 'utf8')).trim();
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`http://127.0.0.1:${admin}${where}`, { method: 'PUT', headers, body: JSON.stringify(body) })).status;
  };
  for (const object of objects) {
    const signed = await signTestObject(west.signer, object, environment);
    expect(await put(`/v1/objects/${signed.digest}`, signed)).toBeLessThan(300);
  }
  expect(await put('/v1/release', await signTestRelease(west.signer, testRelease(objects, { environment })))).toBe(202);
  await west.until('converged', ({ state }) => state === 'converged', 120_000);
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await east?.close();
  await west?.stop();
});

const call = (host = 'reviews.bookinfo:9080', where = '/reviews/7'): Promise<Answer> => west.call('app', host, where);
const untilAnswered = async (by: string): Promise<void> => {
  const said = await eventually(
    () => call().catch(() => ({ status: 0, body: '' })),
    ({ body }) => body.startsWith(by),
  );
  expect(said).toEqual({ status: 200, body: `${by} /reviews/7` });
};

test('a cluster calls its own; when it has nobody left it calls the peer through the gateway, whose control plane knows nothing of the caller', async () => {
  await untilAnswered('reviews-east');
  await writeEast((id) => (id === 'reviews-east' ? { away: ['web'] } : {}));
  await untilAnswered('reviews-west');
  expect(JSON.stringify(await west.status())).not.toContain('"app"');
  await writeEast();
  await untilAnswered('reviews-east');
});
test('what the peer does not export is not reached, though its address is known', async () => {
  expect(await call('stock.bookinfo:9080', '/')).toMatchObject({ status: 503 });
});
test('a peer that is taken out of the inventory is not called any more', async () => {
  await writeEast((id) => (id === 'reviews-east' ? { away: ['web'] } : {}));
  await untilAnswered('reviews-west');
  await writeEast((id) => (id === 'reviews-east' ? { away: ['web'] } : id === 'crossing' ? { health: 'unhealthy' } : {}));
  expect(
    (
      await eventually(
        () => call(),
        ({ status }) => status !== 200,
      )
    ).status,
  ).toBe(503);
});
