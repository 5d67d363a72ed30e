/**
 * Hosts outside the mesh, called by an application that knows of no proxy: its connections are captured, and what it may call leaves by the gateway or by its
 * own proxy, whatever address it dialled. And the names of those hosts, when their name server fails. Real namespaces, rules, Envoys, and a name server.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import { lower } from '../../compiler/lower/index';
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { workloadKey } from '../../core/mesh/ids';
import { temporaryFolder } from '../../platform/files';
import { readPidFile } from '../../platform/process';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { obtainNft } from '../../platform/tools/nft';
import type { Inventory } from '../../runtime-proxy/inventory';
import { testAuthority } from '../kit/certificates';
import { egress, evaluatedWith, named, running } from '../kit/declarations';
import { type DnsServer, serveDns, type ZoneRecord } from '../kit/dns-server';
import { eventually } from '../kit/layered-mesh';
import { openNamespaces, whyNoNamespaces, type Namespaces } from '../kit/namespaces';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';

jest.setTimeout(300_000);
const meshwright = [process.execPath, path.join(__dirname, '../../bin/meshwright.js')];
/** The group that proxies run as. */
const proxies = 15_021;

type Access = Extract<DeclarationValue, { readonly kind: 'access'; readonly action: 'allow' | 'deny' }>;
const external = (name: string, host: string, protocol: string, number: number, through: boolean): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', hosts: [host], ports: { it: { protocol, number } }, trust: 'bookinfo/partner' },
  ...(through ? { through: { ref: 'platform/egress' } } : {}),
});
const allow = (to: string, more: Partial<Access> = {}): DeclarationValue =>
  ({
    ...{ kind: 'access', action: 'allow', port: { ref: to, port: 'it' }, from: [named('books/productpage')], requests: 'any' },
    ...more,
  }) as DeclarationValue; // decoding: of two kinds of rule, the one whose members are given

let space: Namespaces;
let mesh: RunningMesh;
let dns: DnsServer;
let folder = '';
let ports = { plain: 0, secure: 0, vault: 0, ledger: 0, other: 0 };
const closing: (() => void)[] = [];
/** Who came to the hosts, from which address. */
const seen: { readonly server: string; readonly from: string; readonly name: string }[] = [];
let connectionsOfOther = 0;

/** One request; the answer or what became of the connection, in one line of JSON. */
const ask = `
  const [address, port, host, path] = process.argv.slice(1);
  const call = require('node:http').get({ host: address, port: Number(port), path, headers: { host }, timeout: 60000, agent: false }, (response) => {
    let body = ''; response.on('data', (d) => body += d); response.on('end', () => console.log(JSON.stringify({ status: response.statusCode, body })));
  });
  call.on('timeout', () => call.destroy(new Error('ETIMEDOUT')));
  call.on('error', (error) => console.log(JSON.stringify({ error: error.code ?? error.message })));
`;
/** Opens TLS (with a name), or a plain connection (without), and says the first line it hears, or that it was closed. */
const hear = `
  const [address, port, name] = process.argv.slice(1);
  const options = { host: address, port: Number(port) };
  const socket = name === '' ? require('node:net').connect(options) : require('node:tls').connect({ ...options, servername: name, rejectUnauthorized: false });
  let heard = '';
  const done = (end) => { console.log(JSON.stringify({ heard, end })); process.exit(0); };
  socket.on('data', (d) => { heard += d; if (heard.endsWith('\\n')) done('heard'); });
  socket.on('error', () => done('closed')); socket.on('end', () => done('closed')); socket.on('close', () => done('closed')); socket.setTimeout(60000, () => done('silence'));
`;
interface Said {
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
  readonly heard?: string;
  readonly end?: string;
}
async function script(text: string, args: readonly (string | number)[]): Promise<Said> {
  const { stdout, stderr } = await space.run('a', [process.execPath, '-e', text, ...args.map(String)]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}
const get = (host: string, port: number, address = space.host, where = '/x'): Promise<Said> => script(ask, [address, port, host, where]);
const opens = (port: number, name: string, address = space.host): Promise<Said> => script(hear, [address, port, name]);
const nowhere = '192.0.2.9';

async function listens(server: net.Server): Promise<number> {
  closing.push(() => server.close());
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, space.host, resolve));
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}
const from = (socket: net.Socket): string => (socket.remoteAddress ?? '').replace('::ffff:', '');
const addressOf = (ttl: number): ZoneRecord => ({ type: 'A', ttl, address: space.host });

