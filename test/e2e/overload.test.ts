/** An Envoy that has used up what it may use: of connections, of memory. Real agents. */
import * as net from 'node:net';
import { eventually } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(120_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
];
let mesh: RunningMesh;
afterEach(() => mesh?.stop());
async function start(limits: { readonly heap?: number; readonly connections?: number }): Promise<void> {
  mesh = await runMesh(workloads, { agent: { limits } });
  await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  expect((await mesh.release(objectsOf(smallMesh()))).status).toBe(202);
  await mesh.until('converged', ({ state }) => state === 'converged');
}
/** What a new connection hears of a request; `` when it is closed without a word. */
function heard(): Promise<string> {
  const at = present(mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound);
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(at.port, at.host, () =>
      socket.write('GET /reviews/7 HTTP/1.1\r\nhost: reviews.shop:9080\r\nconnection: close\r\n\r\n'),
    );
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text.slice(0, 12)));
  });
}

test('a connection more than it may have is closed, and those that it has go on', async () => {
  await start({ connections: 4 });
  const at = present(mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound);
  const closed = new Set<net.Socket>();
  const held = Array.from({ length: 4 }, () => {
    const socket = net.connect(at.port, at.host);
    return socket.on('error', () => undefined).on('close', () => closed.add(socket));
  });
  expect(await eventually(heard, (text) => text === '')).toBe('');
  expect(closed.size).toBe(0);
  for (const socket of held) socket.destroy();
  expect(await eventually(heard, (text) => text !== '')).toMatch(/^HTTP\/1\.1 200/);
});

test('one that has no memory left takes nothing more, and its agent says that it lives', async () => {
  await start({ heap: 1 << 20 });
  expect(await eventually(heard, (text) => !text.startsWith('HTTP/1.1 200'))).toMatch(/^$|^HTTP\/1\.1 503/);
  expect((await mesh.status()).state).toBe('converged');
});
