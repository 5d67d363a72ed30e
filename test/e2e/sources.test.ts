/** From where somebody comes to a gateway, by the real address of the connection: clients on addresses of their own, real Envoys, the definition beside them. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import { decide } from '../../core/semantics/decide';
import { decideOutsideConnection } from '../../core/semantics/decide-connection';
import type { Address } from '../../runtime-proxy/inventory';
import { edge, gatewayDeclarations } from '../kit/gateway-declarations';
import { appOf, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';

jest.setTimeout(300_000);
let layers: LayeredMesh;
const servers: net.Server[] = [];

beforeAll(async () => {
  layers = await startLayers(gatewayDeclarations, async (mesh) => {
    for (const name of ['rows', 'spare']) {
      const server = net.createServer((socket) => socket.on('error', () => undefined).end(`${name}\n`));
      servers.push(server);
      const { host, port: number } = appOf(mesh, name);
      await new Promise<void>((resolve, reject) => void server.once('error', reject).listen(number, host, resolve));
    }
  });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await layers?.stop();
});

const at = (listener: string): Address => present(layers.mesh.instanceOf(edge).listeners?.[listener]);
/** All that is heard by a client on that address; it says `lines` first. */
function hear(listener: string, address: string, sni: string | null, lines: readonly string[]): Promise<string> {
  const { host, port: number } = at(listener);
  return new Promise((resolve, reject) => {
    const plain = net.connect({ host, port: number, localAddress: address });
    const socket: net.Socket = sni === null ? plain : tls.connect({ socket: plain, servername: sni, rejectUnauthorized: false });
    let heard = '';
    socket.setTimeout(60_000, () => socket.destroy(new Error('nothing heard')));
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
    if (lines.length > 0) socket.write([...lines, '', ''].join('\r\n'));
  });
}
/** The status by Envoy; that the definition says the same is seen to. */
async function status(listener: string, address: string, path: string, more: readonly string[] = []): Promise<number> {
  const heard = await hear(listener, address, listener === 'web' ? 'who.example' : null, [
    `GET ${path} HTTP/1.1`,
    'host: who.example',
    ...more,
  ]);
  const decision = decide(layers.ir, {
    from: { kind: 'outside', gateway: edge, listener, host: 'who.example', address },
    to: null,
    ...{ method: 'GET', path, headers: {} },
  });
  const got = Number(heard.slice(9, 12));
  expect([listener, address, path, got]).toEqual([listener, address, path, decision.status]);
  return got;
}

describe.each(['web', 'plain'])('requests at listener %s', (listener) => {
  test('are taken by the rules of the networks that their connection comes from, in their order', async () => {
    expect(await status(listener, '127.1.2.3', '/desk')).toBe(201);
    expect(await status(listener, '127.1.2.3', '/open')).toBe(202);
    expect(await status(listener, '127.1.9.9', '/desk')).toBe(202);
    expect(await status(listener, '127.3.0.7', '/x')).toBe(202);
    expect(await status(listener, '127.3.1.7', '/x')).toBe(403);
    expect(await status(listener, '127.0.0.1', '/open')).toBe(203);
    expect(await status(listener, '127.2.2.2', '/desk')).toBe(403);
  });
  test('no header says where somebody comes from', async () => {
    const forged = [
      'x-forwarded-for: 127.1.2.3',
      'x-real-ip: 127.1.2.3',
      'forwarded: for=127.1.2.3',
      'x-envoy-external-address: 127.1.2.3',
    ];
    expect(await status(listener, '127.2.2.2', '/desk', forged)).toBe(403);
  });
});

describe('behind a load balancer, which says who dialled in a PROXY header', () => {
  const header = (address: string): string =>
    `PROXY ${address.includes(':') ? 'TCP6' : 'TCP4'} ${address} ${address.includes(':') ? '::1' : '127.0.0.1'} 40000 80`;
  /** What a client hears by way of a balancer that says this, at the listener that believes it. */
  const heardBehind = (listener: string, ...lines: readonly string[]): Promise<string> => hear(listener, '127.0.0.1', null, lines);
  const get = ['GET /desk HTTP/1.1', 'host: who.example'];
  // a balancer that takes both families on one socket says the last ones
  test.each(['127.1.2.3', '127.1.9.9', '127.2.2.2', '::1', '::ffff:127.1.2.3', '::ffff:7f01:203', '::ffff:127.2.2.2'])(
    'a request of %s is taken by the networks of that address',
    async (address) => {
      const got = Number((await heardBehind('fronted', header(address), ...get)).slice(9, 12));
      const from = { kind: 'outside', gateway: edge, listener: 'fronted', host: 'who.example', address } as const;
      const decision = decide(layers.ir, { from, to: null, method: 'GET', path: '/desk', headers: {} });
      expect([address, got]).toEqual([address, decision.status]);
    },
  );
  test('so is a connection', async () => {
    for (const [address, name] of [
      ['127.1.2.200', 'spare'],
      ['127.1.3.1', 'rows'],
    ] as const)
      expect([address, await heardBehind('behind', header(address))]).toEqual([address, `${name}\n`]);
  });
  test('who comes without one is closed, whatever his own address is', async () => {
    for (const address of ['127.0.0.1', '127.1.2.3']) {
      const heard = await hear('fronted', address, null, get).catch((error: NodeJS.ErrnoException) => error.code);
      expect(['', 'ECONNRESET']).toContain(heard);
    }
  });
  test('a listener that asks for none takes it for what a client says, and refuses it', async () => {
    expect((await heardBehind('plain', header('127.1.2.3'), ...get)).slice(9, 12)).toBe('400');
  });
});

test('connections go where the networks lead that they come from', async () => {
  for (const [address, name] of [
    ['127.1.2.200', 'spare'],
    ['127.1.3.1', 'rows'],
    ['127.0.0.1', 'rows'],
  ] as const) {
    expect([address, await hear('queue', address, null, [])]).toEqual([address, `${name}\n`]);
    const decision = decideOutsideConnection(layers.ir, { gateway: edge, listener: 'queue', sni: null, address });
    expect(decision).toMatchObject({ outcome: 'allow', destinations: [{ port: port(name) }] });
  }
});
