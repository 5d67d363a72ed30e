/** Every word about HTTP requests, as the definition has it and as a real Envoy does it. */
import { emitEnvoy } from '../../compiler/emit/envoy';
import { decide } from '../../core/semantics/decide';
import type { MeshRequest } from '../../core/semantics/decision';
import { freePorts } from '../../platform/ports';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { key, web } from '../kit/bookinfo-ir';
import { testAuthority } from '../kit/certificates';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { sumOf } from '../kit/envoy-stats';
import { eventually } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { type RawAnswer, type SeenRequest, testApps } from '../kit/raw-http';
import { routing } from '../kit/routing-ir';
import { expectShare, manyTimes } from '../kit/shares';
import { layOut, wholeMesh, type WholeMesh } from '../kit/whole-mesh';

const ir = routing();
const apps = testApps();
let mesh: WholeMesh;
let client: RunningEnvoy;
let server: RunningEnvoy;

beforeAll(async () => {
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  const authority = await testAuthority(ir.trustDomain);
  mesh = await wholeMesh(ir, emitted.value, await layOut(ir), authority);
  await apps.listen(mesh.apps.keys());
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const bootstrap = (side: WholeMesh['client'], adminPort: number) =>
    staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments });
  [client, server] = await Promise.all([
    startEnvoy(bootstrap(mesh.client, clientAdmin), clientAdmin),
    startEnvoy(bootstrap(mesh.server, serverAdmin), serverAdmin),
  ]);
}, 120_000);
afterAll(() => Promise.all([client?.stop(), server?.stop(), apps.close()]));

const within = (path: string, headers: MeshRequest['headers'] = {}, method = 'GET', from = 'productpage'): MeshRequest => ({
  from: { kind: 'workload', workload: key(from) },
  to: web('reviews'),
  method,
  path,
  headers,
});
const outside = (path: string, headers: MeshRequest['headers'] = {}, method = 'GET'): MeshRequest => ({
  from: { kind: 'outside', gateway: present(ir.gateways[0]).key, listener: 'web', host: 'shop.example' },
  to: null,
  method,
  path,
  headers,
});
/** Envoy's answer, which is held against the definition. */
async function both(request: MeshRequest): Promise<RawAnswer> {
  const answer = await askEnvoy(ir, mesh, request);
  expect([request.path, difference(ir, mesh, request, answer)]).toEqual([request.path, null]);
  return answer;
}
const versionOf = (answer: RawAnswer): string | undefined => {
  const app = mesh.apps.get(Number(answer.headers['x-app']));
  return app?.version ?? app?.port;
};
const saw = (answer: RawAnswer): SeenRequest => JSON.parse(answer.body) as SeenRequest; // written by `testApps`

test('each destination of a split reads what is said of it, and in its share', async () => {
  const count = 1_000;
  const answers = await manyTimes(count, (index) => both(within(`/each/${index}?q=1`)));
  const reads = answers.map(
    (answer, index) => `${versionOf(answer)} ${saw(answer).headers.host} ${saw(answer).url.replace(String(index), 'N')}`,
  );
  const shares = new Map([...new Set(reads)].sort().map((read) => [read, reads.filter((one) => one === read).length]));
  expect([...shares.keys()]).toEqual(['v1 all.example /first/N?q=1', 'v2 second.example /all/N?q=1', 'v3 all.example /all/N?q=1']);
  const [first = 0, second = 0, third = 0] = shares.values();
  expectShare(first, count, 50);
  expectShare(second, count, 30);
  expectShare(third, count, 20);
});
test('a cookie that the mesh gave out keeps a destination, and what that one reads', async () => {
  const seen = new Set<string | undefined>();
  for (let index = 0; index < 40 && seen.size < 2; index += 1) {
    const first = await both(within('/each-kept/7'));
    const cookie = present(first.headers['set-cookie']?.split(';')[0]);
    seen.add(versionOf(first));
    for (let again = 0; again < 3; again += 1) {
      const next = await both(within('/each-kept/7', { cookie }));
      expect([versionOf(next), saw(next).url]).toEqual([versionOf(first), saw(first).url]);
    }
  }
  expect(seen.size).toBe(2);
});
test('a rewrite changes what the destination reads, and leaves the query', async () => {
  expect(saw(await both(within('/rewritten/7/a/b%20c/?q=/rewritten/x'))).url).toBe('/new/7/x/a/b%20c/?q=/rewritten/x');
  expect(saw(await both(within('/whole/a/b?x=1'))).url).toBe('/one?x=1');
});

