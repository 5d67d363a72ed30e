/** Requests, calls and sockets on which nothing is said: each ends after `idle`, and one on which either side says something now and then does not. */
import * as http from 'node:http';
import type * as net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { allow, named, service, workload } from '../kit/declarations';
import { bothStream, bytes, grpcMethod, serveGrpc } from '../kit/grpc-server';
import { appOf, eventually, key, type LayeredMesh, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';

// what else ends anything does so long after the test has
const settings = { idle: '3s', timeout: '30m' } as const;
const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/plain': service('books/bookinfo', 'plain', { ports: { web: { protocol: 'http', number: 8081 } }, settings }),
  'books/rpc': service('books/bookinfo', 'rpc', { ports: { web: { protocol: 'grpc', number: 7070 } }, settings }),
  'books/chat': service('books/bookinfo', 'chat', { ports: { web: { protocol: 'websocket', number: 8080, maxAge: '30m' } }, settings }),
};
for (const name of ['plain', 'rpc', 'chat']) declarations[`books/${name}Use`] = allow(`books/${name}`, [named('books/app')]);

let layers: LayeredMesh;
const servers: (() => void)[] = [];
/** Longer than `idle`, in steps much shorter. On a machine that stalls as long as `idle` nothing was said for so long: it is tried again. */
const turns = 25;
const stepMs = 200;
const trickle = async (say: () => void): Promise<void> => {
  for (let turn = 0; turn < turns; turn += 1) {
    say();
    await sleep(stepMs);
  }
};

beforeAll(async () => {
  layers = await startLayers(declarations, async (mesh) => {
    const web = http.createServer((request, response) => {
      request.on('error', () => undefined);
      if (request.url === '/mute') return void request.resume();
      if (request.url === '/begun') return void request.resume().on('end', () => response.writeHead(200).write('begun'));
      if (request.url === '/talks') return void trickle(() => response.write('.')).then(() => response.end());
      let heard = 0;
      request.on('data', (chunk: Buffer) => (heard += chunk.length)).on('end', () => response.end(String(heard)));
    });
    const at = appOf(mesh, 'plain');
    await new Promise<void>((resolve, reject) => web.once('error', reject).listen(at.port, at.host, resolve));
    servers.push(() => (web.closeAllConnections(), web.close()));
    // what is upgraded is bytes from then on, sent back as they come
    const chat = http.createServer();
    chat.on('upgrade', (_request, socket: net.Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
      socket.on('error', () => undefined).pipe(socket);
    });
    const chatAt = appOf(mesh, 'chat');
    await new Promise<void>((resolve, reject) => chat.once('error', reject).listen(chatAt.port, chatAt.host, resolve));
    servers.push(() => (chat.closeAllConnections(), chat.close()));
    const sendsBack: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) =>
      void call.on('error', () => undefined).on('data', (chunk: Buffer) => call.write(chunk));
    const rpc = await serveGrpc(appOf(mesh, 'rpc'), { Both: [grpcMethod('t.v1.Echo/Both', bothStream), sendsBack] });
    servers.push(() => rpc.close());
  });
}, 120_000);
afterAll(async () => {
  for (const end of servers) end();
  await layers?.stop();
}, 30_000);

const outbound = () => present(layers.mesh.instanceOf(key('app')).outbound);
/** Status and body, or how the answer was cut off. */
function ask(path: string, send: (request: http.ClientRequest) => void): Promise<readonly [number, string]> {
  const { host, port } = outbound();
  return new Promise((resolve) => {
    const call = http.request({ host, port, path, method: 'POST', headers: { host: 'plain.bookinfo:8081' }, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('error', () => undefined);
      response.on('close', () => resolve([response.statusCode ?? 0, response.complete ? body : `${body}, cut off`]));
    });
    call.on('error', ({ message }) => resolve([0, message]));
    send(call);
  });
}

