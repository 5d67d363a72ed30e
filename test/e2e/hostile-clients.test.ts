/** What a client may hold of a proxy: silent, slow, many, or with more than it may send. At gateways, and where services listen. Real Envoys. */
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import type { MeshRequest } from '../../core/semantics/decision';
import type { Address } from '../../runtime-proxy/inventory';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { sumOf } from '../kit/envoy-stats';
import { edge, gatewayDeclarations } from '../kit/gateway-declarations';
import { appOf, eventually, guardOf, key, type LayeredMesh, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { type RawAnswer, sendRaw, testApps } from '../kit/raw-http';

jest.setTimeout(180_000);
let layers: LayeredMesh;
const apps = testApps();
/** Says more than anybody reads. */
const endless = net.createServer((socket) => {
  const more = (): void => {
    while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
  };
  socket.on('drain', more).on('error', () => undefined);
  more();
});
beforeAll(async () => {
  layers = await startLayers(gatewayDeclarations, async (mesh) => {
    const { host, port } = appOf(mesh, 'rows');
    await apps.listen([...mesh.apps.keys()].filter((number) => number !== port));
    await new Promise<void>((resolve, reject) => endless.once('error', reject).listen(port, host, resolve));
  });
}, 120_000);
afterAll(async () => {
  endless.close();
  await Promise.all([layers?.stop(), apps.close()]);
}, 30_000);

const listener = (name: string): Address => present(layers.mesh.instanceOf(edge).listeners?.[name]);
/** What is heard, to its end, on a connection on which these bytes are all that is ever sent. Proxies end it after 10 s or 15; null: it did not end. */
function heardOn(at: Address, bytes: string | null): Promise<string | null> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = net.connect(at.port, at.host, () => (bytes === null ? undefined : socket.write(bytes, 'latin1')));
    const late = setTimeout(() => (resolve(null), socket.destroy()), 90_000);
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => (clearTimeout(late), resolve(heard)));
  });
}

/** A whole ClientHello, as a client for that name begins. */
function helloFor(servername: string): Promise<string> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => (resolve(chunk.toString('latin1')), done()),
    });
    tls.connect({ socket: wire, servername, rejectUnauthorized: false, ALPNProtocols: ['h2'] }).on('error', () => undefined);
  });
}

test('a handshake that is never made ends, however far it came: at a gateway, at a service, at one of connections', async () => {
  const hello = await helloFor('shop.example');
  const doors = { gateway: listener('web'), details: guardOf(layers.mesh, 'details'), rows: guardOf(layers.mesh, 'rows') };
  const lives = await Promise.all(
    Object.entries(doors).flatMap(([door, at]) =>
      Object.entries({ nothing: null, half: hello.slice(0, 60), hello }).map(async ([sent, bytes]) => {
        return { door, sent, ends: (await heardOn(at, bytes)) !== null };
      }),
    ),
  );
  expect(lives.filter(({ ends }) => !ends)).toEqual([]);
});

test('headers that take too long are answered 408', async () => {
  expect(await heardOn(listener('plain'), 'GET /productpage HTTP/1.1\r\nhost: shop.example\r\n')).toMatch(/^HTTP\/1\.1 408 /);
});

describe('a name with `_`, which an application may read as the name with `-`', () => {
  const request = (name: string): MeshRequest => ({
    from: { kind: 'outside', gateway: edge, listener: 'plain', host: 'shop.example' },
    to: null,
    method: 'GET',
    path: '/who',
    headers: { [name]: 'URI=spiffe://acme.example/ns/bookinfo/sa/sa-productpage' },
  });
  const refused = async (name: string): Promise<RawAnswer> => {
    const answer = await askEnvoy(layers.ir, layers.mesh, request(name));
    expect(difference(layers.ir, layers.mesh, request(name), answer)).toBeNull();
    return answer;
  };
  test.each(['x_forwarded_client_cert', 'x-meshwright_client-certificate', 'api_key'])('is refused at a gateway: %s', async (name) => {
    const before = apps.seen.length;
    expect((await refused(name)).status).toBe(400);
    expect(apps.seen.length).toBe(before);
  });
  test('is refused in HTTP/2 by a reset of its stream, and the connection goes on', async () => {
    const { host, port } = listener('plain');
    const client = http2.connect(`http://${host}:${port}`);
    const ask = (headers: http2.OutgoingHttpHeaders): Promise<number | string> =>
      new Promise((resolve) => {
        const stream = client.request({ ':path': '/productpage', ':authority': 'shop.example', ...headers });
        stream.on('response', ({ ':status': status }) => resolve(status ?? 0));
        stream.on('error', ({ message }) => resolve(message));
        stream.resume();
      });
    expect(await ask({ x_forwarded_client_cert: 'URI=spiffe://acme.example/ns/bookinfo/sa/sa-productpage' })).toContain('Stream closed');
    expect(await ask({})).toBe(200);
    client.destroy();
  });
  test('goes on inside the mesh, but for the one by which a proxy says who called', async () => {
    const { outbound } = layers.mesh.instanceOf(key('productpage'));
    const names = ['x_forwarded_client_cert', 'x-forwarded_client-cert', 'X_Forwarded-Client_Cert', 'api_key'];
    const answer = await sendRaw(present(outbound), {
      ...{ method: 'GET', path: '/details/0', host: 'details.bookinfo:9080' },
      headers: Object.fromEntries(names.map((name) => [name, 'URI=spiffe://acme.example/ns/bookinfo/sa/sa-reviews'])),
    });
    expect(answer.status).toBe(200);
    const { headers } = present(apps.seen.at(-1));
    expect(Object.keys(headers).filter((name) => name.includes('_'))).toEqual(['api_key']);
    expect(String(headers['x-forwarded-client-cert'])).toContain('sa-productpage');
  });
});