test('headers are taken away, set and added, of a destination before those of the rule', async () => {
  const reply = JSON.stringify({ 'x-powered-by': 'node', 'x-reply-set': 'old', 'x-reply-add': 'one' });
  const answer = await both(within('/edited', { 'x-remove': '1', 'x-set': 'mine', 'x-add': 'first', 'x-reply': reply }));
  expect(saw(answer).headers).toMatchObject({ 'x-set': '100% %REQ(x)%', 'x-add': 'first, more', 'x-version': 'one 100%' });
  expect(answer.headers).toMatchObject({ 'x-reply-set': 'new', 'x-reply-add': 'one,two', 'x-from': 'v1' });
  expect(answer.headers['x-powered-by']).toBeUndefined();
});
test('a cookie that is added is one more of the list', async () => {
  expect(saw(await both(within('/crumbs', { cookie: 'a=b; c=d' }))).headers.cookie).toBe('a=b; c=d; more=1');
  expect(saw(await both(within('/crumbs'))).headers.cookie).toBe('more=1');
});

test('the mesh answers itself, with headers and a body', async () => {
  expect(await both(within('/answered'))).toMatchObject({
    status: 418,
    body: '{"tea":true}',
    headers: { 'content-type': 'application/json' },
  });
});

test('redirects keep what they do not name', async () => {
  const location = async (request: MeshRequest): Promise<string | undefined> => (await both(request)).headers['location'];
  expect(await location(within('/gone/a/b?c=d'))).toBe('https://new.example:8443/here/a/b?c=d');
  expect(await location(within('/to-port?x'))).toBe('http://reviews.bookinfo:8081/to-port?x');
  expect(await location(within('/to-https', { host: 'reviews.bookinfo' }))).toBe('https://reviews.bookinfo/to-https');
  expect(await location(within('/to-https'))).toBe('https://reviews.bookinfo:9080/to-https');
  expect(await location(outside('/'))).toBe('https://shop.example/productpage');
  expect(await location(outside('/', { host: 'shop.example:8443' }))).toBe('https://shop.example:8443/productpage');
});

describe('mirrors', () => {
  const copies = (marker: string): readonly SeenRequest[] => apps.seen.filter((one) => one.headers['x-marker'] === marker);
  /** A copy goes out before the request that it is of is answered, and is over some time after it. */
  const allAreOver = async (): Promise<void> => {
    const active = /: [1-9]/;
    const stats = (): Promise<string> => client.admin('/stats?filter=upstream_rq_(pending_)?active');
    expect(await eventually(stats, (text) => !active.test(text))).not.toMatch(active);
  };
  test('are copies of what the destination reads, at who lets them in', async () => {
    expect(versionOf(await both(within('/mirrored', { 'x-marker': 'all' })))).toBe('v1');
    await allAreOver();
    expect(copies('all')).toHaveLength(3);
    const decided = decide(ir, within('/mirrored')).mirrors;
    expect(decided.map(({ port, version, share, access }) => [port, version, share, access])).toEqual([
      [web('ratings'), null, 100, 'allow'],
      [web('reviews'), 'v2', 100, 'allow'],
      [web('reviews'), 'v3', 0, 'allow'],
    ]);
    expect(
      copies('all')
        .map((one) => mesh.apps.get(one.port))
        .map((app) => app?.version ?? app?.port)
        .sort(),
    ).toEqual([web('ratings'), 'v1', 'v2']);
    for (const copy of copies('all'))
      expect(copy).toMatchObject({ url: '/copied', headers: { host: 'reviews.bookinfo:9080', 'x-copy': 'yes' } });
  });
  test('are drawn apart from the split', async () => {
    const [marker, count] = ['some', 400];
    await manyTimes(count, () => both(within('/sampled', { 'x-marker': marker })));
    const at = (name: string): number => copies(marker).filter((one) => mesh.apps.get(one.port)?.version === name).length;
    await allAreOver();
    expect(at('v1') + at('v2')).toBe(count);
    expectShare(at('v1'), count, 50);
    expectShare(at('v3'), count, 25);
  });
});

