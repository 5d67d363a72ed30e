/** What the generated requests do not reach: plaintext where permissive, connections that are not HTTP, repeated headers, limits, a stricter caller, each against a real Envoy. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { Principal } from '../../core/mesh/ids';
import type { MeshRequest } from '../../core/semantics/decision';
import { freePorts } from '../../platform/ports';
import type { Address } from '../../runtime-proxy/inventory';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { key, web } from '../kit/bookinfo-ir';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { features } from '../kit/features-ir';
import { eventually } from '../kit/layered-mesh';
import { type RawAnswer, sendRaw, testApps } from '../kit/raw-http';
import { layOut, wholeMesh, type WholeMesh } from '../kit/whole-mesh';
import { present } from '../kit/present';

const ir = features();
const apps = testApps();
let authority: TestAuthority;
let mesh: WholeMesh;
let client: RunningEnvoy;
let server: RunningEnvoy;
let echo: net.Server;

beforeAll(async () => {
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  authority = await testAuthority(ir.trustDomain);
  mesh = await wholeMesh(ir, emitted.value, await layOut(ir), authority);
  const queue = present(mesh.instanceOf(key('ratings')).app['queue']).port;
  await apps.listen([...mesh.apps.keys()].filter((port) => port !== queue));
  echo = net.createServer((socket) => void socket.on('error', () => undefined).write('hello\n'));
  await new Promise<void>((resolve, reject) => echo.once('error', reject).listen(queue, '127.0.0.1', resolve));
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const bootstrap = (side: WholeMesh['client'], adminPort: number) =>
    staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments });
  [client, server] = await Promise.all([
    startEnvoy(bootstrap(mesh.client, clientAdmin), clientAdmin),
    startEnvoy(bootstrap(mesh.server, serverAdmin), serverAdmin),
  ]);
}, 120_000);
afterAll(async () => {
  await Promise.all([client?.stop(), server?.stop(), apps.close()]);
  echo?.close();
});

const inbound = (name: string, port: string): Address => present(mesh.instanceOf(key(name)).inbound[port]);
const principal = (name: string): Principal => present(ir.workloads.find((workload) => workload.key.endsWith(`/${name}`))).principal;
async function both(from: string, to: string, method: string, path: string, headers: MeshRequest['headers'] = {}): Promise<RawAnswer> {
  const request: MeshRequest = { from: { kind: 'workload', workload: key(from) }, to: web(to), method, path, headers };
  const answer = await askEnvoy(ir, mesh, request);
  expect(difference(ir, mesh, request, answer)).toBeNull();
  return answer;
}

/** A mTLS connection of our own, as `name`; what the other side sent until it closed. */
async function connectAs(name: string, to: Address, alpn: readonly string[], write = ''): Promise<string> {
  const svid = await authority.svid(principal(name), key(name));
  return new Promise((resolve) => {
    const chunks: string[] = [];
    const socket = tls.connect({
      host: to.host,
      port: to.port,
      key: svid.key,
      cert: svid.chain,
      ca: authority.trust,
      checkServerIdentity: () => undefined,
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk.toString('latin1'));
      socket.end();
    });
    socket.on('error', () => resolve(chunks.join('')));
    socket.on('close', () => resolve(chunks.join('')));
    socket.setTimeout(60_000, () => socket.destroy(new Error('it fell silent')));
    if (write !== '') socket.write(Buffer.from(write, 'latin1'));
  });
}

describe('where mTLS is permissive', () => {
  test('a caller without an identity is nobody: only what anyone may do is open to it', async () => {
    const plain = (headers: MeshRequest['headers']): Promise<RawAnswer> =>
      sendRaw(inbound('details', 'web'), { method: 'GET', path: '/details/0', host: 'details', headers });
    expect((await plain({ 'x-probe': '1' })).status).toBe(200);
    expect(await plain({})).toMatchObject({
      status: 403,
      body: 'meshwright: - may not call bookinfo/details.web: bookinfo/details.web/default-deny\n',
    });
  });
  test('a caller with one is still itself', async () => {
    expect((await both('productpage', 'details', 'GET', '/details/0')).status).toBe(200);
    expect(
      await connectAs(
        'reviews',
        inbound('details', 'web'),
        ['http/1.1'],
        'GET /details/0 HTTP/1.1\r\nhost: details\r\nx-probe: 1\r\nconnection: close\r\n\r\n',
      ),
    ).toMatch(/^HTTP\/1\.1 403/);
  });
});

describe('connections that are not HTTP', () => {
  test('who is let in reaches the application, who is denied or not named gets nothing', async () => {
    expect(await connectAs('reviews', inbound('ratings', 'queue'), [])).toBe('hello\n');
    expect(await connectAs('productpage', inbound('ratings', 'queue'), [])).toBe('');
    expect(await connectAs('details', inbound('ratings', 'queue'), [])).toBe('');
  });
});

