/** Hosts outside the mesh: a real server with TLS that is no part of it, and the proxies of those who may call it, and who may not. */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import { lower } from '../../compiler/lower/index';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { decide } from '../../core/semantics/decide';
import { temporaryFolder } from '../../platform/files';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { evaluatedWith, named, running, service } from '../kit/declarations';
import { eventually } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { areActive, runMesh, type RunningMesh } from '../kit/running-mesh';

jest.setTimeout(180_000);

interface Seen {
  readonly sni: string;
  readonly host: string;
  readonly url: string;
  readonly added: string | undefined;
  readonly forwardedFor: string | undefined;
  /** Names of headers. */
  readonly headers: readonly string[];
}
const seen: Seen[] = [];
/** Handshakes that the client broke off. */
let refusals = 0;
let authority: TestAuthority;
let folder = '';
let mesh: RunningMesh;
const servers: http.Server[] = [];
let number = { right: 0, wrong: 0, plain: 0 };

const answers: http.RequestListener = (asked, response) => {
  const { socket } = asked;
  const sni = 'servername' in socket ? String((socket as TLSSocket).servername) : '';
  seen.push({
    sni,
    host: asked.headers.host ?? '',
    url: asked.url ?? '',
    added: String(asked.headers['x-team'] ?? ''),
    headers: Object.keys(asked.headers),
    forwardedFor: asked.headers['x-forwarded-for']?.toString(),
  });
  response.end('from outside');
};
async function listens(server: http.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
async function tlsServer(hosts: readonly string[]): Promise<number> {
  const { key, chain } = await authority.serving(hosts);
  const server = https.createServer({ key, cert: chain }, answers);
  server.on('tlsClientError', () => void (refusals += 1));
  return listens(server);
}

const external = (
  name: string,
  hosts: readonly string[],
  ports: Extract<DeclarationValue, { kind: 'external' }>['ports'],
): DeclarationValue => ({
  kind: 'external',
  name,
  team: 'books',
  hosts,
  ports,
  trust: 'bookinfo/partner',
});
const call = (to: string, more: Partial<Extract<DeclarationValue, { kind: 'access' }>> = {}): DeclarationValue => ({
  kind: 'access',
  action: 'allow',
  port: { ref: to, port: 'api' },
  from: [named('books/productpage')],
  requests: 'any',
  ...more,
});

const ids = { page: 'page', details: 'details' };
beforeAll(async () => {
  authority = await testAuthority('outside.test');
  folder = await temporaryFolder('externals');
  await fs.mkdir(path.join(folder, 'bookinfo/partner'), { recursive: true });
  await fs.writeFile(path.join(folder, 'bookinfo/partner/ca.crt'), authority.trust);
  number = {
    right: await tlsServer(['api.localhost', 'files.localhost', 'strange.localhost']),
    wrong: await tlsServer(['other.localhost']),
    plain: await listens(http.createServer(answers)),
  };
  const outcome = lower(
    evaluatedWith({
      ...running,
      'books/details': service('books/bookinfo', 'details'),
      'books/partner': external('partner', ['api.localhost', 'files.localhost'], { api: { protocol: 'https', number: number.right } }),
      'books/impostor': external('impostor', ['wrong.localhost'], { api: { protocol: 'https', number: number.wrong } }),
      'books/stranger': {
        ...{ kind: 'external', name: 'stranger', team: 'books', hosts: ['strange.localhost'] },
        ports: { api: { protocol: 'https', number: number.right } },
      } as const,
      'books/pageCallsStranger': call('books/stranger'),
      'books/oldOne': external('old-one', ['plain.localhost'], { api: { protocol: 'http', number: number.plain } }),
      'books/pageCallsPartner': call('books/partner', { requests: ['GET /v1/{rest...}'] }),
      'books/pageDeletes': call('books/partner', { requests: ['DELETE /v1/{id}'] }),
      'books/noFiles': call('books/partner', {
        action: 'deny',
        from: [named('books/details')],
        because: 'it has no business there',
      } as never),
      'books/pageCallsImpostor': call('books/impostor'),
      'books/pageCallsOld': call('books/oldOne'),
      'books/oldOneRoutes': {
        kind: 'route',
        on: { ref: 'books/oldOne', port: 'api' },
        rules: [
          {
            when: { request: ['GET /copied'] },
            to: { kind: 'target', to: { ref: 'books/oldOne', port: 'api' } },
            mirror: [{ to: { ref: 'books/oldOne', port: 'api' }, share: '100%' }],
          },
        ],
        otherwise: { to: { kind: 'target', to: { ref: 'books/oldOne', port: 'api' } } },
      } as DeclarationValue,
      'books/partnerRoutes': {
        kind: 'route',
        on: { ref: 'books/partner', port: 'api' },
        rules: [],
        otherwise: {
          to: { kind: 'target', to: { ref: 'books/partner', port: 'api' } },
          timeout: '5s',
          requestHeaders: { set: { 'x-team': 'books' } },
        },
      } as DeclarationValue,
    }),
    'prod',
  );
  if (!outcome.value) throw new Error(JSON.stringify(outcome.diagnostics));
  const ir = outcome.value;
  meshIr = ir;
  const emitted = present(emitEnvoy(ir).value);
  const principal = (name: string): string => present(ir.workloads.find(({ key }) => key === workloadKey('bookinfo', name))).principal;
  mesh = await runMesh(
    [
      { id: ids.page, workload: 'bookinfo/productpage', principal: principal('productpage'), ports: ['web'] },
      { id: ids.details, workload: 'bookinfo/details', principal: principal('details'), ports: ['web'] },
    ],
    { agent: { certificatesDir: folder } },
  );
  const { status } = await mesh.release([...emitted.services, ...emitted.proxies]);
  expect(status).toBe(202);
  await Promise.all(Object.values(ids).map((id) => mesh.startAgent(id)));
  await mesh.until('both are active', areActive(2));
});
let meshIr: NonNullable<ReturnType<typeof lower>['value']>;
afterAll(async () => {
  await mesh?.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  seen.length = 0;
  refusals = 0;
});

/** A request of an application to its proxy, with the answer and what the definition says of it. */
async function asks(id: 'page' | 'details', host: string, url: string, method = 'GET') {
  const answer = await mesh.call(id, host, url, { method });
  const name = host.split(':')[0] ?? '';
  const owner = present(meshIr.services.find((one) => one.outside?.hosts.includes(name)));
  const defined = decide(meshIr, {
    from: { kind: 'workload', workload: workloadKey('bookinfo', id === 'page' ? 'productpage' : 'details') },
    to: portKey(owner.key, 'api'),
    method,
    path: url,
    headers: { host },
  });
  return { status: answer.status, body: answer.body, defined: { outcome: defined.outcome, status: defined.status } };
}
const letIn = { outcome: 'allow', status: null };
const keptOut = { outcome: 'deny', status: 403 };

test('who may call it does, by the name the host has without a mesh; the proxy makes the TLS, and names the host', async () => {
  expect(await asks('page', 'api.localhost', '/v1/books/7')).toEqual({ status: 200, body: 'from outside', defined: letIn });
  expect(await asks('page', `api.localhost:${number.right}`, '/v1/books/7')).toMatchObject({ status: 200, defined: letIn });
  expect(await asks('page', 'files.localhost', '/v1/books/7')).toMatchObject({ status: 200, defined: letIn });
  expect(seen).toMatchObject([
    { sni: 'api.localhost', host: 'api.localhost', added: 'books' },
    { sni: 'api.localhost', host: `api.localhost:${number.right}` },
    { sni: 'files.localhost', host: 'files.localhost' },
  ]);
});
test('what no rule allows never leaves: another request, another caller, a spelling', async () => {
  expect(await asks('page', 'api.localhost', '/v2/books')).toMatchObject({ status: 403, defined: keptOut });
  expect(await asks('page', 'api.localhost', '/v1/books', 'POST')).toMatchObject({ status: 403, defined: keptOut });
  expect(await asks('details', 'api.localhost', '/v1/books')).toMatchObject({ status: 403, defined: keptOut });
  expect(await asks('page', 'api.localhost', '/v1/%2e%2e/v2')).toMatchObject({ status: 400, defined: { outcome: 'deny', status: 400 } });
  expect((await mesh.call(ids.page, 'unknown.localhost', '/v1/books')).status).toBe(403);
  expect(seen).toEqual([]);
});
test.each([
  ['of another host, whoever signed it', 'wrong.localhost'],
  ['of an authority that its owner here does not trust', 'strange.localhost'],
])('a certificate is refused: %s', async (_what, host) => {
  expect(await asks('page', host, '/')).toMatchObject({ status: 503, defined: letIn });
  expect(
    await eventually(
      () => refusals,
      (count) => count > 0,
    ),
  ).toBeGreaterThan(0);
  expect(seen).toEqual([]);
});
test('plain HTTP goes as it is', async () => {
  expect(await asks('page', 'plain.localhost', '/x')).toMatchObject({ status: 200, defined: letIn });
  expect(seen).toMatchObject([{ sni: '', host: 'plain.localhost' }]);
});
test.each([
  ['in the clear', 'plain.localhost', '/x', 1],
  ['with TLS', 'api.localhost', '/v1/x', 1],
  ['a copy too', 'plain.localhost', '/copied', 2],
])(
  'nobody outside is told from what address a request was made, nor what proxies say among themselves: %s',
  async (_what, host, url, times) => {
    expect(await asks('page', host, url)).toMatchObject({ status: 200, defined: letIn });
    expect(
      await eventually(
        () => seen.length,
        (count) => count >= times,
      ),
    ).toBe(times);
    const usual = ['host', 'connection', 'x-forwarded-proto', 'x-request-id', 'x-team', 'transfer-encoding', 'content-length'];
    expect(seen.flatMap(({ headers }) => headers.filter((name) => !usual.includes(name)))).toEqual([]);
  },
);
test('what an application says itself of whom it asks for goes on', async () => {
  for (const url of ['/x', '/copied'])
    expect(await mesh.call(ids.page, 'plain.localhost', url, { headers: { 'x-forwarded-for': '192.0.2.7' } })).toMatchObject({
      status: 200,
    });
  expect(
    await eventually(
      () => seen.length,
      (count) => count >= 3,
    ),
  ).toBe(3);
  // a copy says it no more: Envoy would add an address of its own
  expect(seen.map(({ forwardedFor }) => forwardedFor ?? 'none').sort()).toEqual(['192.0.2.7', '192.0.2.7', 'none']);
});
