/**
 * Ranges of addresses outside the mesh, dialled by an application whose connections are captured: each goes to the address and number that was dialled, where
 * the narrowest that stands there lets the caller in. Real namespaces, rules, Envoys; skipped only where `whyNoNamespaces` says why.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { emitEnvoy } from '../../compiler/emit/envoy/index';
import { lower } from '../../compiler/lower/index';
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { decideDialled } from '../../core/semantics/decide-connection';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { obtainNft } from '../../platform/tools/nft';
import type { Inventory } from '../../runtime-proxy/inventory';
import { bookinfo, evaluatedWith, named } from '../kit/declarations';
import { eventually } from '../kit/layered-mesh';
import { openNamespaces, whyNoNamespaces, type Namespaces } from '../kit/namespaces';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';

jest.setTimeout(300_000);
const meshwright = [process.execPath, path.join(__dirname, '../../bin/meshwright.js')];
/** The group that proxies run as. */
const proxies = 15_021;
const page = workloadKey('bookinfo', 'productpage');

/** What the outside listens at: the same numbers at every address that is routed there. */
const numbers = { db: 5432, other: 5433, open: 7777, quiet: 7778, machine: 8080 };
const outsideWorld = `
  const net = require('node:net');
  for (const port of process.argv.slice(1).map(Number))
    net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write('220 ' + (socket.localAddress ?? '').replace('::ffff:', '') + ' ' + socket.localPort + '\\n');
      socket.on('data', (data) => socket.write(data));
    }).listen(port, '::', () => console.log('listening'));
`;
/** Connects, and says the first line that it hears (a server speaks first), or how it ended. `wait`: for the end after that line. */
const hear = `
  const [address, port, wait] = process.argv.slice(1);
  let heard = '';
  const socket = require('node:net').connect(Number(port), address);
  const done = (end) => { console.log(JSON.stringify({ heard, end })); process.exit(0); };
  socket.on('data', (d) => { heard += d; if (heard.endsWith('\\n') && wait !== 'end') done('heard'); });
  socket.on('error', () => done('closed')); socket.on('end', () => done('closed')); socket.on('close', () => done('closed')); socket.setTimeout(60000, () => done('silence'));
`;
/** Opens one connection, says what comes, and sends a line that comes back for each signal. */
const hold = `
  const [address, port] = process.argv.slice(1);
  const socket = require('node:net').connect(Number(port), address);
  socket.on('data', (d) => process.stdout.write(d)); socket.on('error', () => {}); socket.on('close', () => { console.log('closed'); process.exit(0); });
  process.on('SIGUSR2', () => socket.write('still\\n'));
`;

type Access = Extract<DeclarationValue, { readonly kind: 'access' }>;
const ranges = (name: string, addresses: readonly string[], number: number, team = 'books'): DeclarationValue => ({
  ...{ kind: 'external', name, team, addresses, ports: { it: { protocol: 'tcp', number } } },
});
const host = (name: string, address: string, number: number): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', hosts: [address], ports: { it: { protocol: 'tcp', number } } },
});
const access = (action: 'allow' | 'deny', to: string, from = 'books/productpage'): DeclarationValue =>
  ({ kind: 'access', action, port: { ref: to, port: 'it' }, from: [named(from)], requests: 'any', because: 'a test' }) as Access; // decoding: of two kinds of rule, the one whose members are given

let space: Namespaces;
let mesh: RunningMesh;
let ir: MeshIr;

function lowered(more: { readonly [id: string]: DeclarationValue | null } = {}): MeshIr {
  const outcome = lower(
    evaluatedWith({
      'mesh/mesh': { ...present(bookinfo['mesh/mesh']), trustDomain: 'mesh.test' } as DeclarationValue, // it is a mesh
      'books/wide': ranges('wide', ['198.51.100.0/24', '2001:db8:5::/48'], numbers.db),
      'books/pageCallsWide': access('allow', 'books/wide'),
      // within the wide one: for somebody else, for nobody, denied, and a narrower one for the page
      'books/narrow': ranges('narrow', ['198.51.100.128/25'], numbers.db),
      'books/ratingsCallNarrow': access('allow', 'books/narrow', 'books/ratings'),
      'books/inNarrow': ranges('in-narrow', ['198.51.100.192/26'], numbers.db),
      'books/pageCallsInNarrow': access('allow', 'books/inNarrow'),
      'books/shut': ranges('shut', ['198.51.100.64/26'], numbers.db),
      'books/pageCallsShut': access('allow', 'books/shut'),
      'books/pageIsShutOut': access('deny', 'books/shut'),
      'books/ledger': host('ledger', '198.51.100.9', numbers.db),
      'books/ratingsCallLedger': access('allow', 'books/ledger', 'books/ratings'),
      'books/vault': host('vault', '198.51.100.10', numbers.db),
      'books/pageCallsVault': access('allow', 'books/vault'),
      // the network of the mesh itself
      'books/within': ranges('within', [`${space.host.replace(/\d+$/, '0')}/24`], numbers.db),
      'books/pageCallsWithin': access('allow', 'books/within'),
      'books/anywhere': ranges('anywhere', ['0.0.0.0/0', '::/0'], numbers.open),
      'books/pageCallsAnywhere': access('allow', 'books/anywhere'),
      'books/quiet': ranges('quiet', ['198.51.100.0/24'], numbers.quiet),
      'books/pageCallsQuiet': access('allow', 'books/quiet'),
      'books/quietRoutes': {
        ...{ kind: 'route', on: { ref: 'books/quiet', port: 'it' }, rules: [] },
        otherwise: { to: { kind: 'target', to: { ref: 'books/quiet', port: 'it' } }, idle: '1s' },
      },
      'platform/machine': ranges('machine', ['169.254.169.254/32'], numbers.machine, 'platform'),
      'platform/pageCallsMachine': access('allow', 'platform/machine'),
      ...more,
    }),
    'prod',
  );
  if (!outcome.value) throw new Error(JSON.stringify(outcome.diagnostics));
  return outcome.value;
}