describe('a request', () => {
  test('that is not answered ends with 504', async () => {
    expect((await ask('/mute', (request) => request.end()))[0]).toBe(504);
  });
  test('whose answer has begun is cut off', async () => {
    const said = await eventually(
      () => ask('/begun', (request) => request.end()),
      ([status]) => status === 200,
    );
    expect(said).toEqual([200, 'begun, cut off']);
  });
  test('goes on while its answer does', async () => {
    const whole = '.'.repeat(turns);
    const said = await eventually(
      () => ask('/talks', (request) => request.end()),
      ([, body]) => body === whole,
    );
    expect(said).toEqual([200, whole]);
  });
  test('goes on while it is being sent', async () => {
    const said = await eventually(
      () => ask('/upload', (request) => void trickle(() => request.write('x')).then(() => request.end())),
      ([status]) => status === 200,
    );
    expect(said).toEqual([200, String(turns)]);
  });
});

describe('a gRPC stream', () => {
  /** How it ended, and how many echoes there were. With the last it is cancelled. */
  const stream = (talk: (write: () => void) => void): Promise<readonly [grpc.status, number]> => {
    const { host, port } = outbound();
    const client = new grpc.Client(`${host}:${port}`, grpc.credentials.createInsecure(), { 'grpc.default_authority': 'rpc.bookinfo:7070' });
    return new Promise((resolve) => {
      let heard = 0;
      const call = client.makeBidiStreamRequest('/t.v1.Echo/Both', bytes.serialize, bytes.deserialize);
      call.on('data', () => void ((heard += 1) === turns && call.cancel()));
      call.on('error', () => undefined);
      call.on('status', ({ code }) => (client.close(), resolve([code, heard])));
      talk(() => void call.write(Buffer.from('x')));
    });
  };
  test('on which nothing is said ends, and not well', async () => {
    const [code, heard] = await eventually(
      () => stream((write) => write()),
      ([, echoes]) => echoes === 1,
    );
    expect(heard).toBe(1);
    expect([grpc.status.OK, grpc.status.CANCELLED]).not.toContain(code);
  });
  test('on which something is said goes on', async () => {
    const ended = await eventually(
      () => stream((write) => void trickle(write)),
      ([code]) => code === grpc.status.CANCELLED,
    );
    expect(ended).toEqual([grpc.status.CANCELLED, turns]);
  });
});

describe('a WebSocket', () => {
  /** What came back before it was closed. With the last of it, it is closed here. */
  const socket = (talk: (write: () => void) => void): Promise<{ readonly heard: number; readonly byOther: boolean }> => {
    const { host, port } = outbound();
    return new Promise((resolve, reject) => {
      const headers = { host: 'chat.bookinfo:8080', upgrade: 'websocket', connection: 'upgrade' };
      const call = http.request({ host, port, path: '/', headers, agent: false });
      call.on('error', reject);
      call.on('response', (response) => (response.resume(), resolve({ heard: 0, byOther: true })));
      call.on('upgrade', (_response, raw) => {
        let [heard, byOther] = [0, true];
        raw.on('data', (chunk: Buffer) => {
          heard += chunk.length;
          if (heard < turns) return;
          byOther = false;
          raw.destroy();
        });
        raw.on('error', () => undefined);
        raw.on('close', () => resolve({ heard, byOther }));
        raw.on('end', () => raw.end());
        talk(() => void raw.write('x'));
      });
      call.end();
    });
  };
  test('on which nothing is said ends before its age', async () => {
    const ended = await eventually(
      () => socket((write) => write()),
      ({ heard }) => heard === 1,
    );
    expect(ended).toEqual({ heard: 1, byOther: true });
  });
  test('on which something is said goes on', async () => {
    const ended = await eventually(
      () => socket((write) => void trickle(write)),
      ({ byOther }) => !byOther,
    );
    expect(ended).toEqual({ heard: turns, byOther: false });
  });
});
