/** An Envoy that has used up what it may use: of connections, of memory. Real agents. */
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { principalOf } from '../../core/mesh/ids';
import { edge, gatewayDeclarations } from '../kit/gateway-declarations';
import { eventually, lowered } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { sendRaw } from '../kit/raw-http';
import { request, runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(600_000);
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
const admin = async (id: string, page: string): Promise<string> =>
  (await request({ socketPath: present(mesh.agents.get(id)).adminSocket, path: page })).body;
/** What a new connection hears of a request; `` when it is closed without a word, `nothing` when it is not. */
function heard(patienceMs = 60_000): Promise<string> {
  const at = present(mesh.inventory.instances.find(({ id }) => id === 'page-1')?.outbound);
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(at.port, at.host, () =>
      socket.write('GET /reviews/7 HTTP/1.1\r\nhost: reviews.shop:9080\r\nconnection: close\r\n\r\n'),
    );
    socket.setTimeout(patienceMs, () => (resolve('nothing'), socket.destroy()));
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
  expect(
    await eventually(
      () => heard(),
      (text) => text === '',
    ),
  ).toBe('');
  expect(closed.size).toBe(0);
  for (const socket of held) socket.destroy();
  expect(
    await eventually(
      () => heard(),
      (text) => text !== '',
    ),
  ).toMatch(/^HTTP\/1\.1 200/);
});

test('one that has no memory left takes nothing more, and its agent says that it lives', async () => {
  await start({ heap: 1 << 20 });
  await eventually(
    () => admin('page-1', '/stats?filter=stop_accepting_'),
    (stats) => /_requests\.active: 1/.test(stats) && /_connections\.active: 1/.test(stats),
  );
  // a connection that nobody takes stays the kernel's: whoever waits for it waits in vain
  expect(await heard(5_000)).toMatch(/^$|^nothing$|^HTTP\/1\.1 503/);
  expect((await mesh.status()).state).toBe('converged');
});

test('whoever resets streams at a gateway, connection after connection, takes no request from others', async () => {
  const ir = lowered(gatewayDeclarations);
  const emitted = present(emitEnvoy(ir).value);
  const page = principalOf(ir.trustDomain, 'bookinfo', 'sa-productpage');
  const listeners = present(ir.gateways.find(({ key }) => key === edge)).listeners.map(({ name }) => name);
  mesh = await runMesh(
    [
      { id: 'edge', workload: edge, principal: principalOf(ir.trustDomain, 'platform', 'edge'), ports: [], listeners },
      { id: 'page', workload: 'bookinfo/productpage', principal: page, ports: ['web'] },
    ],
    { trustDomain: ir.trustDomain },
  );
  await mesh.release([...emitted.services, ...emitted.proxies]);
  await Promise.all(['edge', 'page'].map((id) => mesh.startAgent(id)));
  const at = present(mesh.inventory.instances.find(({ id }) => id === 'edge')?.listeners?.['plain']);
  const ask = (): Promise<number> =>
    sendRaw(at, { method: 'GET', path: '/productpage', host: 'shop.example', headers: {} }).then(
      ({ status }) => status,
      () => 0,
    );
  expect(await eventually(ask, (status) => status === 200)).toBe(200);
  // what it does to such connections is what its agent has told it
  const told = /"overload\.premature_reset_total_stream_count"[^}]*"final_value": "500"/;
  expect(
    await eventually(
      () => admin('edge', '/runtime'),
      (text) => told.test(text),
    ),
  ).toMatch(told);
  const attack = async (): Promise<void> => {
    const client = http2.connect(`http://${at.host}:${at.port}`);
    client.on('error', () => undefined);
    const gone = new Promise<void>((resolve) => client.on('close', () => resolve()));
    for (let turn = 0; turn < 200 && !client.destroyed; turn += 1) {
      for (let one = 0; one < 10 && !client.closed && !client.destroyed; one += 1) {
        const stream = client.request({ ':path': '/productpage', ':authority': 'shop.example' });
        stream.on('error', () => undefined);
        // once it has been sent on, and before it is answered
        setImmediate(() => stream.close(http2.constants.NGHTTP2_CANCEL));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    client.destroy();
    await gone;
  };
  const answers: number[] = [];
  let over = false;
  const others = (async () => {
    while (!over) answers.push(await ask());
  })();
  // as often as it takes until enough others were answered meanwhile
  for (let turn = 0; turn < 8 || answers.length <= 20; turn += 1) await attack();
  over = true;
  await others;
  expect(answers.filter((status) => status !== 200)).toEqual([]);
});
