/** A WebSocket over HTTP/2 (RFC 8441): an application opens it by an extended CONNECT, through two Envoys, to a server that knows HTTP/1.1 only. */
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as path from 'node:path';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { allow, named, service, workload } from '../kit/declarations';
import { appOf, eventually, key, type LayeredMesh, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';

const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/chat': service('books/bookinfo', 'chat', { ports: { web: { protocol: 'websocket', number: 8080, maxAge: '30m' } } }),
  'books/chatUse': allow('books/chat', [named('books/app')], { requests: ['GET /talk', 'GET /copied'] }),
  'books/brief': service('books/bookinfo', 'brief', { ports: { web: { protocol: 'websocket', number: 8080, maxAge: '3s' } } }),
  'books/briefUse': allow('books/brief', [named('books/app')]),
  'books/chatRoute': {
    ...{ kind: 'route', on: { ref: 'books/chat', port: 'web' } },
    rules: [
      {
        when: { request: ['GET /copied'] },
        ...{
          to: { kind: 'target', to: { ref: 'books/chat', port: 'web' } },
          mirror: [{ to: { ref: 'books/plain', port: 'web' }, share: '100%' }],
        },
      },
    ],
    otherwise: { to: { kind: 'target', to: { ref: 'books/chat', port: 'web' } } },
  },
  'books/plain': service('books/bookinfo', 'plain', {
    ports: { web: { protocol: 'http', number: 8081 } },
    settings: { timeout: '5m' },
  }),
  'books/plainUse': allow('books/plain', [named('books/app')]),
};
let layers: LayeredMesh;
const servers: http.Server[] = [];
const arrived: http.IncomingMessage[] = [];
beforeAll(async () => {
  layers = await startLayers(declarations, async (mesh) => {
    for (const name of ['chat', 'brief', 'plain']) {
      const at = appOf(mesh, name);
      const server = http.createServer((request, response) => {
        arrived.push(request);
        // its answer waits for the rest of it
        request.resume().on('end', () => response.end('plain'));
      });
      server.on('upgrade', (request) => arrived.push(request));
      const script = path.join(__dirname, '..', 'kit', 'clients', 'websocket-server.cjs');
      const { attach }: { attach(server: http.Server): void } = jest.requireActual(script);
      attach(server);
      servers.push(server);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at.port, at.host, resolve));
    }
  });
}, 120_000);
afterAll(async () => {
  await layers?.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
}, 30_000);

/** A frame of text as a client sends it: masked, less than 126 bytes (RFC 6455 section 5.2). */
const frame = (text: string): Buffer => {
  const mask = Buffer.from([1, 2, 3, 4]);
  const bytes = Buffer.from(text).map((byte, index) => byte ^ (mask[index & 3] ?? 0));
  return Buffer.concat([Buffer.from([0x81, 0x80 | bytes.length]), mask, bytes]);
};
const textOf = (bytes: Buffer): string => (bytes[0] === 0x81 ? bytes.subarray(2).toString() : `no text: ${bytes.toString('hex')}`);

interface Socket {
  readonly status: number;
  say(text: string): Promise<string>;
  /** Whether the other side has ended it. */
  readonly ended: Promise<void>;
  close(): void;
}
function open(authority: string, where: string, over: http2.OutgoingHttpHeaders = {}): Promise<Socket> {
  const { host, port } = present(layers.mesh.instanceOf(key('app')).outbound);
  const session = http2.connect(`http://${host}:${port}`);
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    session.once('remoteSettings', ({ enableConnectProtocol }) => {
      if (enableConnectProtocol !== true) return reject(new Error('the proxy does not say that it takes an extended CONNECT'));
      const stream = session.request(
        {
          ...{ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': where, ':authority': authority },
          ...{ 'sec-websocket-version': '13', origin: 'http://shop.example' },
          ...over,
        },
        { endStream: false },
      );
      let hear: (bytes: Buffer) => void = () => undefined;
      const ended = new Promise<void>((end) => stream.on('close', end));
      stream.on('data', (chunk: Buffer) => hear(chunk));
      stream.on('error', () => undefined);
      stream.on('response', ({ ':status': status = 0 }) =>
        resolve({
          status,
          ended,
          say: (text) =>
            new Promise((heard) => {
              hear = (bytes) => heard(textOf(bytes));
              stream.write(frame(text));
            }),
          close: () => session.destroy(),
        }),
      );
    });
  });
}

