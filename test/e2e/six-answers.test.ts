/** Three allowed and three denied requests, through a caller's and a destination's real Envoy with nothing but the objects' own configuration. */
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { MeshRequest } from '../../core/semantics/decision';
import { freePorts } from '../../platform/ports';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { bookinfo, key, web } from '../kit/bookinfo-ir';
import { testAuthority } from '../kit/certificates';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { eventually } from '../kit/layered-mesh';
import { type RawAnswer, sendRaw, testApps } from '../kit/raw-http';
import { layOut, wholeMesh, type WholeMesh } from '../kit/whole-mesh';
import { present } from '../kit/present';

jest.setTimeout(300_000);
const ir = bookinfo();
const edge = present(ir.gateways[0]).key;
const apps = testApps();
let mesh: WholeMesh;
let client: RunningEnvoy;
let server: RunningEnvoy;

beforeAll(async () => {
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  mesh = await wholeMesh(ir, emitted.value, await layOut(ir), await testAuthority(ir.trustDomain));
  await apps.listen(mesh.apps.keys());
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const bootstrap = (side: WholeMesh['client'], adminPort: number) =>
    staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments });
  [client, server] = await Promise.all([
    startEnvoy(bootstrap(mesh.client, clientAdmin), clientAdmin),
    startEnvoy(bootstrap(mesh.server, serverAdmin), serverAdmin),
  ]);
});
afterAll(async () => {
  await Promise.all([client?.stop(), server?.stop(), apps.close()]);
});

const inside = (from: string, to: string, method: string, path: string, headers: MeshRequest['headers'] = {}): MeshRequest => ({
  from: { kind: 'workload', workload: key(from) },
  to: web(to),
  method,
  path,
  headers,
});
const outside = (host: string, path: string, headers: MeshRequest['headers'] = {}): MeshRequest => ({
  from: { kind: 'outside', gateway: edge, listener: 'web', host },
  to: null,
  method: 'GET',
  path,
  headers,
});

async function both(request: MeshRequest): Promise<RawAnswer> {
  const answer = await askEnvoy(ir, mesh, request);
  expect(difference(ir, mesh, request, answer)).toBeNull();
  return answer;
}

describe('the six answers', () => {
  test('the product page reads a review', async () =>
    expect((await both(inside('productpage', 'reviews', 'GET', '/reviews/7'))).status).toBe(200));
  test('the product page reads details', async () =>
    expect((await both(inside('productpage', 'details', 'GET', '/details/0?full=1'))).status).toBe(200));
  test('the outside reads the product page', async () => expect((await both(outside('shop.example', '/productpage'))).status).toBe(200));
  test('the product page may not call ratings, and is told which pair', async () => {
    const answer = await both(inside('productpage', 'ratings', 'GET', '/ratings/7'));
    expect(answer).toMatchObject({ status: 403, body: 'meshwright: bookinfo/productpage may not call ratings.bookinfo:9080\n' });
  });
  test('the product page may not delete a review, and is told what decided', async () => {
    const answer = await both(inside('productpage', 'reviews', 'DELETE', '/reviews/7'));
    expect(answer).toMatchObject({
      status: 403,
      body: 'meshwright: spiffe://shop.example/ns/bookinfo/sa/bookinfo-productpage may not call bookinfo/reviews.web: bookinfo/reviews.web/default-deny\n',
    });
  });
  test('a bot from outside is denied by the rule that says so', async () => {
    const answer = await both(outside('shop.example', '/productpage', { 'x-client': 'bot' }));
    expect(answer).toMatchObject({
      status: 403,
      body: 'meshwright: spiffe://shop.example/ns/platform/sa/edge may not call bookinfo/productpage.web: rbac_access_denied_matched_policy[books/noBots]\n',
    });
  });
});