describe('faults', () => {
  test('a delay comes before the clock of the timeout', async () => {
    const request = within('/delayed');
    const delayed = async (): Promise<number> => sumOf(await client.admin('/stats'), /delays_injected/);
    const before = await delayed();
    // a destination that is slow itself is given up: not each time
    const answer = await eventually(
      () => askEnvoy(ir, mesh, request),
      ({ status }) => status === 200,
    );
    expect(difference(ir, mesh, request, answer)).toBeNull();
    expect(await delayed()).toBeGreaterThan(before);
  });
  test('an abort is answered in place of the destination', async () => {
    expect((await both(within('/aborted'))).status).toBe(503);
    expect(apps.seen.filter(({ url }) => url === '/aborted')).toEqual([]);
  });
  test('and has the headers that its answer would be given', async () => {
    const { answer } = decide(ir, within('/aborted'));
    expect(answer?.headers).toEqual({ 'x-from': 'v1', 'x-reply-add': 'two', vary: 'origin' });
    expect((await both(within('/aborted'))).headers).toMatchObject(answer?.headers ?? {});
  });
  test('a share of requests is aborted', async () => {
    const answers = await manyTimes(200, () => both(within('/shaky')));
    expectShare(answers.filter(({ status }) => status === 418).length, 200, 50);
  });
  test('whoever is not let in meets none at the destination, and one that is uncanonical is refused first', async () => {
    expect((await both(within('/aborted/../x'))).status).toBe(400);
  });
});

