/** Hosts outside the mesh that are called through a gateway: it alone dials them, and it judges who may; real Envoys on both sides, and one for who may not. */
import * as fs from 'node:fs/promises';
import * as http2 from 'node:http2';
import * as path from 'node:path';
import * as tls from 'node:tls';
import * as jose from 'jose';
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import { lower } from '../../compiler/lower/index';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { portKey, type Principal, workloadKey } from '../../core/mesh/ids';
import { decide } from '../../core/semantics/decide';
import type { MeshRequest } from '../../core/semantics/decision';
import { temporaryFolder } from '../../platform/files';
import type { Svid } from '../../runtime-proxy/ca/client';
import { egress, evaluatedWith, named, running, service } from '../kit/declarations';
import { eventually } from '../kit/layered-mesh';
import { openOutsideWorld, type OutsideWorld } from '../kit/outside-world';
import { present } from '../kit/present';
import { areActive, runMesh, type RunningMesh } from '../kit/running-mesh';
import { svidOf } from '../kit/xds-client';

jest.setTimeout(180_000);

type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
type Access = Extract<DeclarationValue, { readonly kind: 'access'; readonly action: 'allow' | 'deny' }>;
const external = (name: string, hosts: readonly string[], ports: External['ports']): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', hosts, ports },
  ...{ trust: 'bookinfo/partner', through: { ref: 'platform/egress' } },
});
const call = (to: string, caller: string, more: Partial<Access> = {}): DeclarationValue =>
  ({
    ...{ kind: 'access', action: 'allow', port: { ref: to, port: 'api' }, from: [named(`books/${caller}`)], requests: 'any' },
    ...more,
  }) as DeclarationValue; // decoding: of two kinds of rule, the one whose members are given

const issuer = 'https://accounts.acme.example';
let signing: jose.CryptoKey;
let world: OutsideWorld;
let mesh: RunningMesh;
let folder = '';
let ports = { right: 0, wrong: 0, plain: 0 };
let ir: NonNullable<ReturnType<typeof lower>['value']>;
const ids = { page: 'page', details: 'details', egress: 'egress' };

