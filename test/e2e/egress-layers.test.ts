/** TLS that is passed through, TCP and gRPC to hosts outside the mesh, with real clients and servers: by the caller's own proxy, and through a gateway. */
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import { lower } from '../../compiler/lower/index';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { type PortKey, portKey, type Principal, workloadKey } from '../../core/mesh/ids';
import { decide } from '../../core/semantics/decide';
import { decideConnection } from '../../core/semantics/decide-connection';
import { temporaryFolder } from '../../platform/files';
import type { Svid } from '../../runtime-proxy/ca/client';
import { shortDigest, digestOf } from '../../core/lib/digest';
import { egress, evaluatedWith, named, running, service } from '../kit/declarations';
import { bytes, grpcMethod, serveGrpc } from '../kit/grpc-server';
import { openOutsideWorld, type OutsideWorld } from '../kit/outside-world';
import { present } from '../kit/present';
import { areActive, runMesh, type RunningMesh } from '../kit/running-mesh';
import { svidOf } from '../kit/xds-client';

jest.setTimeout(180_000);

type Access = Extract<DeclarationValue, { readonly kind: 'access'; readonly action: 'allow' | 'deny' }>;
const ways = ['direct', 'through'] as const;
type Way = (typeof ways)[number];
const external = (name: string, way: Way, hosts: readonly string[], protocol: string, number: number): DeclarationValue => ({
  ...{ kind: 'external', name: `${name}-${way}`, team: 'books', hosts: hosts.map((host) => `${host}-${way}.localhost`) },
  ...{ ports: { it: { protocol, number } }, trust: 'bookinfo/partner' },
  ...(way === 'through' ? { through: { ref: 'platform/egress' } } : {}),
});
const allow = (to: string, caller: string, more: Partial<Access> = {}): DeclarationValue =>
  ({
    ...{ kind: 'access', action: 'allow', port: { ref: to, port: 'it' }, from: [named(`books/${caller}`)], requests: 'any' },
    ...more,
  }) as DeclarationValue; // decoding: of two kinds of rule, the one whose members are given
const of = (name: string, way: Way): PortKey => portKey(workloadKey('outside', `${name}-${way}`), 'it');

let world: OutsideWorld;
let mesh: RunningMesh;
let folder = '';
let ir: NonNullable<ReturnType<typeof lower>['value']>;
/** Server names that the TLS server was asked for; how many came to the TCP server. */
const asked: string[] = [];
let connected = 0;
const closing: (() => void)[] = [];
const ids = { page: 'page', details: 'details', egress: 'egress' };

async function grpcServer(credentials: grpc.ServerCredentials): Promise<number> {
  const say: grpc.handleUnaryCall<Buffer, Buffer> = (call, answer) =>
    answer(null, Buffer.from(`heard ${call.request.toString()} for ${call.getHost()}`));
  const server = await serveGrpc({ host: '127.0.0.1', port: 0 }, { Say: [grpcMethod('t.v1.Echo/Say'), say] }, credentials);
  closing.push(() => server.close());
  return server.port;
}

