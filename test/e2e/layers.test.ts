/** gRPC and WebSockets through two Envoys with mTLS: real clients and servers of each. */
import * as http from 'node:http';
import * as path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { runCommand } from '../../platform/process';
import type { Address } from '../../runtime-proxy/inventory';
import { allow, named, service, workload } from '../kit/declarations';
import { bothStream, bytes, echoes, grpcMethod, saysWhatItHeard, serveGrpc } from '../kit/grpc-server';
import { appOf, eventually, key, type LayeredMesh, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';

jest.setTimeout(300_000);
const to = { kind: 'target', to: { ref: 'books/rpc', port: 'web' } } as const;
const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/rpc': service('books/bookinfo', 'rpc', { ports: { web: { protocol: 'grpc', number: 7070 } } }),
  'books/rpcUse': allow('books/rpc', [named('books/app')], {
    requests: [
      't.v1.Echo/Unary',
      't.v1.Echo/Client',
      't.v1.Echo/Server',
      't.v1.Echo/Both',
      't.v1.Echo/Slow',
      't.v1.Echo/Gone',
      't.v1.Echo/Flaky',
    ],
  }),
  'books/rpcRoutes': {
    kind: 'route',
    on: { ref: 'books/rpc', port: 'web' },
    rules: [
      { when: { request: ['t.v1.Echo/Gone'] }, to: { kind: 'respondGrpc', status: 'unavailable', message: 'in maintenance' } },
      { when: { request: ['t.v1.Echo/Slow'] }, to, timeout: '1s' },
      {
        when: { request: ['t.v1.Echo/Flaky'] },
        to,
        timeout: '60s',
        retry: { atMost: 2, perTry: '30s', on: ['unavailable'], methods: 'all' },
      },
    ],
    otherwise: { to, timeout: '60s' },
  },
  'books/chat': service('books/bookinfo', 'chat', { ports: { web: { protocol: 'websocket', number: 8080, maxAge: '2s' } } }),
  'books/chatUse': allow('books/chat', [named('books/app')], { requests: ['GET /talk'] }),
  'books/plain': service('books/bookinfo', 'plain', { ports: { web: { protocol: 'http', number: 8081 } } }),
  'books/plainUse': allow('books/plain', [named('books/app')]),
};

let layers: LayeredMesh;
const servers: { close(): void }[] = [];
let flaky = 0;
async function startGrpc(at: Address): Promise<void> {
  const counts = (call: grpc.ServerReadableStream<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>): void => {
    let count = 0;
    call.on('data', () => (count += 1));
    call.on('end', () => answer(null, Buffer.from(String(count))));
  };
  const saysThree = (call: grpc.ServerWritableStream<Buffer, Buffer>): void => {
    for (let i = 0; i < 3; i += 1) call.write(Buffer.from(String(i)));
    call.end();
  };
  const failsTwice = (_call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>): void => {
    flaky += 1;
    if (flaky < 3) answer({ code: grpc.status.UNAVAILABLE, details: 'not yet' });
    else answer(null, Buffer.from(`try ${flaky}`));
  };
  servers.push(
    await serveGrpc(at, {
      Unary: [grpcMethod('t.v1.Echo/Unary'), saysWhatItHeard],
      Hidden: [grpcMethod('t.v1.Echo/Hidden'), saysWhatItHeard],
      Gone: [grpcMethod('t.v1.Echo/Gone'), saysWhatItHeard],
      Client: [grpcMethod('t.v1.Echo/Client', { requestStream: true }), counts],
      Server: [grpcMethod('t.v1.Echo/Server', { responseStream: true }), saysThree],
      Both: [grpcMethod('t.v1.Echo/Both', bothStream), echoes],
      Slow: [grpcMethod('t.v1.Echo/Slow', bothStream), echoes],
      Flaky: [grpcMethod('t.v1.Echo/Flaky'), failsTwice],
    }),
  );
}

beforeAll(async () => {
  layers = await startLayers(declarations, async (mesh) => {
    await startGrpc(appOf(mesh, 'rpc'));
    for (const name of ['chat', 'plain']) {
      const at = appOf(mesh, name);
      const server = http.createServer((_request, response) => response.end('plain'));
      const script = path.join(__dirname, '..', 'kit', 'clients', 'websocket-server.cjs');
      const { attach }: { attach(server: http.Server): void } = jest.requireActual(script);
      attach(server);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at.port, at.host, resolve));
      servers.push({
        close: () => {
          server.closeAllConnections();
          server.close();
        },
      });
    }
  });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await layers?.stop();
});