beforeAll(async () => {
  world = await openOutsideWorld();
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  signing = privateKey;
  const keys = JSON.stringify({ keys: [{ ...(await jose.exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] });
  folder = await temporaryFolder('egress');
  await fs.mkdir(path.join(folder, 'bookinfo/partner'), { recursive: true });
  await fs.writeFile(path.join(folder, 'bookinfo/partner/ca.crt'), world.authority.trust);
  ports = {
    right: await world.secure(['api.localhost', 'files.localhost']),
    wrong: await world.secure(['other.localhost']),
    plain: await world.plain(),
  };
  const outcome = lower(
    evaluatedWith({
      ...running,
      ...egress,
      'books/details': service('books/bookinfo', 'details'),
      'mesh/accounts': { kind: 'issuer', name: 'accounts', url: issuer, audiences: ['shop'], keys: { file: 'keys.json', text: keys } },
      'books/editorsPublish': call('books/partner', 'productpage', {
        requests: ['PUT /v1/{rest...}'],
        user: { issuer: { ref: 'mesh/accounts' }, claims: [{ name: 'role', kind: 'is', values: ['editor'] }] },
      } as Partial<Access>),
      'books/partner': external('partner', ['api.localhost', 'files.localhost'], { api: { protocol: 'https', number: ports.right } }),
      'books/impostor': external('impostor', ['wrong.localhost'], { api: { protocol: 'https', number: ports.wrong } }),
      'books/oldOne': external('old-one', ['plain.localhost'], { api: { protocol: 'http', number: ports.plain } }),
      'books/pageCallsPartner': call('books/partner', 'productpage', { requests: ['GET /v1/{rest...}'] }),
      // only a destination reads headers to let somebody in: here the gateway is one
      'books/pageWritesWithKey': call('books/partner', 'productpage', {
        requests: ['POST /v1/{rest...}'],
        headers: { 'x-key': { kind: 'exact', value: 'k1' } },
      }),
      // may connect, and nothing more: what it asks for is for the gateway to refuse
      'books/detailsReadStatus': call('books/partner', 'details', { requests: ['GET /status'] }),
      'books/watched': call('books/partner', 'details', { requests: ['GET /v1/{rest...}'], mode: 'shadow' }),
      'books/pageCallsImpostor': call('books/impostor', 'productpage'),
      'books/pageCallsOld': call('books/oldOne', 'productpage'),
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
  ir = outcome.value;
  const emitted = present(emitEnvoy(ir).value);
  mesh = await runMesh(
    [
      { id: ids.page, workload: 'bookinfo/productpage', principal: principal('bookinfo/productpage'), ports: ['web'] },
      { id: ids.details, workload: 'bookinfo/details', principal: principal('bookinfo/details'), ports: ['web'] },
      { id: ids.egress, workload: 'platform/egress', principal: principal('platform/egress'), ports: ['egress'], listeners: [] },
    ],
    { agent: { certificatesDir: folder } },
  );
  const { status, json } = await mesh.release([...emitted.services, ...emitted.proxies]);
  expect([status, json]).toMatchObject([202, {}]);
  await Promise.all(Object.values(ids).map((id) => mesh.startAgent(id)));
  await mesh.until('all are active', areActive(3));
});
afterAll(async () => {
  await mesh?.stop();
  world?.close();
  if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
});
beforeEach(() => world.forget());

const principal = (key: string): Principal => present(ir.workloads.find((workload) => workload.key === key)).principal;
const letIn = { outcome: 'allow', status: null };
const keptOut = { outcome: 'deny', status: 403 };

/** A request of an application to its proxy, with the answer and what the definition says of it. */
async function asks(id: 'page' | 'details', host: string, url: string, method = 'GET') {
  const answer = await mesh.call(id, host, url, { method });
  const owner = present(ir.services.find((one) => one.outside?.hosts.includes(host.split(':')[0] ?? '')));
  const defined = decide(ir, {
    from: { kind: 'workload', workload: workloadKey('bookinfo', id === 'page' ? 'productpage' : 'details') },
    to: portKey(owner.key, 'api'),
    method,
    path: url,
    headers: { host },
  });
  return { status: answer.status, body: answer.body, defined: { outcome: defined.outcome, status: defined.status } };
}
/** The gateway's one way out, as anybody on its network reaches it. */
const door = () => present(mesh.inventory.instances.find(({ id }) => id === ids.egress)?.inbound['egress']);
const doorName = 'api.partner.outside';

describe('through a gateway', () => {
  test('who may call a host does, by its own name; the gateway makes the TLS, and the caller says nothing of who it is', async () => {
    expect(await asks('page', 'api.localhost', '/v1/books/7')).toEqual({ status: 200, body: 'from outside', defined: letIn });
    expect(await asks('page', `files.localhost:${ports.right}`, '/v1/books/7')).toMatchObject({ status: 200, defined: letIn });
    expect(await asks('page', 'plain.localhost', '/x')).toMatchObject({ status: 200, defined: letIn });
    expect(world.seen).toMatchObject([
      { sni: 'api.localhost', host: 'api.localhost', headers: { 'x-team': 'books' } },
      { sni: 'files.localhost', host: `files.localhost:${ports.right}` },
      { sni: '', host: 'plain.localhost' },
    ]);
    for (const { headers } of world.seen)
      expect(Object.keys(headers).filter((name) => /^x-(forwarded-client|envoy)/.test(name))).toEqual([]);
  });
  test('the gateway judges by the identity of the caller, and names it: other requests, other callers, headers, shadow', async () => {
    expect(await asks('page', 'api.localhost', '/v2/books')).toMatchObject({ status: 403, defined: keptOut });
    expect(await asks('page', 'api.localhost', '/v1/books', 'POST')).toMatchObject({ status: 403, defined: keptOut });
    const { status, body } = await asks('details', 'api.localhost', '/v1/books/7');
    expect([status, body]).toEqual([
      403,
      `meshwright: ${principal('bookinfo/details')} may not call outside/partner.api: outside/partner.api/default-deny\n`,
    ]);
    expect(await asks('details', 'api.localhost', '/status')).toMatchObject({ status: 200, defined: letIn });
    expect(await asks('page', 'api.localhost', '/v1/%2e%2e/v2')).toMatchObject({ status: 400, defined: { outcome: 'deny', status: 400 } });
    expect(world.seen.map(({ url }) => url)).toEqual(['/status']);
  });
  test('an allow by header lets in, since a destination reads the whole request', async () => {
    const { outbound } = present(mesh.inventory.instances.find(({ id }) => id === ids.page));
    const { host, port } = present(outbound);
    const answer = await fetchFrom(host, port, 'api.localhost', { 'x-key': 'k1' });
    expect(answer).toBe(200);
    expect(await fetchFrom(host, port, 'api.localhost', { 'x-key': 'k2' })).toBe(403);
  });
  test('an allow of users lets them in, whose token the gateway reads for itself and sends on as it came', async () => {
    const tokenOf = (role: string): Promise<string> =>
      new jose.SignJWT({ role })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setIssuer(issuer)
        .setAudience('shop')
        .setExpirationTime('1h')
        .sign(signing);
    const { host, port } = present(present(mesh.inventory.instances.find(({ id }) => id === ids.page)).outbound);
    const publishes = (token: string | null): Promise<number> =>
      fetchFrom(host, port, 'api.localhost', token === null ? {} : { authorization: `Bearer ${token}` }, 'PUT');
    const editor = await tokenOf('editor');
    expect(await publishes(editor)).toBe(200);
    expect(world.seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${editor}`]);
    expect(await publishes(await tokenOf('reader'))).toBe(403);
    expect(await publishes(null)).toBe(403);
    // what one token says, under the signature of another
    const [head, said] = editor.split('.');
    expect(await publishes(`${head}.${said}.${(await tokenOf('reader')).split('.')[2]}`)).toBe(401);
    expect(world.seen).toHaveLength(1);
    const defined = (claims: MeshRequest['claims']) =>
      decide(ir, {
        ...{
          from: { kind: 'workload', workload: workloadKey('bookinfo', 'productpage') },
          to: portKey(workloadKey('outside', 'partner'), 'api'),
        },
        ...{ method: 'PUT', path: '/v1/books', headers: { host: 'api.localhost' }, claims },
      }).status;
    expect([
      defined({ iss: issuer, role: 'editor' }),
      defined({ iss: issuer, role: 'reader' }),
      defined(undefined),
      defined('invalid'),
    ]).toEqual([null, 403, 403, 401]);
  });
  test('a certificate of another host is refused at the gateway', async () => {
    expect(await asks('page', 'wrong.localhost', '/')).toMatchObject({ status: 503, defined: letIn });
    expect(world.seen).toEqual([]);
    expect(
      await eventually(
        () => world.refusals(),
        (count) => count > 0,
      ),
    ).toBeGreaterThan(0);
  });
});

describe('past the gateway', () => {
  test('no other proxy knows where a host is', () => {
    const { services, proxies } = present(emitEnvoy(ir).value);
    const knows = [...services, ...proxies].filter((object) => JSON.stringify(object).includes(`"portValue":${ports.right}`));
    expect(knows.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual(['ProxyConfig platform/egress']);
  });
  test('the host on another port, and a caller that no rule names, are refused by its own proxy', async () => {
    expect((await mesh.call(ids.page, `api.localhost:${ports.plain}`, '/v1/books')).status).toBe(403);
    expect((await mesh.call(ids.details, 'plain.localhost', '/')).status).toBe(403);
    expect(world.seen).toEqual([]);
  });
  test('who has no identity of the mesh gets no word out of the gateway, by whatever name it asks', async () => {
    for (const name of [doorName, 'api.localhost', 'x']) expect(await knock(null, name, 'api.localhost', '/v1/books')).toMatch(/^refused/);
    expect(world.seen).toEqual([]);
  });
  test('who has one and goes to the gateway by itself is judged there, at each door, for each host', async () => {
    const details = await svidOf(mesh, { instance: ids.details, workload: 'bookinfo/details', principal: principal('bookinfo/details') });
    const page = await svidOf(mesh, { instance: ids.page, workload: 'bookinfo/productpage', principal: principal('bookinfo/productpage') });
    expect(await knock(page, doorName, 'api.localhost', '/v1/books')).toBe('200');
    expect(await knock(details, doorName, 'api.localhost', '/v1/books')).toBe('403');
    expect(await knock(details, 'api.old-one.outside', 'plain.localhost', '/')).toBe('403');
    // a door leads to its own hosts
    expect(await knock(page, doorName, 'plain.localhost', '/v1/books')).toBe('421');
    expect(await knock(page, doorName, 'elsewhere.localhost', '/v1/books')).toBe('421');
    expect(await knock(details, doorName, 'elsewhere.localhost', '/v1/books')).toBe('403');
    expect(await knock(page, 'elsewhere.partner.outside', 'api.localhost', '/v1/books')).toMatch(/^refused/);
    expect(world.seen.map(({ url }) => url)).toEqual(['/v1/books']);
  });
});

async function fetchFrom(host: string, port: number, name: string, headers: Record<string, string>, method = 'POST'): Promise<number> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: '/v1/books', method, headers: { host: name, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** A request to the gateway by a client of its own making: the status, or that there was no answer. */
function knock(as: Svid | null, serverName: string, authority: string, url: string): Promise<string> {
  const { host, port } = door();
  return new Promise((resolve) => {
    const session = http2.connect(`https://${authority}`, {
      createConnection: () =>
        tls.connect({
          ...{ host, port, servername: serverName, ALPNProtocols: ['h2'], rejectUnauthorized: false },
          ...(as === null ? {} : { key: as.key, cert: as.chain }),
        }),
    });
    const refused = (error: Error): void => resolve(`refused: ${error.message}`);
    session.on('error', refused);
    session.on('close', () => resolve('refused: closed'));
    const asked = session.request({ ':path': url, ':authority': authority });
    asked.on('error', refused);
    asked.on('response', (headers) => {
      resolve(String(headers[':status']));
      session.destroy();
    });
    asked.end();
  });
}