beforeAll(async () => {
  world = await openOutsideWorld();
  closing.push(() => world.close());
  folder = await temporaryFolder('egress-layers');
  await fs.mkdir(path.join(folder, 'bookinfo/partner'), { recursive: true });
  await fs.writeFile(path.join(folder, 'bookinfo/partner/ca.crt'), world.authority.trust);
  const named4 = (host: string): readonly string[] => ways.map((way) => `${host}-${way}.localhost`);
  const vault = await world.authority.serving([...named4('a'), ...named4('b'), ...named4('c')]);
  const rpc = await world.authority.serving(named4('rpc'));
  const vaultPort = await world.listens(
    tls.createServer({ key: vault.key, cert: vault.chain }, (socket) => {
      asked.push(String(socket.servername));
      socket.on('error', () => undefined);
      socket.end(`opened for ${String(socket.servername)}\n`);
    }),
  );
  // it speaks first, as databases do
  const ledgerPort = await world.listens(
    net.createServer((socket) => {
      connected += 1;
      socket.on('error', () => undefined);
      socket.write('220 ledger\n');
      socket.on('data', (data) => socket.write(`heard ${data.toString()}`));
    }),
  );
  const rpcPort = await grpcServer(
    grpc.ServerCredentials.createSsl(null, [{ private_key: Buffer.from(rpc.key), cert_chain: Buffer.from(rpc.chain) }]),
  );
  const rpcPlainPort = await grpcServer(grpc.ServerCredentials.createInsecure());
  const outside = Object.fromEntries(
    ways.flatMap((way) => [
      [`books/vault-${way}`, external('vault', way, ['a', 'b'], 'tls', vaultPort)],
      [`books/ledger-${way}`, external('ledger', way, ['db'], 'tcp', ledgerPort)],
      [`books/rpc-${way}`, external('rpc', way, ['rpc'], 'grpcs', rpcPort)],
      [`books/rpcPlain-${way}`, external('rpc-plain', way, ['plain'], 'grpc', rpcPlainPort)],
      [`books/pageOpens-${way}`, allow(`books/vault-${way}`, 'productpage')],
      // one of the hosts only
      [`books/detailsOpenA-${way}`, allow(`books/vault-${way}`, 'details', { hosts: [`a-${way}.localhost`] })],
      [`books/pageBooks-${way}`, allow(`books/ledger-${way}`, 'productpage')],
      [`books/detailsBooks-${way}`, allow(`books/ledger-${way}`, 'details')],
      [
        `books/detailsDoNot-${way}`,
        allow(`books/ledger-${way}`, 'details', { action: 'deny', because: 'not any more' } as Partial<Access>),
      ],
      [`books/pageCalls-${way}`, allow(`books/rpc-${way}`, 'productpage', { requests: ['t.v1.Echo/Say'] })],
      [`books/pageCallsPlain-${way}`, allow(`books/rpcPlain-${way}`, 'productpage', { requests: ['t.v1.Echo/Say'] })],
    ]),
  );
  const outcome = lower(
    evaluatedWith({
      ...running,
      ...egress,
      'books/details': service('books/bookinfo', 'details'),
      ...outside,
    }),
    'prod',
  );
  if (!outcome.value) throw new Error(JSON.stringify(outcome.diagnostics));
  ir = outcome.value;
  const emitted = present(emitEnvoy(ir).value);
  const dialled = ways.flatMap((way) => [of('vault', way), of('ledger', way)]);
  mesh = await runMesh(
    [
      ...(['page', 'details'] as const).map((id) => {
        const workload = `bookinfo/${id === 'page' ? 'productpage' : 'details'}`;
        return { id, workload, principal: principal(workload), ports: ['web'], outboundPorts: dialled };
      }),
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
  for (const close of closing) close();
  if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  asked.length = 0;
  connected = 0;
});

const principal = (key: string): Principal => present(ir.workloads.find((workload) => workload.key === key)).principal;
const keyOf = (id: 'page' | 'details') => workloadKey('bookinfo', id === 'page' ? 'productpage' : 'details');
const at = (id: 'page' | 'details', port: PortKey) => present(mesh.inventory.instances.find((one) => one.id === id)?.outboundPorts?.[port]);

/** What a client hears until it is closed, or has a line; `closed` where that was all. It trusts the outside only, as an application without a mesh would. */
function opens(id: 'page' | 'details', way: Way, sni: string | null): Promise<string> {
  const { host, port } = at(id, of('vault', way));
  return heard(
    tls.connect({
      host,
      port,
      ca: world.authority.trust,
      checkServerIdentity: () => undefined,
      ...(sni === null ? {} : { servername: sni }),
    }),
  );
}
function heard(socket: net.Socket, say = ''): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
      if (say !== '' && text.endsWith('ledger\n')) socket.write(say);
      else if (text.endsWith('\n')) {
        resolve(text);
        socket.destroy();
      }
    });
    socket.on('error', () => resolve('closed'));
    socket.on('close', () => resolve(text === '' ? 'closed' : text));
  });
}
const defined = (id: 'page' | 'details', to: PortKey, sni: string | null) => decideConnection(ir, { from: keyOf(id), to, sni }).outcome;