test('messages go both ways', async () => {
  const socket = await open('chat.bookinfo:8080', '/talk');
  expect(socket.status).toBe(200);
  expect([await socket.say('one'), await socket.say('two')]).toEqual(['echo one', 'echo two']);
  expect(arrived.map(({ method, url, headers }) => [method, url, headers.upgrade, headers.origin])).toEqual([
    ['GET', '/talk', 'websocket', 'http://shop.example'],
  ]);
  socket.close();
});
test('a socket ends with its age', async () => {
  const socket = await eventually(
    () => open('brief.bookinfo:8080', '/'),
    ({ status }) => status === 200,
  );
  expect(socket.status).toBe(200);
  await socket.ended;
  socket.close();
});
test('a plain request on the port has no key, and an upgrade over HTTP/1.1 keeps its own', async () => {
  const { host, port } = present(layers.mesh.instanceOf(key('app')).outbound);
  const ask = (headers: http.OutgoingHttpHeaders): Promise<void> =>
    new Promise((resolve, reject) => {
      const call = http.request({ host, port, path: '/talk', headers: { host: 'chat.bookinfo:8080', ...headers }, agent: false });
      call.on('response', (response) => response.resume().on('end', resolve));
      call.on('upgrade', (_response, socket) => (socket.destroy(), resolve()));
      call.on('error', reject);
      call.end();
    });
  arrived.length = 0;
  await ask({});
  const own = Buffer.from('sixteen bytes :)').toString('base64');
  await ask({ upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': own });
  expect(arrived.map(({ headers }) => [headers.upgrade, headers['sec-websocket-key']])).toEqual([
    [undefined, undefined],
    ['websocket', own],
  ]);
});
test('one that a port does not take ends nothing else there, were it a copy', async () => {
  const { host, port } = present(layers.mesh.instanceOf(key('app')).outbound);
  arrived.length = 0;
  // a request that has begun, on the connection that a copy goes by
  const held = http.request({ host, port, method: 'POST', path: '/held', headers: { host: 'plain.bookinfo:8081' }, agent: false });
  const answered = new Promise<number>((resolve, reject) => {
    held.on('response', (response) => (response.resume(), resolve(response.statusCode ?? 0)));
    held.on('error', reject);
  });
  held.write('begun');
  const hasArrived = (): boolean => arrived.some(({ url }) => url === '/held');
  expect(await eventually(hasArrived, Boolean)).toBe(true);
  const socket = await open('chat.bookinfo:8080', '/copied');
  expect([socket.status, await socket.say('one')]).toEqual([200, 'echo one']);
  // the copy has come to its end, whichever
  const isOver = async (): Promise<boolean> => {
    const numbers = await layers.client.admin('/stats?filter=plain.web.upstream_rq');
    return /upstream_rq_total: 2$/m.test(numbers) && !/upstream_rq_active: 2$/m.test(numbers);
  };
  expect(await eventually(isOver, Boolean)).toBe(true);
  held.end();
  expect(await answered).toBe(200);
  socket.close();
  expect(arrived.filter(({ headers }) => headers.host === 'plain.bookinfo:8081')).toHaveLength(1);
});
test.each([
  ['a path that no rule lets in', 'chat.bookinfo:8080', '/other', {}, 403],
  ['a path that is not canonical', 'chat.bookinfo:8080', '/x/../talk', {}, 400],
  ['a port that is not for it', 'plain.bookinfo:8081', '/talk', {}, 403],
  ['another protocol', 'chat.bookinfo:8080', '/talk', { ':protocol': 'mqtt' }, 403],
  ['a tunnel', 'chat.bookinfo:8080', '/talk', { ':protocol': 'connect-udp' }, 404],
])('%s is refused', async (_what, authority, where, over, status) => {
  const before = arrived.length;
  const socket = await open(authority, where, over);
  socket.close();
  expect([socket.status, arrived.length]).toEqual([status, before]);
});