describe('gRPC', () => {
  let client: grpc.Client;
  beforeAll(() => {
    const at = present(layers.mesh.instanceOf(key('app')).outbound);
    client = new grpc.Client(`${at.host}:${at.port}`, grpc.credentials.createInsecure(), { 'grpc.default_authority': 'rpc.bookinfo:7070' });
  });
  afterAll(() => client.close());
  interface Answer {
    readonly said?: string;
    readonly code: grpc.status;
    readonly details: string;
    readonly last?: unknown;
  }
  const unary = (name: string, metadata = new grpc.Metadata(), deadline?: number): Promise<Answer> =>
    new Promise((resolve) => {
      let said: string | undefined;
      const options = deadline === undefined ? {} : { deadline: Date.now() + deadline };
      const call = client.makeUnaryRequest(
        `/t.v1.Echo/${name}`,
        bytes.serialize,
        bytes.deserialize,
        Buffer.from('a'),
        metadata,
        options,
        (_error, value) => (said = value?.toString()),
      );
      call.on('status', ({ code, details, metadata: trailers }) =>
        resolve({ ...(said === undefined ? {} : { said }), code, details, last: trailers.get('said-last')[0] }),
      );
    });

  test('unary, with trailers', async () => {
    expect(await unary('Unary')).toMatchObject({ said: 'heard a', code: grpc.status.OK, last: 'so' });
  });
  test('streams of either side, and of both', async () => {
    const count = await new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest('/t.v1.Echo/Client', bytes.serialize, bytes.deserialize, (error, value) =>
        error ? reject(error) : resolve(value?.toString()),
      );
      for (const text of ['a', 'b', 'c']) call.write(Buffer.from(text));
      call.end();
    });
    expect(count).toBe('3');
    const got: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const call = client.makeServerStreamRequest('/t.v1.Echo/Server', bytes.serialize, bytes.deserialize, Buffer.from('a'));
      call.on('data', (chunk: Buffer) => got.push(chunk.toString()));
      call.on('error', reject);
      call.on('end', () => resolve());
    });
    expect(got).toEqual(['0', '1', '2']);
    expect(await both('Both', 1)).toMatchObject({ got: ['echo 0'], code: grpc.status.OK });
  });
  /** Writes `count` messages, each after the echo of the one before, then ends; Infinity: never. */
  const both = (name: string, count: number): Promise<{ readonly got: readonly string[]; readonly code: grpc.status }> =>
    new Promise((resolve) => {
      const got: string[] = [];
      const call = client.makeBidiStreamRequest(`/t.v1.Echo/${name}`, bytes.serialize, bytes.deserialize);
      call.on('data', (chunk: Buffer) => {
        got.push(chunk.toString());
        if (got.length >= count) call.end();
      });
      call.on('error', () => undefined);
      call.on('status', ({ code }) => resolve({ got, code }));
      call.write(Buffer.from('0'));
    });
  test('what no rule lets in is PERMISSION_DENIED', async () => {
    expect(await unary('Hidden')).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
  });
  test('a route answers with a status of its own', async () => {
    expect(await unary('Gone')).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'in maintenance' });
  });
  test('a call that is answered with a status named in the retries is tried again', async () => {
    expect(await unary('Flaky')).toMatchObject({ said: 'try 3', code: grpc.status.OK });
  });
  test('a stream that is open ends with its age, the timeout of its route', async () => {
    // on a machine that stands still for a second it is over before it has begun
    const { got, code } = await eventually(
      () => both('Slow', Infinity),
      (ended) => ended.got.length > 0,
    );
    expect(got).toEqual(['echo 0']);
    expect(code).not.toBe(grpc.status.OK);
    expect(await layers.client.admin('/stats?filter=max_duration_reached')).toMatch(/max_duration_reached: [1-9]/);
  });
  test('a shorter deadline of the caller counts', async () => {
    const metadata = new grpc.Metadata();
    metadata.set('grpc-timeout', '50m');
    const call = client.makeBidiStreamRequest('/t.v1.Echo/Both', bytes.serialize, bytes.deserialize, metadata);
    const code = await new Promise((resolve) => {
      call.on('data', () => undefined);
      call.on('error', () => undefined);
      call.on('status', (status) => resolve(status.code));
      call.write(Buffer.from('0'));
    });
    expect(code).not.toBe(grpc.status.OK);
  });
});

describe('WebSocket', () => {
  const talk = async (host: string, where = '/talk'): Promise<{ readonly ok?: unknown; readonly error?: string }> => {
    const at = present(layers.mesh.instanceOf(key('app')).outbound);
    const script = path.join(__dirname, '..', 'kit', 'clients', 'websocket.mjs');
    const { stdout } = await runCommand(process.execPath, [script, at.host, String(at.port), host, where], { timeoutMs: 120_000 });
    return JSON.parse(stdout);
  };
  test('messages both ways, and the socket ends with its age though it is in use', async () => {
    expect(await talk('chat.bookinfo:8080')).toEqual({ ok: { first: 'echo 0', closed: true } });
  });
  test('an upgrade is refused where no rule lets it in, and on a port that is not for it', async () => {
    expect((await talk('chat.bookinfo:8080', '/other')).error).toContain('403');
    expect((await talk('plain.bookinfo:8081')).error).toMatch(/40[0-9]/);
  });
});