interface Said {
  readonly heard: string;
  readonly end: string;
}
async function opens(address: string, port: number, wait = '', from = 'a'): Promise<Said> {
  const { stdout, stderr } = await space.run(from, [process.execPath, '-e', hear, address, String(port), wait]);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}
const reached = (address: string, port: number): Said => ({ heard: `220 ${address} ${port}\n`, end: 'heard' });
const closed: Said = { heard: '', end: 'closed' };
/** What the definition says of it. */
const decided = (address: string, number: number) => decideDialled(ir, { from: page, address, number }).outcome;

async function inside(name: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await space.run(name, ['ip', ...args]);
  if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/** `b` is another workload of the mesh, `c` an instance whose proxy is not there: what listens at its address is the application alone. */
const inventory = (
  there: readonly string[] = ['page-1', 'details-1', 'reviews-1'],
  more: Pick<Inventory, 'alsoOfMesh'> = {},
): Inventory => {
  const one = (id: string, name: string, at: string, more: object = {}): Inventory['instances'][number] => ({
    ...{ id, workload: workloadKey('bookinfo', name), app: { web: { host: '127.0.0.1', port: 9080 } } },
    inbound: { web: { host: space.addressOf(at), port: 9080 } },
    ...more,
  });
  const outbound = { outbound: { host: '127.0.0.1', port: 15_005 }, outboundAlso: { host: '::1', port: 15_005 } };
  const capture = { inbound: { host: '0.0.0.0', port: 15_006 }, ...outbound };
  return {
    instances: [
      one('page-1', 'productpage', 'a', { capture }),
      one('details-1', 'details', 'b', { capture }),
      one('reviews-1', 'reviews', 'c', { version: 'v1', endpointOnly: true }),
    ].filter(({ id }) => there.includes(id)),
    virtual: { [portKey(workloadKey('bookinfo', 'reviews'), 'web')]: [{ host: '198.51.100.50', port: 9080 }] },
    ...more,
  };
};

async function release(now: MeshIr): Promise<void> {
  ir = now;
  const { services, proxies: all } = present(emitEnvoy(now).value);
  const run = ['bookinfo/productpage', 'bookinfo/details'];
  const { status, json, signed } = await mesh.release([...services, ...all.filter(({ spec }) => run.includes(spec.workload))]);
  expect([status, json]).toMatchObject([202, {}]);
  await mesh.until('converged', (known) => known.state === 'converged' && known.generation === signed.release.generation);
}

/** Opens one connection from the page and keeps it. */
async function keepOpen(address: string, port: number) {
  const child = space.start('a', [process.execPath, '-e', hold, address, String(port)]);
  child.stderr?.resume();
  const lines: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n').filter((line) => line !== '')));
  const hears = async (line: string): Promise<void> => {
    for (const end = performance.now() + 60_000; !lines.includes(line);) {
      if (performance.now() > end) throw new Error(`\`${line}\` was not heard, but ${lines.join(', ')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await hears(`220 ${address} ${port}`);
  return { speak: () => void child.kill('SIGUSR2'), hears };
}

const reason = process.env['MESHWRIGHT_SKIP_NAMESPACES'];
const cases = reason === undefined ? describe : describe.skip;
if (reason !== undefined) process.stderr.write(`meshwright: ranges of addresses are not tested here: ${reason}\n`);

cases('ranges of addresses outside, for an application whose connections are captured', () => {
  beforeAll(async () => {
    const missing = await whyNoNamespaces();
    if (missing !== null) throw new Error(`${missing}; to leave this suite out, set MESHWRIGHT_SKIP_NAMESPACES to the reason`);
    const nft = await obtainNft();
    const envoy = await obtainEnvoy();
    space = await openNamespaces(['a', 'b', 'c', 'o']);
    await inside('o', '-6', 'addr', 'add', '2001:db8:4::5/64', 'dev', 'eth0', 'nodad');
    for (const address of ['7', '9', '10', '50', '70', '130', '200'])
      await inside('o', 'addr', 'add', `198.51.100.${address}/32`, 'dev', 'eth0');
    for (const address of ['203.0.113.9/32', '169.254.169.254/32']) await inside('o', 'addr', 'add', address, 'dev', 'eth0');
    await inside('o', '-6', 'addr', 'add', '2001:db8:5::7/128', 'dev', 'eth0', 'nodad');
    await inside('o', '-6', 'addr', 'add', 'fd00:ec2::254/128', 'dev', 'eth0', 'nodad');
    for (const name of ['a', 'b']) {
      await inside(name, '-6', 'addr', 'add', `2001:db8:4::${name}/64`, 'dev', 'eth0', 'nodad');
      for (const to of ['198.51.100.0/24', '203.0.113.0/24', '169.254.0.0/16'])
        await inside(name, 'route', 'add', to, 'via', space.addressOf('o'));
      for (const to of ['2001:db8:5::/48', 'fd00:ec2::/32']) await inside(name, '-6', 'route', 'add', to, 'via', '2001:db8:4::5');
    }
    for (const name of ['o', 'c']) {
      const server = space.start(name, [process.execPath, '-e', outsideWorld, ...Object.values(numbers).map(String)]);
      let listening = 0;
      await new Promise<void>((resolve, reject) => {
        server.once('exit', () => reject(new Error('the outside does not listen')));
        server.stdout?.on('data', (text: Buffer) => {
          listening += text.toString().split('listening').length - 1;
          if (listening === Object.keys(numbers).length) resolve();
        });
      });
    }
    // that they are reached without capture is what makes a refusal one
    expect(await opens('169.254.169.254', numbers.open)).toEqual(reached('169.254.169.254', numbers.open));
    expect(await opens('2001:db8:5::7', numbers.db)).toEqual(reached('2001:db8:5::7', numbers.db));
    expect(await opens(space.addressOf('c'), numbers.db)).toEqual(reached(space.addressOf('c'), numbers.db));
    const now = lowered();
    mesh = await runMesh([], { host: space.host });
    await mesh.writeInventory(inventory());
    for (const [name, id, workload] of [
      ['a', 'page-1', 'bookinfo/productpage'],
      ['b', 'details-1', 'bookinfo/details'],
    ] as const) {
      const captured = await space.run(name, [...meshwright, 'capture', '--gid', String(proxies), '--nft', nft]);
      if (captured.code !== 0) throw new Error(captured.stderr);
      const file = (what: string): string => path.join(mesh.folder, `${id}.${what}`);
      const { principal } = present(now.workloads.find((one) => one.key === workload));
      await fs.writeFile(file('join'), await mesh.mint({ instance: id, workload, principal }), { mode: 0o600 });
      const config = {
        ...{ instance: id, workload, trustDomain: 'mesh.test', runDir: file('run'), envoy, drainMs: 200 },
        ...{ controlPlane: mesh.controlPlaneConfig.listen, ca: mesh.controlPlaneConfig.ca, joinTokenFile: file('join') },
      };
      await fs.writeFile(file('json'), JSON.stringify(config));
      const agent = space.start(name, [...meshwright, 'agent', '--config', file('json')], { gid: proxies });
      if (process.env['MESHWRIGHT_LOG'] !== undefined) for (const stream of [agent.stdout, agent.stderr]) stream?.pipe(process.stderr);
      agent.stdout?.resume();
      agent.stderr?.resume();
    }
    await mesh.until('both connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 2);
    await release(now);
  });
  afterAll(async () => {
    await space?.close();
    await mesh?.stop();
  });

  test.each([
    ['an address of a range', '198.51.100.7', numbers.db],
    ['an address of IPv6', '2001:db8:5::7', numbers.db],
    ['a host that is written as its address', '198.51.100.10', numbers.db],
    ['a range within one that is not for it', '198.51.100.200', numbers.db],
    ['any address, where that is the range', '203.0.113.9', numbers.open],
    ['any address of IPv6', '2001:db8:5::7', numbers.open],
    ['what a platform opened of the link', '169.254.169.254', numbers.machine],
  ])('goes where it is dialled, and the server speaks first: %s', async (_what, address, port) => {
    expect(decided(address, port)).toBe('allow');
    expect(await opens(address, port)).toEqual(reached(address, port));
  });
  test('one whose address is of the network of the mesh, and no instance is there', async () => {
    expect(await opens(space.addressOf('o'), numbers.db)).toEqual(reached(space.addressOf('o'), numbers.db));
  });

  test.each([
    ['another port', '198.51.100.7', numbers.other],
    ['an address beside the range', '203.0.113.9', numbers.db],
    ['a narrower range of others', '198.51.100.130', numbers.db],
    ['a narrower range whose rules deny it', '198.51.100.70', numbers.db],
    ['a host of others', '198.51.100.9', numbers.db],
    ['the metadata of its cloud, where every address is of the range', '169.254.169.254', numbers.open],
    ['the same in IPv6', 'fd00:ec2::254', numbers.open],
  ])('is closed: %s', async (_what, address, port) => {
    expect(decided(address, port)).toBe('deny');
    expect(await opens(address, port)).toEqual(closed);
  });
  test('is closed: an address at which a service of the mesh is dialled, and one of an instance', async () => {
    expect(await opens('198.51.100.50', numbers.db)).toEqual(closed);
    expect(await opens(space.addressOf('c'), numbers.db)).toEqual(closed);
    expect(await opens(space.addressOf('c'), numbers.open)).toEqual(closed);
    expect(await opens(space.addressOf('b'), numbers.db)).toEqual(closed);
  });
  test('is closed: another workload that no rule lets in', async () => {
    expect(await opens('198.51.100.7', numbers.db, '', 'b')).toEqual(closed);
    expect(await opens('2001:db8:5::7', numbers.open, '', 'b')).toEqual(closed);
  });
  test('a connection on which nothing is said is closed after its idle time', async () => {
    // a server that takes as long to say its first line has said nothing either
    const said = await eventually(
      () => opens('198.51.100.7', numbers.quiet, 'end'),
      ({ heard }) => heard !== '',
    );
    expect(said).toEqual({ heard: `220 198.51.100.7 ${numbers.quiet}\n`, end: 'closed' });
  });

  test('an instance that goes frees its address, one that comes takes it; what is open elsewhere stays', async () => {
    const open = await keepOpen('198.51.100.7', numbers.db);
    const becomes = (wanted: Said): Promise<Said> =>
      eventually(
        () => opens(space.addressOf('c'), numbers.db),
        ({ end }) => end === wanted.end,
      );
    await mesh.writeInventory(inventory(['page-1', 'details-1']));
    const there = reached(space.addressOf('c'), numbers.db);
    expect(await becomes(there)).toEqual(there);
    await mesh.writeInventory(inventory());
    expect(await becomes(closed)).toEqual(closed);
    open.speak();
    await open.hears('still');
  });
  test('an address that the inventory says is of the mesh, whoever is there, is closed', async () => {
    const address = space.addressOf('o');
    const becomes = (wanted: string): Promise<Said> =>
      eventually(
        () => opens(address, numbers.db),
        ({ end }) => end === wanted,
      );
    await mesh.writeInventory(inventory(undefined, { alsoOfMesh: [address] }));
    expect(await becomes('closed')).toEqual(closed);
    await mesh.writeInventory(inventory());
    expect(await becomes('heard')).toEqual(reached(address, numbers.db));
  });
  test('access that is taken away closes what is open, and what comes', async () => {
    const [gone, stays] = [await keepOpen('198.51.100.7', numbers.db), await keepOpen('203.0.113.9', numbers.open)];
    await release(lowered({ 'books/pageCallsWide': null }));
    expect(decided('198.51.100.7', numbers.db)).toBe('deny');
    expect(await opens('198.51.100.7', numbers.db)).toEqual(closed);
    await gone.hears('closed');
    stays.speak();
    await stays.hears('still');
    expect(await opens('198.51.100.200', numbers.db)).toEqual(reached('198.51.100.200', numbers.db));
    await release(lowered());
    expect(await opens('198.51.100.7', numbers.db)).toEqual(reached('198.51.100.7', numbers.db));
  });
  test.each([
    ['a range that is for nobody', ranges('few', ['198.51.100.0/29'], numbers.db)],
    ['a host that is', host('few', '198.51.100.7', numbers.db)],
  ])('what comes within a range ends what is open there: %s', async (_what, few) => {
    const [gone, stays] = [await keepOpen('198.51.100.7', numbers.db), await keepOpen('203.0.113.9', numbers.open)];
    await release(lowered({ 'books/few': few }));
    expect(decided('198.51.100.7', numbers.db)).toBe('deny');
    expect(await opens('198.51.100.7', numbers.db)).toEqual(closed);
    await gone.hears('closed');
    stays.speak();
    await stays.hears('still');
    await release(lowered());
    expect(await opens('198.51.100.7', numbers.db)).toEqual(reached('198.51.100.7', numbers.db));
  });
});
