/** What comes in at a gateway: under TLS and in plain HTTP, as HTTP/1.1, HTTP/2, gRPC and WebSockets. Real clients, real Envoys, the definition beside them. */
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as path from 'node:path';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { answerQuestion } from '../../compiler/answer';
import type { Decision, MeshRequest } from '../../core/semantics/decision';
import { runCommand } from '../../platform/process';
import type { Address } from '../../runtime-proxy/inventory';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { edge, gatewayDeclarations } from '../kit/gateway-declarations';
import { bothStream, bytes, echoes, grpcMethod, saysWhatItHeard, serveGrpc } from '../kit/grpc-server';
import { appOf, eventually, type LayeredMesh, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { type RawAnswer, sendRaw, testApps } from '../kit/raw-http';
import { sendHttp2 } from '../kit/send-http2';

jest.setTimeout(240_000);
// the gateway's own times are short: on a machine that is slower than they are it is asked again
let layers: LayeredMesh;
const apps = testApps();
const servers: { close(): void }[] = [];
async function startGrpc(where: Address): Promise<void> {
  servers.push(
    await serveGrpc(where, {
      Unary: [grpcMethod('t.v1.Echo/Unary'), saysWhatItHeard],
      Hidden: [grpcMethod('t.v1.Echo/Hidden'), saysWhatItHeard],
      Both: [grpcMethod('t.v1.Echo/Both', bothStream), echoes],
    }),
  );
}

async function startChat(where: Address): Promise<void> {
  const server = http.createServer((_request, response) => response.end('plain'));
  const script = path.join(__dirname, '..', 'kit', 'clients', 'websocket-server.cjs');
  const { attach }: { attach(server: http.Server): void } = jest.requireActual(script);
  attach(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(where.port, where.host, resolve));
  servers.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
}

beforeAll(async () => {
  layers = await startLayers(gatewayDeclarations, async (mesh) => {
    await startGrpc(appOf(mesh, 'rpc'));
    await startChat(appOf(mesh, 'chat'));
    const own = [appOf(mesh, 'rpc'), appOf(mesh, 'chat')].map(({ port }) => port);
    await apps.listen([...mesh.apps.keys()].filter((port) => !own.includes(port)));
  });
}, 120_000);
afterAll(async () => {
  for (const server of servers) server.close();
  await Promise.all([layers?.stop(), apps.close()]);
}, 30_000);

const listener = (name: string): Address => present(layers.mesh.instanceOf(edge).listeners?.[name]);
async function both(name: string, host: string, requestPath: string, headers: MeshRequest['headers'] = {}): Promise<RawAnswer> {
  const request: MeshRequest = {
    from: { kind: 'outside', gateway: edge, listener: name, host },
    to: null,
    method: 'GET',
    path: requestPath,
    headers,
  };
  const answer = await askEnvoy(layers.ir, layers.mesh, request);
  expect([name, host, requestPath, difference(layers.ir, layers.mesh, request, answer)]).toEqual([name, host, requestPath, null]);
  return answer;
}

describe('plain HTTP', () => {
  test('is served by Host, with the access rules of the destination', async () => {
    expect((await both('plain', 'shop.example', '/productpage')).status).toBe(200);
    expect((await both('plain', 'shop.example', '/productpage', { host: 'SHOP.example:8080' })).status).toBe(200);
    expect((await both('plain', 'shop.example', '/private')).status).toBe(403);
    expect((await both('plain', 'a.b.books.example', '/anything')).status).toBe(200);
    expect((await both('plain', 'shop.example', '/a/../productpage')).status).toBe(400);
  });
  test('one connection asks for several hosts, each of which is served', async () => {
    expect((await both('plain', 'shop.example', '/x', { host: 'a.books.example' })).status).toBe(200);
  });
  test('a host that nobody serves there is 404, and so is one that is no host', async () => {
    expect((await both('plain', 'admin.example', '/productpage')).status).toBe(404);
    expect((await both('plain', 'rpc.example', '/productpage')).status).toBe(404);
    expect((await both('plain', 'idle.books.example', '/')).status).toBe(404);
    expect((await both('plain', 'shop.example', '/', { host: 'shop.example:' })).status).toBe(403);
  });
  test.each([
    'shop.example:x',
    'x:80.books.example:80',
    'you@a.books.example',
    '*.books.example',
    'a..books.example',
    'shop.example,a.books.example',
    'a%2e.books.example',
  ])('what is no host is 400: %s', async (host) => {
    expect((await both('plain', 'shop.example', '/', { host })).status).toBe(400);
    expect((await both('web', 'a.books.example', '/', { host })).status).toBe(400);
    expect((await both('open', 'shop.example', '/', { host })).status).toBe(400);
  });
  test('a redirect keeps the scheme of its listener', async () => {
    expect((await both('plain', 'shop.example', '/old/a/b')).headers['location']).toBe('http://shop.example/new/a/b');
    expect((await both('web', 'shop.example', '/old/a/b')).headers['location']).toBe('https://shop.example/new/a/b');
    expect((await both('plain', 'shop.example', '/up', { host: 'shop.example:80' })).headers['location']).toBe('https://shop.example/up');
  });
  test('nobody outside says by a header who he is', async () => {
    await both('plain', 'shop.example', '/who', {
      'x-forwarded-proto': 'https',
      'x-forwarded-client-cert': 'By=spiffe://a;URI=spiffe://b',
    });
    const seen = present(apps.seen.filter(({ url }) => url === '/who').at(-1));
    expect(String(seen.headers['x-forwarded-client-cert'])).not.toContain('spiffe://b');
  });
  test.each([
    ['plain', 'http'],
    ['web', 'https'],
  ])('at listener %s an application hears of %s, whatever the client says of it', async (name, scheme) => {
    for (const forged of [
      {},
      { 'x-forwarded-proto': 'https', 'x-meshwright-client-scheme': 'https' },
      { 'x-forwarded-proto': 'http', 'x-meshwright-client-scheme': 'http' },
    ]) {
      const before = apps.seen.length;
      await both(name, 'shop.example', '/who', forged);
      const { headers } = present(apps.seen[before]);
      expect([headers['x-forwarded-proto'], headers['x-meshwright-client-scheme']]).toEqual([scheme, undefined]);
    }
  });
  test('HTTP/2 without TLS, by prior knowledge', async () => {
    const answer = await sendHttp2(listener('plain'), { method: 'GET', path: '/productpage', host: 'shop.example', headers: [] });
    expect(answer.status).toBe(200);
  });
});

describe('a listener that redirects to https', () => {
  test('answers every request of its hosts with the same address under https', async () => {
    expect(await both('open', 'shop.example', '/productpage?a=1')).toMatchObject({
      status: 301,
      headers: { location: 'https://shop.example/productpage?a=1' },
    });
    expect((await both('open', 'shop.example', '/productpage?a=1', { host: 'SHOP.example:8080' })).headers['location']).toBe(
      'https://shop.example/productpage?a=1',
    );
    expect(await both('open', 'any.books.example', '/', { host: 'any.books.example:80' })).toMatchObject({
      status: 301,
      headers: { location: 'https://any.books.example/' },
    });
  });
  test.each([
    ['shop.example', 'GET /productpage?a=1', {}],
    ['shop.example', 'POST /x', {}],
    ['shop.example', 'GET /x', { host: 'shop.example:80' }],
    ['shop.example', 'GET /a/../x', {}],
    ['shop.example', 'GET /x', { host: 'evil.example' }],
    ['a.books.example', 'GET /x', {}],
    ['*.books.example', 'GET /x', {}],
    ['*.books.example', 'GET /x', { host: 'a.books.example:8080' }],
  ] as const)('policy tests are answered as clients are: %s %s %j', async (host, request, headers: MeshRequest['headers']) => {
    const ref = 'platform/edge';
    const asked = {
      op: 'ask',
      env: layers.ir.environment,
      from: { outside: { through: { ref } } },
      to: { ref, listener: 'open', host },
      request,
      headers,
    };
    const { decision }: { readonly decision: Decision } = JSON.parse(
      answerQuestion(new Map([[layers.ir.environment, layers.ir]]), JSON.stringify(asked)),
    );
    const [method = '', path = ''] = request.split(' ');
    const name = headers['host'] ?? host.replace('*', 'any');
    const answer = await sendRaw(listener('open'), { method, path, host: name, headers: [] });
    expect([answer.status, answer.headers['location']]).toEqual([decision.status, decision.answer?.headers['location']]);
    expect(answer.status === 301).toBe(decision.outcome === 'allow');
  });
  test('is no open redirect: what it does not serve is 404, what is not canonical 400', async () => {
    expect((await both('open', 'evil.example', '/')).status).toBe(404);
    expect((await both('open', 'shop.example', '//evil.example/')).status).toBe(400);
  });
});

describe('HTTP/2 over TLS', () => {
  test('one connection, many requests at once; a host of another certificate chain is 421', async () => {
    const { host, port } = listener('web');
    const session = http2.connect('https://shop.example', {
      createConnection: () => tls.connect({ host, port, servername: 'shop.example', ALPNProtocols: ['h2'], ca: layers.authority.trust }),
    });
    const ask = (authority: string, where: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':authority': authority, ':path': where });
        stream.on('response', (headers) => resolve(Number(headers[':status'])));
        stream.on('error', reject);
        stream.resume();
      });
    try {
      const asked = ['shop.example', 'shop.example:443', 'a.books.example', 'rpc.example', 'admin.example'].map((name) =>
        ask(name, '/productpage'),
      );
      expect(await Promise.all([...asked, ask('shop.example', '/private')])).toEqual([200, 200, 421, 421, 421, 403]);
    } finally {
      session.destroy();
    }
  });
  test('a server name that the listener does not have gets no connection', async () => {
    const { host, port } = listener('web');
    const said = await new Promise((resolve) => {
      const socket = tls.connect({ host, port, servername: 'admin.example', rejectUnauthorized: false });
      socket.on('secureConnect', () => resolve('connected'));
      socket.on('error', () => resolve('closed'));
    });
    expect(said).toBe('closed');
  });
});