describe('several headers of one name', () => {
  const status = async (path: string, lines: readonly string[]): Promise<string | undefined> => {
    const answer = await connectAs(
      'edge',
      inbound('productpage', 'web'),
      ['http/1.1'],
      [`GET ${path} HTTP/1.1`, 'host: x', ...lines, 'connection: close', '', ''].join('\r\n'),
    );
    return answer.split(' ')[1];
  };
  test('do not carry one of them past a denial', async () => {
    expect(await status('/productpage', [])).toBe('200');
    expect(await status('/productpage', ['x-client: bot'])).toBe('403');
    expect(await status('/productpage', ['x-client: bot', 'x-client: bot'])).toBe('403');
    expect(await status('/productpage', ['x-client: a', 'x-client: bot'])).toBe('403');
    expect(await status('/productpage', ['x-client: bot', 'x-client: a'])).toBe('403');
  });
  test('do not open a door by one of them', async () => {
    expect(await status('/tenant', ['x-tenant: a', 'x-zone: eu-1'])).toBe('200');
    expect(await status('/tenant', ['x-tenant: b', 'x-zone: eu-1'])).toBe('403');
    expect(await status('/tenant', ['x-tenant: a'])).toBe('403');
    expect(await status('/tenant', ['x-tenant: a', 'x-tenant: b', 'x-zone: eu-1'])).toBe('403');
    expect(await status('/tenant', ['x-tenant: b', 'x-tenant: a', 'x-zone: eu-1'])).toBe('403');
    expect(await status('/tenant', ['x-tenant: a', 'x-zone: us-1', 'x-zone: eu-1'])).toBe('403');
    // joined, it begins as it should: the definition says the same
    expect(await status('/tenant', ['x-tenant: a', 'x-zone: eu-1', 'x-zone: us-1'])).toBe('200');
    expect(await status('/tenant', ['x-tenant: a,b', 'x-zone: eu-1'])).toBe('403');
  });
});

test('each URL dialect refuses at the destination what its application would read differently', async () => {
  expect((await both('productpage', 'details', 'GET', '/Details/0')).status).toBe(400);
  expect((await both('productpage', 'details', 'GET', '/old/x', { 'x-tenant': 'a.b', cookie: 'x=1; user=j.a' })).status).toBe(403);
  expect(
    (await both('productpage', 'details', 'GET', '/old/x?q=abc', { 'x-tenant': 'a.b', cookie: 'x=1; user=j.a' })).headers['location'],
  ).toBe('http://old.example/moved?q=abc');
});

test('a shadow rule decides nothing and is counted', async () => {
  expect((await both('reviews', 'ratings', 'POST', '/ratings/1')).status).toBe(403);
  expect(await server.admin('/stats?filter=books/later')).toContain('rbac.policy.books/later.shadow_allowed: 1');
});

test("a denial names itself over an allow, and the caller's own need goes out by its own cluster", async () => {
  expect((await both('reviews', 'ratings', 'DELETE', '/ratings/1')).body).toContain('[books/neverDelete]');
  await both('productpage', 'reviews', 'GET', '/reviews/1');
  expect(await client.admin('/clusters')).toMatch(/bookinfo-productpage:bookinfo\/reviews\.web\|v[13]\+bookinfo\.productpage::/);
});

describe('timeouts and retries are those of the caller, where it is stricter', () => {
  const ask = (headers: MeshRequest['headers']): Promise<RawAnswer> =>
    askEnvoy(ir, mesh, {
      from: { kind: 'workload', workload: key('productpage') },
      to: web('reviews'),
      method: 'GET',
      path: '/reviews/1',
      headers,
    });
  /** Asks a new failure until it is answered so: on a slow machine a try may have no answer in its time. */
  const answered = (times: number, statuses: readonly number[]): Promise<readonly number[]> => {
    let nth = 0;
    return eventually(
      async () => {
        nth += 1;
        const headers = { 'x-fail': `${times}-${nth}:${times}` };
        const got: number[] = [];
        for (const _ of statuses) got.push((await ask(headers)).status);
        return got;
      },
      (got) => got.join() === statuses.join(),
    );
  };
  test('one that fails once is tried again, one that fails twice is not tried a third time', async () => {
    expect(await answered(1, [200])).toEqual([200]);
    expect(await answered(2, [503, 200])).toEqual([503, 200]); // two tries were made, no more
  });
  test('the owner would wait two seconds, the product page does not', async () => {
    expect(await ask({ 'x-delay-ms': '1500' })).toMatchObject({ status: 504 });
  });
});