describe.each(ways)('%s', (way) => {
  const a = `a-${way}.localhost`;
  const b = `b-${way}.localhost`;

  test('TLS goes to the host that it names, and nobody on the way opens it', async () => {
    expect(await opens('page', way, a)).toBe(`opened for ${a}\n`);
    expect(await opens('page', way, b)).toBe(`opened for ${b}\n`);
    expect(asked).toEqual([a, b]);
    expect([defined('page', of('vault', way), a), defined('page', of('vault', way), b)]).toEqual(['allow', 'allow']);
  });
  test('another name, or none, goes nowhere', async () => {
    for (const name of [`c-${way}.localhost`, `x.${a}`, null]) {
      expect(await opens('page', way, name)).toBe('closed');
      expect(defined('page', of('vault', way), name)).toBe('deny');
    }
    expect(asked).toEqual([]);
  });
  test('an allow of one server name is of that host alone', async () => {
    expect(await opens('details', way, a)).toBe(`opened for ${a}\n`);
    expect(await opens('details', way, b)).toBe('closed');
    expect([defined('details', of('vault', way), a), defined('details', of('vault', way), b)]).toEqual(['allow', 'deny']);
    expect(asked).toEqual([a]);
  });
  test('TCP goes to the one host; who is denied hears nothing, and nothing is dialled for him', async () => {
    const dial = (id: 'page' | 'details') => net.connect(at(id, of('ledger', way)).port, '127.0.0.1');
    expect(await heard(dial('page'), 'hello\n')).toBe('220 ledger\nheard hello\n');
    expect(connected).toBe(1);
    expect(await heard(dial('details'))).toBe('closed');
    expect([defined('page', of('ledger', way), null), defined('details', of('ledger', way), null)]).toEqual(['allow', 'deny']);
    expect(connected).toBe(1);
  });
  test.each([
    ['over TLS that a proxy makes', 'rpc', `rpc-${way}.localhost`],
    ['in the clear', 'rpc-plain', `plain-${way}.localhost`],
  ])('gRPC %s, by method', async (_what, name, host) => {
    const { number } = present(ir.services.find(({ key }) => key === `outside/${name}-${way}`)?.ports[0]);
    expect(await says('page', `${host}:${number}`, 'Say')).toEqual([grpc.status.OK, `heard hello for ${host}:${number}`]);
    expect(await says('page', `${host}:${number}`, 'Other')).toEqual([grpc.status.PERMISSION_DENIED, '']);
    expect(await says('details', `${host}:${number}`, 'Say')).toEqual([grpc.status.PERMISSION_DENIED, '']);
    const ask = (method: string) =>
      decide(ir, {
        ...{ from: { kind: 'workload', workload: keyOf('page') }, to: of(name, way), method: 'POST', path: `/t.v1.Echo/${method}` },
        headers: { host },
      }).outcome;
    expect([ask('Say'), ask('Other')]).toEqual(['allow', 'deny']);
  });
});

test('who goes to the gateway by himself is judged at each door by his identity, in the handshake', async () => {
  const { host, port } = present(mesh.inventory.instances.find(({ id }) => id === ids.egress)?.inbound['egress']);
  const knock = (as: Svid | null, serverName: string): Promise<string> =>
    heard(
      tls.connect({
        ...{ host, port, servername: serverName, rejectUnauthorized: false },
        ...(as === null ? {} : { key: as.key, cert: as.chain }),
      }),
      'hello\n',
    );
  const door = `${shortDigest(digestOf('db-through.localhost'))}.it.ledger-through.outside`;
  const page = await svidOf(mesh, { instance: ids.page, workload: 'bookinfo/productpage', principal: principal('bookinfo/productpage') });
  const details = await svidOf(mesh, { instance: ids.details, workload: 'bookinfo/details', principal: principal('bookinfo/details') });
  expect(await knock(page, door)).toBe('220 ledger\nheard hello\n');
  expect(connected).toBe(1);
  expect(await knock(details, door)).toBe('closed');
  expect(await knock(null, door)).toBe('closed');
  expect(await knock(page, 'db-through.localhost')).toBe('closed');
  expect(connected).toBe(1);
});

function says(id: 'page' | 'details', authority: string, method: string): Promise<readonly [grpc.status, string]> {
  const { host, port } = present(mesh.inventory.instances.find((one) => one.id === id)?.outbound);
  const client = new grpc.Client(`${host}:${port}`, grpc.credentials.createInsecure(), { 'grpc.default_authority': authority });
  return new Promise((resolve) =>
    client.makeUnaryRequest(`/t.v1.Echo/${method}`, bytes.serialize, bytes.deserialize, Buffer.from('hello'), (error, value) => {
      client.close();
      resolve([error?.code ?? grpc.status.OK, value?.toString() ?? '']);
    }),
  );
}