describe('hosts of one number with certificates of their own', () => {
  /** The names in the certificate that is shown to whoever asks for that host. */
  const shownTo = (servername: string): Promise<readonly string[]> => {
    const { host, port } = listener('web');
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host, port, servername, ca: layers.authority.trust }, () => {
        const names = socket.getPeerX509Certificate()?.subjectAltName ?? '';
        resolve(
          names
            .split(', ')
            .map((name) => name.replace('DNS:', ''))
            .sort(),
        );
        socket.destroy();
      });
      socket.on('error', reject);
    });
  };
  test('each is shown to whoever asks for its host, also by a wildcard', async () => {
    const press = ['*.press.example', 'press.example'];
    expect(await shownTo('press.example')).toEqual(press);
    expect(await shownTo('any.press.example')).toEqual(press);
    expect(await shownTo('old.press.example')).toEqual(press);
    expect(await shownTo('shop.example')).toContain('shop.example');
    expect(await shownTo('shop.example')).not.toContain('press.example');
  });
  test('and a connection for one does not serve the other', async () => {
    expect((await both('web', 'press.example', '/productpage')).status).toBe(200);
    expect((await both('web', 'old.press.example', '/productpage')).status).toBe(200);
    expect((await both('web', 'press.example', '/productpage', { host: 'shop.example' })).status).toBe(421);
    expect((await both('web', 'shop.example', '/productpage', { host: 'press.example' })).status).toBe(421);
  });
});

