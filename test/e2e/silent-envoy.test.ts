/** An Envoy that does not answer its agent: it is called for as long as its workers answer, and not when nobody in it does. */
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { freePorts } from '../../platform/ports';
import { knockAt } from '../../runtime-proxy/agent/look';
import { bindInbound } from '../../runtime-proxy/bind/bind';
import type { Address } from '../../runtime-proxy/inventory';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { certificateSecret, testAuthority, trustSecret } from '../kit/certificates';
import { startEnvoy } from '../kit/envoy';
import { eventually } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { request, runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviews, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(600_000);
let mesh: RunningMesh;
beforeAll(async () => {
  const ids = ['page-1', 'reviews-1', 'reviews-2'];
  mesh = await runMesh([
    { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
    { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
    { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
  ]);
  await Promise.all(ids.map((id) => mesh.startAgent(id)));
  expect((await mesh.release(objectsOf(smallMesh()))).status).toBe(202);
  await mesh.until('converged', ({ state }) => state === 'converged');
});
afterAll(() => mesh?.stop());

/** Whether callers are sent to `reviews-1`, as their Envoy has it. */
async function isCalled(): Promise<boolean> {
  const { host, port } = present(mesh.inventory.instances.find(({ id }) => id === 'reviews-1')?.inbound['web']);
  const { body } = await request({ socketPath: present(mesh.agents.get('page-1')).adminSocket, path: '/clusters' });
  return body.includes(`::${host}:${port}::`);
}
const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> =>
  expect([what, await eventually(holds, (isSo) => isSo)]).toEqual([what, true]);
/** Who answers each of some requests. */
const answers = async (count: number): Promise<ReadonlySet<string>> => {
  const found = new Set<string>();
  for (let turn = 0; turn < count; turn += 1) {
    const { status, body } = await mesh.call('page-1', 'reviews.shop:9080', '/reviews/7');
    found.add(`${status} ${body.split(' ')[0]}`);
  }
  return found;
};
const both = new Set(['200 reviews-1', '200 reviews-2']);

test('its admin interface is silent, look after look: it is called all the same, for its workers answer', async () => {
  const { adminSocket } = present(mesh.agents.get('reviews-1'));
  let looks = 0;
  const mute = net.createServer((socket) => {
    looks += 1;
    socket.on('error', () => undefined).resume();
  });
  await fs.rename(adminSocket, `${adminSocket}.away`);
  await new Promise<void>((resolve, reject) => mute.once('error', reject).listen(adminSocket, resolve));
  try {
    await until('it was looked at five times', async () => {
      expect(await isCalled()).toBe(true);
      return looks >= 5;
    });
    expect(await answers(40)).toEqual(both); // chance leaves one out once in 5e11
  } finally {
    await new Promise((resolve) => mute.close(resolve));
    await fs.rename(`${adminSocket}.away`, adminSocket);
  }
});

test('all of it stands still: callers are sent elsewhere, and come back when it goes on', async () => {
  const pid = present(present(mesh.agents.get('reviews-1')).envoyPid());
  process.kill(pid, 'SIGSTOP');
  try {
    await until('callers are sent elsewhere', async () => !(await isCalled()));
    expect(await answers(6)).toEqual(new Set(['200 reviews-2']));
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await until('it is called again', isCalled);
  await until('and answers', async () => (await answers(6)).has('200 reviews-1'));
});

test('of a captured proxy the kernel’s way in is a door; a proxy that stands still opens none', async () => {
  const ir = smallMesh();
  const config = present(emitEnvoy(ir).value?.proxies.find(({ spec }) => spec.workload === reviews));
  const [app = 0, own = 0, inward = 0, outward = 0, admin = 0] = await freePorts(5);
  const at = (port: number): Address => ({ host: '127.0.0.1', port });
  const capture = { inbound: { host: '0.0.0.0', port: inward }, outbound: at(outward) };
  const proxy = bindInbound(config, { id: 'reviews-1', workload: reviews, app: { web: at(app) }, inbound: { web: at(own) }, capture }, []);
  const authority = await testAuthority(ir.trustDomain);
  const secrets = [trustSecret(authority.trust), certificateSecret('workload', await authority.svid(reviewsPrincipal, reviews))];
  const envoy = await startEnvoy(staticBootstrap({ proxies: [proxy], adminPort: admin, secrets, assignments: new Map() }), admin);
  try {
    expect([await eventually(() => knockAt(capture.inbound), Boolean), await knockAt(at(own))]).toEqual([true, false]);
    process.kill(envoy.pid, 'SIGSTOP');
    expect(await knockAt(capture.inbound)).toBe(false);
  } finally {
    process.kill(envoy.pid, 'SIGCONT');
    await envoy.stop();
  }
});
