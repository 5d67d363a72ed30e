/** Who may ask what: each condition of an allow with what it lets in and the nearest that it does not, denials, shadow, callers by namespace, patches. Real Envoys, and the definition beside them. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshRequest } from '../../core/semantics/decision';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { allow, deny, named, need, service, workload } from '../kit/declarations';
import { key, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { testApps } from '../kit/raw-http';

const app = [named('books/app')];
const whole = [named('books/bookinfo')];
const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/shut': workload('books/bookinfo', 'shut'),
  'books/needs': workload('books/bookinfo', 'needs'),
  'books/silent': workload('books/bookinfo', 'silent'),
  'books/desk': service('books/bookinfo', 'desk', { ports: { web: { protocol: 'http', number: 9001 } } }),
  'books/byRequest': allow('books/desk', app, { requests: ['GET /request/{id}', 'POST /request'] }),
  'books/byHeader': allow('books/desk', app, { requests: ['GET /header'], headers: { 'x-team': { kind: 'exact', value: 'books' } } }),
  'books/byHost': allow('books/desk', app, { requests: ['GET /host'], hosts: ['desk.bookinfo'] }),
  'books/later': allow('books/desk', app, { requests: ['GET /later'], mode: 'shadow' }),
  'books/shutToo': allow('books/desk', [named('books/shut')]),
  'books/shutOut': deny('books/desk', [named('books/shut')]),
  'books/lobby': service('books/bookinfo', 'lobby', { ports: { web: { protocol: 'http', number: 9002 } } }),
  'books/everybody': allow('books/lobby', whole),
  'books/needsLobby': need('books/needs', 'books/lobby'),
  'books/patience': {
    kind: 'patch',
    on: { ref: 'books/lobby', port: 'web' },
    direction: 'inbound',
    envoy: { min: '1.30.0' },
    because: 'long answers',
    merge: { streamIdleTimeout: '871s' },
  },
  'books/haste': {
    kind: 'patch',
    on: { ref: 'books/lobby', port: 'web' },
    direction: 'outbound',
    envoy: { min: '1.30.0' },
    because: 'short ways',
    merge: { connectTimeout: '271s' },
  },
};

const apps = testApps();
let layers: LayeredMesh;
beforeAll(async () => {
  layers = await startLayers(declarations, (mesh) => apps.listen(mesh.apps.keys()));
}, 120_000);
afterAll(() => Promise.all([layers?.stop(), apps.close()]), 30_000);

type Asked = Partial<Pick<MeshRequest, 'headers' | 'method'>> & { readonly from?: string; readonly to?: string };
/** Envoy's answer, which is held against the definition. */
async function status(path: string, { headers = {}, method = 'GET', from = 'app', to = 'desk' }: Asked = {}): Promise<number> {
  const request: MeshRequest = { from: { kind: 'workload', workload: key(from) }, to: port(to), method, path, headers };
  const answer = await askEnvoy(layers.ir, layers.mesh, request);
  expect([path, headers, difference(layers.ir, layers.mesh, request, answer)]).toEqual([path, headers, null]);
  return answer.status;
}

test('an allow lets in the requests that it names, and no other', async () => {
  expect([await status('/request/7?a=b'), await status('/request', { method: 'POST' })]).toEqual([200, 200]);
  for (const [path, method] of [
    ['/request', 'GET'],
    ['/request/7', 'POST'],
    ['/request/7/8', 'GET'],
    ['/requests', 'POST'],
    ['/', 'GET'],
  ] as const)
    expect([path, await status(path, { method })]).toEqual([path, 403]);
});
test('an allow by a header lets in who sends it so', async () => {
  expect(await status('/header', { headers: { 'x-team': 'books' } })).toBe(200);
  for (const headers of [{}, { 'x-team': 'Books' }, { 'x-team': 'books2' }, { 'x-teams': 'books' }])
    expect([headers, await status('/header', { headers })]).toEqual([headers, 403]);
});
test('an allow by host lets in who asks for that name', async () => {
  for (const host of ['desk.bookinfo:9001', 'Desk.Bookinfo:9001', 'desk.bookinfo'])
    expect([host, await status('/host', { headers: { host } })]).toEqual([host, 200]);
  for (const host of ['desk:9001', 'desk.bookinfo.svc.cluster.local:9001'])
    expect([host, await status('/host', { headers: { host } })]).toEqual([host, 403]);
});
test('an allow in shadow lets nobody in', async () => {
  expect(await status('/later')).toBe(403);
  expect(await layers.server.admin('/stats?filter=books/later')).toContain('shadow_allowed: 1');
});
test('a denial wins over every allow', async () => {
  expect(await status('/request/7', { from: 'shut' })).toBe(403);
});
test('of a namespace that is let in comes who says that it needs it, and nobody else', async () => {
  expect(await status('/x', { from: 'needs', to: 'lobby' })).toBe(200);
  expect(await status('/x', { from: 'silent', to: 'lobby' })).toBe(403);
});
test('a patch is what Envoy runs with, on its side alone', async () => {
  const [client, server] = await Promise.all([layers.client, layers.server].map((envoy) => envoy.admin('/config_dump')));
  expect(server).toContain('"stream_idle_timeout": "871s"');
  expect(client).toContain('"connect_timeout": "271s"');
  expect([client?.includes('871s'), server?.includes('"271s"')]).toEqual([false, false]);
});