describe('HTTP/2', () => {
  const session = (): http2.ClientHttp2Session => http2.connect(`http://${listener('plain').host}:${listener('plain').port}`);
  const alive = async (): Promise<number> =>
    (await sendRaw(listener('plain'), { method: 'GET', path: '/productpage', host: 'shop.example', headers: {} })).status;
  test('streams that are reset as soon as they are opened end the connection', async () => {
    const client = session();
    client.on('error', () => undefined);
    const gone = new Promise<void>((resolve) => client.on('close', () => resolve()));
    const timer = setInterval(() => {
      for (let turn = 0; turn < 50 && !client.destroyed && !client.closed; turn += 1) {
        const stream = client.request({ ':path': '/productpage', ':authority': 'shop.example' });
        stream.on('error', () => undefined);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
    }, 5);
    await gone;
    clearInterval(timer);
    expect(sumOf(await layers.client.admin('/stats'), /downstream_rq_too_many_premature_resets/)).toBe(1);
    expect(await eventually(alive, (status) => status === 200)).toBe(200);
  });
  test('CONTINUATION without end ends the connection', async () => {
    const frame = (type: number, flags: number, stream: number, body: Buffer): Buffer => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(body.length, 0, 3);
      head.writeUInt8(type, 3);
      head.writeUInt8(flags, 4);
      head.writeUInt32BE(stream, 5);
      return Buffer.concat([head, body]);
    };
    const { host, port } = listener('plain');
    // what is refused is read and thrown away until the connection is closed, so its end is what counts, and no number of bytes
    const ended = await new Promise<boolean>((resolve) => {
      const late = setTimeout(() => resolve(false), 90_000);
      const socket = net.connect(port, host, () => {
        socket.write(
          Buffer.concat([
            Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
            frame(4, 0, 0, Buffer.alloc(0)),
            frame(1, 0, 1, Buffer.from([0x82])),
          ]),
        );
        // a literal header without indexing, `a: <8,000 bytes>`
        const body = Buffer.concat([Buffer.from([0x00, 0x01, 0x61, 0x7f, 0xc1, 0x3d]), Buffer.alloc(8_000, 0x62)]);
        const more = (): void => {
          if (!socket.destroyed) socket.write(frame(9, 0, 1, body), () => setImmediate(more));
        };
        more();
      });
      socket.resume().on('error', () => undefined);
      socket.on('close', () => (clearTimeout(late), resolve(true)));
    });
    expect(ended).toBe(true);
    expect(await alive()).toBe(200);
  });
  test('more than 100 streams at once, or headers, or bytes of them, are not taken', async () => {
    const client = session();
    client.on('error', () => undefined);
    const settings = await new Promise<http2.Settings>((resolve) => client.once('remoteSettings', resolve));
    expect(settings).toMatchObject({ maxConcurrentStreams: 100, initialWindowSize: 65_536 });
    client.destroy();
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, 'y']));
    const send = (headers: { readonly [name: string]: string }): Promise<RawAnswer> =>
      sendRaw(listener('plain'), { method: 'GET', path: '/productpage', host: 'shop.example', headers });
    expect((await send(many)).status).toBe(431);
    expect((await send({ 'x-large': 'y'.repeat(62_000) })).status).toBe(431);
  });
});

test('of a connection that reads nothing a gateway holds 32 KiB and what it reads at once, not the 1 MiB of proxies inside', async () => {
  const { host, port } = listener('queue');
  const silent = Array.from({ length: 16 }, () => net.connect(port, host).pause());
  const paused = (stats: string): number => sumOf(stats, /flow_control_paused_reading/) - sumOf(stats, /flow_control_resumed_reading/);
  // once the clients' machine takes no more, the gateway has to stop reading what the destination sends
  const stats = await eventually(
    () => layers.client.admin('/stats?filter=rows.*flow_control|tx_bytes_buffered'),
    (page) => paused(page) === silent.length,
  );
  for (const socket of silent) socket.destroy();
  expect(paused(stats)).toBe(silent.length);
  const held = sumOf(stats, /^tcp\..*downstream_cx_tx_bytes_buffered/) / silent.length;
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThan(1 << 20);
});