describe('a connection for a wildcard', () => {
  test('serves what has no entry of its own', async () => {
    expect((await both('web', 'a.books.example', '/', { host: 'b.books.example' })).status).toBe(200);
    expect((await both('web', 'a.press.example', '/productpage', { host: 'b.press.example' })).status).toBe(404);
  });
  test('and no host that has one, or routes of its own: a client that finds it in the certificate has to come again', async () => {
    expect((await both('web', 'a.books.example', '/', { host: 'pay.books.example' })).status).toBe(421);
    expect((await both('web', 'pay.books.example', '/')).status).toBe(200);
    expect((await both('web', 'a.press.example', '/productpage', { host: 'old.press.example' })).status).toBe(421);
  });
});

describe('gRPC', () => {
  let client: grpc.Client;
  beforeAll(() => {
    const { host, port } = listener('web');
    client = new grpc.Client(`${host}:${port}`, grpc.credentials.createSsl(Buffer.from(layers.authority.trust)), {
      'grpc.ssl_target_name_override': 'rpc.example',
      'grpc.default_authority': 'rpc.example',
    });
  });
  afterAll(() => client.close());
  const unary = (name: string): Promise<{ readonly said?: string; readonly code: grpc.status; readonly last?: unknown }> =>
    new Promise((resolve) => {
      let said: string | undefined;
      const call = client.makeUnaryRequest(
        `/t.v1.Echo/${name}`,
        bytes.serialize,
        bytes.deserialize,
        Buffer.from('a'),
        (_error, value) => (said = value?.toString()),
      );
      call.on('status', ({ code, metadata }) =>
        resolve({ ...(said === undefined ? {} : { said }), code, last: metadata.get('said-last')[0] }),
      );
    });
  /** Writes one message after the echo of the other; `count` Infinity: until the other side ends it. */
  const stream = (count: number): Promise<{ readonly got: readonly string[]; readonly code: grpc.status }> =>
    new Promise((resolve) => {
      const got: string[] = [];
      const call = client.makeBidiStreamRequest('/t.v1.Echo/Both', bytes.serialize, bytes.deserialize);
      call.on('data', (chunk: Buffer) => {
        got.push(chunk.toString());
        if (got.length >= count) call.end();
        else if (got.length < 2) call.write(Buffer.from(String(got.length)));
      });
      call.on('error', () => undefined);
      call.on('status', ({ code }) => resolve({ got, code }));
      call.write(Buffer.from('0'));
    });

  test('unary with trailers, and a stream of both sides', async () => {
    const isWell = ({ code }: { readonly code: grpc.status }): boolean => code === grpc.status.OK;
    expect(await eventually(() => unary('Unary'), isWell)).toEqual({ said: 'heard a', code: grpc.status.OK, last: 'so' });
    expect(await eventually(() => stream(2), isWell)).toEqual({ got: ['echo 0', 'echo 1'], code: grpc.status.OK });
  });
  test('what no rule lets in from outside is PERMISSION_DENIED', async () => {
    expect((await unary('Hidden')).code).toBe(grpc.status.PERMISSION_DENIED);
  });
  test('a stream that is open ends with the timeout of its route', async () => {
    const { got, code } = await eventually(
      () => stream(Infinity),
      (ended) => ended.got.length === 2,
    );
    expect(got).toEqual(['echo 0', 'echo 1']);
    expect(code).not.toBe(grpc.status.OK);
  });
});