/** What is declared. */
let all: Readonly<Record<string, DeclarationValue | null>> = {};
function meshOf(declared: typeof all): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(declared), 'prod');
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
/** Sends it out, and answers its generation. */
async function release(ir: MeshIr): Promise<number> {
  const { services, proxies } = present(emitEnvoy(ir).value);
  const run = new Set<string>(['bookinfo/productpage', 'platform/egress']);
  const { status, json, signed } = await mesh.release([...services, ...proxies.filter(({ spec }) => run.has(spec.workload))]);
  expect([status, json]).toMatchObject([202, {}]);
  return signed.release.generation;
}

const reason = process.env['MESHWRIGHT_SKIP_NAMESPACES'];
const cases = reason === undefined ? describe : describe.skip;
if (reason !== undefined) process.stderr.write(`meshwright: egress with capture is not tested here: ${reason}\n`);

cases('hosts outside, for an application whose connections are captured', () => {
  beforeAll(async () => {
    const missing = await whyNoNamespaces();
    if (missing !== null) throw new Error(`${missing}; to leave this suite out, set MESHWRIGHT_SKIP_NAMESPACES to the reason`);
    const nft = await obtainNft();
    const envoy = await obtainEnvoy();
    // a has the application, g the gateway; the bridge is where the hosts outside are
    space = await openNamespaces(['a', 'g']);
    folder = await temporaryFolder('egress-capture');
    const authority = await testAuthority('outside.test');
    await fs.mkdir(path.join(folder, 'bookinfo/partner'), { recursive: true });
    await fs.writeFile(path.join(folder, 'bookinfo/partner/ca.crt'), authority.trust);
    await fs.writeFile(path.join(folder, 'resolv.conf'), `nameserver ${space.host}\n`);
    dns = await serveDns(space.host, 53);
    const certificate = await authority.serving(['api.partner.example', 'vault.example', 'eu.any.example']);
    const secure = { key: certificate.key, cert: certificate.chain };
    const answers =
      (server: string): http.RequestListener =>
      (asked, response) => {
        seen.push({ server, from: from(asked.socket), name: asked.headers.host ?? '' });
        response.end(`${server} answers`);
      };
    ports = {
      plain: await listens(http.createServer(answers('plain'))),
      secure: await listens(https.createServer(secure, answers('secure'))),
      vault: await listens(
        tls.createServer(secure, (socket) => {
          seen.push({ server: 'vault', from: from(socket), name: String(socket.servername) });
          socket.on('error', () => undefined);
          socket.end('vault opens\n');
        }),
      ),
      ledger: await listens(
        net.createServer((socket) => {
          seen.push({ server: 'ledger', from: from(socket), name: '' });
          socket.on('error', () => undefined);
          socket.write('220 ledger\n');
        }),
      ),
      other: await listens(
        net.createServer((socket) => {
          connectionsOfOther += 1;
          socket.on('error', () => undefined);
          socket.end('220 other\n');
        }),
      ),
    };
    for (const name of ['plain.example', 'api.partner.example', 'vault.example', 'direct.example', 'eu.any.example'])
      dns.zone.set(name, [addressOf(1)]);
    all = {
      ...running,
      ...egress,
      'books/plain': external('plain', 'plain.example', 'http', ports.plain, true),
      'books/partner': external('partner', 'api.partner.example', 'https', ports.secure, true),
      'books/vault': external('vault', 'vault.example', 'tls', ports.vault, true),
      'books/ledger': external('ledger', space.host, 'tcp', ports.ledger, true),
      'books/direct': external('direct', 'direct.example', 'http', ports.plain, false),
      'books/any': { ...external('any', '*.any.example', 'https', ports.secure, true), at: [`${space.host}/32`] } as DeclarationValue, // decoding: an external
      'books/pageAny': allow('books/any'),
      // its name is nobody's: what is never found must not hold up the rest
      'books/lost': external('lost', 'lost.example', 'http', ports.plain, false),
      'books/pagePlain': allow('books/plain', { requests: ['GET /x'] }),
      'books/pagePartner': allow('books/partner'),
      'books/pageVault': allow('books/vault'),
      'books/pageLedger': allow('books/ledger'),
      'books/pageDirect': allow('books/direct'),
      'books/pageLost': allow('books/lost'),
    };
    const ir = meshOf(all);
    mesh = await runMesh([], { host: space.host });
    const inventory: Inventory = {
      instances: [
        {
          ...{ id: 'page-1', workload: workloadKey('bookinfo', 'productpage') },
          ...{ app: { web: { host: '127.0.0.1', port: 9080 } }, inbound: { web: { host: space.addressOf('a'), port: 9080 } } },
          capture: { inbound: { host: '0.0.0.0', port: 15_006 }, outbound: { host: '127.0.0.1', port: 15_005 } },
        },
        {
          ...{ id: 'egress-1', workload: workloadKey('platform', 'egress'), app: {} },
          ...{ inbound: { egress: { host: space.addressOf('g'), port: 15_443 } }, listeners: {} },
        },
      ],
    };
    await mesh.writeInventory(inventory);
    const captured = await space.run('a', [...meshwright, 'capture', '--gid', String(proxies), '--nft', nft, '--name-server', space.host]);
    if (captured.code !== 0) throw new Error(captured.stderr);
    for (const [name, id, workload] of [
      ['a', 'page-1', 'bookinfo/productpage'],
      ['g', 'egress-1', 'platform/egress'],
    ] as const) {
      const file = (what: string): string => path.join(mesh.folder, `${id}.${what}`);
      const { principal } = present(ir.workloads.find((one) => one.key === workload));
      await fs.writeFile(file('join'), await mesh.mint({ instance: id, workload, principal }), { mode: 0o600 });
      const config = {
        ...{ instance: id, workload, trustDomain: 'mesh.test', runDir: file('run'), certificatesDir: folder },
        ...{
          controlPlane: mesh.controlPlaneConfig.listen,
          ca: mesh.controlPlaneConfig.ca,
          joinTokenFile: file('join'),
          envoy,
          drainMs: 200,
        },
      };
      await fs.writeFile(file('json'), JSON.stringify(config));
      // a file system view of its own, in which this test's name server is the machine's
      const resolving = [
        'unshare',
        '--mount',
        'sh',
        '-c',
        `mount --bind ${path.join(folder, 'resolv.conf')} /etc/resolv.conf && exec "$@"`,
        'sh',
      ];
      const agent = space.start(name, [...resolving, ...meshwright, 'agent', '--config', file('json')], { gid: proxies });
      if (process.env['MESHWRIGHT_LOG'] !== undefined) for (const stream of [agent.stdout, agent.stderr]) stream?.pipe(process.stderr);
      agent.stdout?.resume();
      agent.stderr?.resume();
    }
    await mesh.until('both connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 2);
    await release(ir);
    await mesh.until('converged, though one name is nowhere', (now) => now.state === 'converged');
  });
  afterAll(async () => {
    await space?.close();
    await mesh?.stop();
    await dns?.close();
    for (const close of closing) close();
    if (folder !== '') await fs.rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    seen.length = 0;
    connectionsOfOther = 0;
  });
  const gateway = () => space.addressOf('g');
  const itself = () => space.addressOf('a');

  test('HTTP goes by its Host through the gateway, whatever address was dialled', async () => {
    for (const address of [space.host, nowhere])
      expect(await get(`plain.example:${ports.plain}`, ports.plain, address)).toEqual({ status: 200, body: 'plain answers' });
    expect(seen).toEqual([0, 1].map(() => ({ server: 'plain', from: gateway(), name: `plain.example:${ports.plain}` })));
  });
  test('an application that says http has its TLS made at the gateway, at port 80 too, where its libraries ask', async () => {
    expect(await get('api.partner.example', 80)).toEqual({ status: 200, body: 'secure answers' });
    expect(await get(`api.partner.example:${ports.secure}`, ports.secure)).toEqual({ status: 200, body: 'secure answers' });
    expect(seen.map((one) => one.from)).toEqual([gateway(), gateway()]);
  });
  test('TLS of its own goes by the name that it asks for, to where that name is', async () => {
    for (const address of [space.host, nowhere])
      expect(await opens(ports.vault, 'vault.example', address)).toEqual({ heard: 'vault opens\n', end: 'heard' });
    expect(seen).toEqual([0, 1].map(() => ({ server: 'vault', from: gateway(), name: 'vault.example' })));
  });
  test('a name under a wildcard goes where the gateway finds it, whatever address was dialled, and nowhere else', async () => {
    dns.zone.set('us.any.example', [{ type: 'A', ttl: 1, address: gateway() }]);
    for (const address of [space.host, nowhere])
      expect(await get(`eu.any.example:${ports.secure}`, ports.secure, address)).toEqual({ status: 200, body: 'secure answers' });
    expect(await get(`us.any.example:${ports.secure}`, ports.secure)).toMatchObject({ status: 503 });
    expect(seen).toEqual([0, 1].map(() => ({ server: 'secure', from: gateway(), name: `eu.any.example:${ports.secure}` })));
  });
  test('TCP to a host that is an address goes by that address', async () => {
    expect(await opens(ports.ledger, '')).toEqual({ heard: '220 ledger\n', end: 'heard' });
    expect(seen).toEqual([{ server: 'ledger', from: gateway(), name: '' }]);
  });
  test('where no gateway is on the way its own proxy dials', async () => {
    expect(await get(`direct.example:${ports.plain}`, ports.plain)).toMatchObject({ status: 200 });
    expect(seen.map((one) => one.from)).toEqual([itself()]);
  });

  describe('past the gateway', () => {
    test('a host that it may not call is refused by name, at the address of one that it may', async () => {
      expect(await get(`other.example:${ports.plain}`, ports.plain)).toMatchObject({ status: 403 });
      expect(await get(`${space.host}:${ports.plain}`, ports.plain)).toMatchObject({ status: 403 });
      expect(await get(`plain.example:${ports.plain}`, ports.plain, space.host, '/y')).toMatchObject({ status: 403 });
      expect(seen).toEqual([]);
    });
    test('TLS that it makes itself, where the gateway is to make it, or to a name that it may not call, is closed', async () => {
      expect(await opens(ports.secure, 'api.partner.example')).toEqual({ heard: '', end: 'closed' });
      expect(await opens(ports.vault, 'api.partner.example')).toEqual({ heard: '', end: 'closed' });
      expect(await opens(ports.vault, 'other.example')).toEqual({ heard: '', end: 'closed' });
      expect(seen).toEqual([]);
    });
    test('another port of a host, and the same port of another, are closed', async () => {
      expect(await opens(ports.other, '')).toEqual({ heard: '', end: 'closed' });
      expect(await opens(ports.ledger, '', nowhere)).toEqual({ heard: '', end: 'closed' });
      expect([connectionsOfOther, seen]).toEqual([0, []]);
    });
    test('the door of the gateway, dialled by the application itself, is closed', async () => {
      expect(await opens(15_443, 'it.plain.outside', gateway())).toEqual({ heard: '', end: 'closed' });
      expect(seen).toEqual([]);
    });
  });

  describe('when a name server fails', () => {
    const direct = (): Promise<Said> => get(`direct.example:${ports.plain}`, ports.plain);
    const askedFor = (name: string): number => dns.asked.get(`A ${name}`) ?? 0;
    /** Waits until the proxies asked so often again. */
    async function askedAgain(name: string, times: number): Promise<void> {
      const wanted = askedFor(name) + times;
      const asked = await eventually(
        () => askedFor(name),
        (count) => count >= wanted,
      );
      if (asked < wanted) throw new Error(`${name} was not asked for again`);
    }
    async function released(): Promise<void> {
      const generation = await release(meshOf(all));
      await mesh.until('converged', (now) => now.state === 'converged' && now.generation === generation);
    }
    async function becomes(status: number, host = 'direct.example'): Promise<Said> {
      return eventually(
        () => get(`${host}:${ports.plain}`, ports.plain),
        (said) => said.status === status,
      );
    }
    test('the addresses that it gave last are called on, past their time', async () => {
      expect(await direct()).toMatchObject({ status: 200 });
      dns.zone.set('direct.example', 'SERVFAIL');
      await askedAgain('direct.example', 3);
      expect(await direct()).toMatchObject({ status: 200 });
      dns.zone.set('direct.example', 'silence');
      await askedAgain('direct.example', 2);
      expect(await direct()).toMatchObject({ status: 200 });
    });
    test('that a name is nobody is an answer: 503, and 200 again when it is somebody', async () => {
      dns.zone.set('direct.example', 'NXDOMAIN');
      expect(await becomes(503)).toMatchObject({ status: 503 });
      dns.zone.set('direct.example', [addressOf(1)]);
      expect(await becomes(200)).toMatchObject({ status: 200 });
    });
    test('a name that was never found answers 503, and nothing else suffers', async () => {
      expect(await get(`lost.example:${ports.plain}`, ports.plain)).toMatchObject({ status: 503 });
      expect(await direct()).toMatchObject({ status: 200 });
      dns.zone.set('lost.example', [addressOf(1)]);
      await askedAgain('lost.example', 1);
      expect(await becomes(200, 'lost.example')).toMatchObject({ status: 200 });
    });
    test('a name that takes it long is waited for, though it was quick before', async () => {
      dns.zone.set('late.example', [addressOf(60)]);
      dns.late.set('late.example', 900);
      all = { ...all, 'books/late': external('late', 'late.example', 'http', ports.plain, false), 'books/pageLate': allow('books/late') };
      await released();
      expect(await becomes(200, 'late.example')).toEqual({ status: 200, body: 'plain answers' });
    });
    test('one that says nothing holds nothing up for long: not a proxy that starts, nor a release with a host that is new', async () => {
      const zone = [...dns.zone];
      for (const [name] of zone) dns.zone.set(name, 'silence');
      dns.zone.set('mute.example', 'silence');
      const { pid } = present(await readPidFile(path.join(mesh.folder, 'page-1.run/envoy.pid')));
      process.kill(pid, 'SIGKILL');
      // its own proxy says so, which has no listener before
      expect(await becomes(403, 'other.example')).toMatchObject({ status: 403 });
      expect(await direct()).toMatchObject({ status: 503 });
      all = { ...all, 'books/mute': external('mute', 'mute.example', 'tls', ports.vault, false), 'books/pageMute': allow('books/mute') };
      await released();
      expect(await opens(ports.vault, 'mute.example')).toEqual({ heard: '', end: 'closed' });
      for (const [name, entry] of zone) dns.zone.set(name, entry);
      expect(await becomes(200)).toEqual({ status: 200, body: 'plain answers' });
    });
  });
});