describe('and around them', () => {
  test('a path that is not canonical answers 400 at either hop, and the query is left alone', async () => {
    for (const path of [
      '//reviews/7',
      '/x/../reviews/7',
      '/reviews/7;a=b',
      '/reviews/%37',
      '/reviews%2F7',
      '/reviews/./7',
      '/reviews\\7',
      '/....//reviews',
      '/reviews/%252e',
    ]) {
      expect((await both(inside('productpage', 'reviews', 'GET', path))).status).toBe(400);
    }
    expect((await both(inside('productpage', 'reviews', 'GET', '/reviews/7?next=/../;%2e//'))).status).toBe(200);
    expect((await both(inside('productpage', 'ratings', 'GET', '//ratings/7'))).status).toBe(400);
  });
  test('routes: by header, a direct response, a redirect, nobody', async () => {
    await both(inside('productpage', 'reviews', 'GET', '/reviews/7', { 'end-user': 'jason' }));
    expect((await both(inside('productpage', 'reviews', 'GET', '/reviews/old'))).body).toBe('gone\n');
    expect((await both(outside('shop.example', '/'))).headers['location']).toBe('https://shop.example/productpage');
    expect((await both(outside('shop.example', '/else'))).status).toBe(404);
    expect((await both(outside('a.books.example', '/'))).status).toBe(404);
  });
  test('a connection made for one host serves no other', async () => {
    expect((await both(outside('shop.example', '/admin/x', { host: 'admin.example' }))).status).toBe(421);
    expect((await both(outside('admin.example', '/admin/x'))).status).toBe(200);
    expect((await both(outside('admin.example', '/admin/x', { host: 'ADMIN.example:8443' }))).status).toBe(200);
    expect((await both(outside('shop.example', '/admin/x'))).status).toBe(403);
  });
  test('a host nobody listens for is not even served a certificate', async () => {
    await expect(
      sendRaw(
        present(mesh.instanceOf(edge).listeners?.['web']),
        { method: 'GET', path: '/', host: 'other.example', headers: {} },
        { sni: 'other.example' },
      ),
    ).rejects.toThrow();
  });
  test('what only Envoy may say is not taken from a client', async () => {
    const answer = await both(
      inside('productpage', 'details', 'GET', '/details/0', {
        'x-envoy-upstream-rq-timeout-ms': '1',
        'x-envoy-original-path': '/admin',
        'x-forwarded-client-cert': 'URI=spiffe://shop.example/ns/x/sa/y',
      }),
    );
    const seen = JSON.parse(answer.body) as { headers: { [name: string]: string } };
    expect(Object.keys(seen.headers).filter((name) => name.startsWith('x-envoy-'))).toEqual([]);
    expect(seen.headers['x-forwarded-client-cert']).toContain('spiffe://shop.example/ns/bookinfo/sa/bookinfo-productpage');
    expect(seen.headers['x-forwarded-client-cert']).not.toContain('/sa/y');
  });
  test('without a certificate of the mesh nobody gets an answer', async () => {
    const address = present(mesh.instanceOf(key('ratings')).inbound['web']);
    await expect(sendRaw(address, { method: 'GET', path: '/ratings/7', host: 'ratings', headers: {} })).rejects.toThrow();
    await expect(
      sendRaw(address, { method: 'GET', path: '/ratings/7', host: 'ratings', headers: {} }, { sni: 'ratings' }),
    ).rejects.toThrow();
  });
  test('the access log names the pair and the rule', async () => {
    await both(inside('productpage', 'reviews', 'PUT', '/reviews/9?secret=1'));
    // Envoy writes its log a moment after the answer
    const logged = (envoy: RunningEnvoy, isIt: (line: { readonly [field: string]: unknown }) => boolean) =>
      eventually(
        () => envoy.accessLog().find(isIt),
        (line) => line !== undefined,
      );
    expect(await logged(server, (line) => line['method'] === 'PUT')).toMatchObject({
      listener: 'inbound/bookinfo/reviews.web',
      port: 'bookinfo/reviews.web',
      caller: 'spiffe://shop.example/ns/bookinfo/sa/bookinfo-productpage',
      path: '/reviews/9',
      status: 403,
      rule: 'bookinfo/reviews.web/default-deny',
    });
    expect(await logged(server, (line) => line['status'] === 200 && line['port'] === 'bookinfo/reviews.web')).toMatchObject({
      rule: 'books/pageReadsReviews',
    });
    expect(await logged(server, (line) => line['port'] === 'bookinfo/productpage.web' && line['status'] === 403)).toMatchObject({
      rule: expect.stringMatching(/books\/noBots|default-deny/),
    });
    expect(await logged(client, (line) => line['status'] === 403 && line['host'] === 'ratings.bookinfo:9080')).toMatchObject({
      rule: 'meshwright.not-callable',
    });
  });
});