describe('WebSocket', () => {
  const talk = async (
    name: string,
    host: string,
    where: string,
    sni: readonly string[],
  ): Promise<{ readonly ok?: unknown; readonly error?: string }> => {
    const { host: address, port } = listener(name);
    const script = path.join(__dirname, '..', 'kit', 'clients', 'websocket.mjs');
    const { stdout } = await runCommand(process.execPath, [script, address, String(port), host, where, ...sni], { timeoutMs: 90_000 });
    return JSON.parse(stdout);
  };
  test.each([
    ['web', ['chat.example']],
    ['plain', []],
  ])('at listener %s: messages both ways, and the socket ends with its age', async (name, sni) => {
    const said = await eventually(
      () => talk(name, 'chat.example', '/talk', sni),
      ({ ok }) => ok !== undefined,
    );
    expect(said).toEqual({ ok: { first: 'echo 0', closed: true } });
  });
  test('is refused where no rule lets it in, at a host of another connection, and at a port that is not for it', async () => {
    expect((await talk('web', 'chat.example', '/other', ['chat.example'])).error).toContain('403');
    expect((await talk('web', 'chat.example', '/talk', ['shop.example'])).error).toMatch(/403|421/);
    expect((await talk('web', 'shop.example', '/productpage', ['shop.example'])).error).toMatch(/40[0-9]/);
  });
});