describe('a user keeps a version', () => {
  const users = [
    'jason',
    'a',
    'user-1234567',
    'x'.repeat(33),
    'j.doe@shop.example',
    '0',
    'user-with-a-long-name-of-more-than-64-characters-in-it-0123456789',
    '7',
    '8',
    '9',
    '10',
    '11',
    '12',
    '13',
    '14',
  ];
  test('by a header: which one is a function of its value', async () => {
    const seen = new Set<string | undefined>();
    for (const user of users) {
      const request = within('/by-header', { 'x-user': user });
      expect(decide(ir, request).destinations).toHaveLength(1);
      seen.add(versionOf(await both(request)));
    }
    expect(seen.size).toBe(3);
    const nameless = within('/by-header', { 'x-user': '' });
    expect(decide(ir, nameless).destinations).toHaveLength(1);
    for (let i = 0; i < 12; i += 1) await both(nameless);
    expect(decide(ir, within('/by-header')).destinations.map(({ share }) => share)).toEqual([50, 30, 20]);
    await both(within('/by-header'));
  });
  test('by a cookie', async () => {
    for (const user of users.slice(0, 5)) {
      expect(decide(ir, within('/by-cookie', { cookie: `x=1; sid=${user}` })).destinations).toHaveLength(1);
      await both(within('/by-cookie', { cookie: `x=1; sid=${user}; sid=other` }));
    }
    await both(within('/by-cookie', { cookie: 'sid="quoted"' }));
    await both(within('/by-cookie', { cookie: 'sid=' }));
  });
  test('by a cookie that the mesh gives out', async () => {
    const first = await both(within('/issued'));
    const given = /^(which=[0-9a-f]{12}); Max-Age=60; Path=\/; HttpOnly; SameSite=Lax$/.exec(first.headers['set-cookie'] ?? '')?.[1];
    if (given === undefined) throw new Error(`no cookie: ${first.headers['set-cookie']}`);
    for (let i = 0; i < 5; i += 1) {
      const again = await both(within('/issued', { cookie: `a=b; ${given}` }));
      expect([versionOf(again), again.headers['set-cookie']]).toEqual([versionOf(first), undefined]);
    }
    expect((await both(within('/issued', { cookie: 'which=forged' }))).headers['set-cookie']).toBeDefined();
  });
  test('a cookie that is given out over https never goes back in clear', async () => {
    const issued = await both(outside('/issued'));
    expect(issued.headers['set-cookie']).toMatch(/^which=[0-9a-f]{12}; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
    const kept = await both(outside('/kept'));
    expect(decide(ir, outside('/kept')).destinations[0]?.hash).toEqual({ kind: 'made', cookie: 'kept', forMs: 60_000, secure: true });
    expect(kept.headers['set-cookie']).toMatch(/^kept="[0-9a-f]+"; Max-Age=60; Path=\/; SameSite=Lax; Secure; HttpOnly$/);
  });
});

test('conditions on the caller, the host and what is not there', async () => {
  expect(versionOf(await both(within('/whose')))).toBe('v1');
  expect(versionOf(await both(within('/whose', {}, 'GET', 'reviews')))).toBe('v3');
  expect(versionOf(await both(within('/named')))).toBe('v1');
  expect(versionOf(await both(within('/named', { host: 'Reviews.bookinfo.svc.cluster.local:9080' })))).toBe('v2');
  expect(versionOf(await both(within('/without')))).toBe('v2');
  expect(versionOf(await both(within('/without', { 'x-debug': '0' })))).toBe('v2');
  expect(versionOf(await both(within('/without', { 'x-debug': '1' })))).toBe('v1');
  expect(versionOf(await both(within('/absent', { 'x-debug': '0' })))).toBe('v1');
  expect(versionOf(await both(within('/absent')))).toBe('v2');
});

test('a split over services, one of them by version', async () => {
  const to = new Set<string | undefined>();
  for (let i = 0; i < 60; i += 1) to.add(versionOf(await both(within('/elsewhere'))));
  expect([...to].sort()).toEqual([web('details'), 'v2']);
});

describe('cross-origin requests', () => {
  const preflight = (origin: string) => ({ origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-user' });
  test('a preflight request is answered by the mesh, whoever asks and whatever the rules say', async () => {
    const answer = await both(within('/anything', preflight('https://shop.example'), 'OPTIONS'));
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://shop.example',
      'access-control-allow-methods': 'GET,POST',
      'access-control-allow-headers': 'authorization,x-user',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '3600',
    });
    const other = await both(within('/anything', preflight('https://evil.example'), 'OPTIONS'));
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
    await both(within('/answered', preflight('https://a.books.example'), 'OPTIONS'));
    await both(outside('/productpage', preflight('https://shop.example'), 'OPTIONS'));
    await both(outside('/productpage', { ...preflight('https://shop.example'), host: 'shop.example:x' }, 'OPTIONS'));
    await both(within('/a//b', preflight('https://shop.example'), 'OPTIONS'));
    expect(apps.seen.filter(({ method }) => method === 'OPTIONS')).toEqual([]);
  });
  test('OPTIONS that is no preflight request is a request', async () => {
    expect((await both(within('/reviews/1', { origin: 'https://shop.example' }, 'OPTIONS'))).status).toBe(200);
  });
  test('answers say who may read them', async () => {
    const answer = await both(
      within('/reviews/1', { origin: 'https://a.books.example', 'x-reply': '{"access-control-allow-origin":"*"}' }),
    );
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://a.books.example',
      'access-control-expose-headers': 'x-total',
    });
    await both(within('/to-https', { origin: 'https://shop.example' }));
    await both(within('/aborted', { origin: 'https://shop.example' }));
    expect((await both(within('/answered', { origin: 'https://a.books.example' }))).headers).toMatchObject({ vary: 'origin' });
    expect(answer.headers['vary']).toBe('origin');
    expect((await both(within('/reviews/1', { origin: 'https://evil.example' }))).headers['access-control-allow-origin']).toBeUndefined();
  });
});
