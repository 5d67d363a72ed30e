/** Connections that are routed whole, through two Envoys with mTLS: by server name, by caller, by version with its share; how many, how long idle, and to which endpoint. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { decideConnection } from '../../core/semantics/decide-connection';
import { testAuthority } from '../kit/certificates';
import { allow, named, route, service, workload } from '../kit/declarations';
import { lineApplication } from '../kit/echo-application';
import { dialled, eventually, key, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { expectShare } from '../kit/shares';

const callers = [named('books/app'), named('books/other')];
const versions = ['v1', 'v2', 'v3'];
const to = (name: string) => ({ to: { kind: 'target', to: { ref: `books/${name}`, port: 'web' } } }) as const;
const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/other': workload('books/bookinfo', 'other'),
  'books/vault': service('books/bookinfo', 'vault', { versions, ports: { web: { protocol: 'tls', number: 9001 } } }),
  'books/vaultRoutes': route('books/vault', {
    rules: [
      { when: { sni: ['a.example'] }, to: { kind: 'version', version: 'v1' } },
      { when: { sni: ['*.b.example'], from: [named('books/other')] }, to: { kind: 'version', version: 'v3' } },
      { when: { sni: ['*.b.example'] }, to: { kind: 'weights', weights: { v1: 20, v2: 80 } } },
    ],
    otherwise: { to: { kind: 'weights', weights: { v2: 25, v3: 75 } } },
  }),
  'books/db': service('books/bookinfo', 'db', { versions, ports: { web: { protocol: 'tcp', number: 9002 } } }),
  'books/dbRoutes': route('books/db', {
    rules: [{ when: { from: [named('books/other')] }, to: { kind: 'version', version: 'v3' } }],
    otherwise: { to: { kind: 'weights', weights: { v1: 80, v2: 20 } } },
  }),
  'books/few': service('books/bookinfo', 'few', {
    ports: { web: { protocol: 'tcp', number: 9003 } },
    settings: { connections: { max: 3 } },
  }),
  'books/quiet': service('books/bookinfo', 'quiet', { ports: { web: { protocol: 'tcp', number: 9004 } } }),
  'books/quietRoutes': route('books/quiet', { otherwise: { ...to('quiet'), idle: '3s' } }),
  'books/moved': service('books/bookinfo', 'moved', { versions: ['new'], ports: { web: { protocol: 'tcp', number: 9006 } } }),
  'books/movedRoutes': route('books/moved', {
    rules: [{ when: { from: [named('books/other')] }, to: { kind: 'target', to: { ref: 'books/db', port: 'web', version: 'v2' } } }],
    otherwise: {
      to: {
        kind: 'split',
        shares: [
          { to: { ref: 'books/moved', port: 'web' }, percent: 80 },
          { to: { ref: 'books/db', port: 'web', version: 'v3' }, percent: 20 },
        ],
      },
    },
  }),
  'books/near': service('books/bookinfo', 'near', {
    versions,
    ports: { web: { protocol: 'tcp', number: 9005 } },
    settings: { balance: { by: { kind: 'source' } } },
  }),
};
for (const name of ['vault', 'db', 'few', 'quiet', 'moved', 'near']) declarations[`books/${name}Use`] = allow(`books/${name}`, callers);

let layers: LayeredMesh;
const servers: net.Server[] = [];
const open = new Set<net.Socket>();
beforeAll(async () => {
  const certificate = await (await testAuthority('acme.example')).serving(['a.example']);
  layers = await startLayers(declarations, async (mesh) => {
    for (const { workload: of, version, app } of mesh.inventory.instances) {
      const at = app['web'];
      if (at === undefined) continue;
      const server = lineApplication(version ?? 'it', of === key('vault') ? certificate : null);
      servers.push(server);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at.port, at.host, resolve));
    }
  });
}, 120_000);
afterAll(async () => {
  for (const socket of open) socket.destroy();
  await layers?.stop();
  for (const server of servers) server.close();
}, 30_000);

interface Connection {
  /** What is answered to a line; '' when it was closed. */
  say(line: string): Promise<string>;
  end(): void;
}
/** A connection of an application, by TLS of its own where it gives a server name (null: none is named). */
function connect(from: string, name: string, options: { readonly sni?: string | null; readonly source?: string } = {}): Connection {
  const at = { ...dialled(layers.mesh, from, port(name)), ...(options.source === undefined ? {} : { localAddress: options.source }) };
  const { sni } = options;
  const socket =
    sni === undefined ? net.connect(at) : tls.connect({ ...at, rejectUnauthorized: false, ...(sni === null ? {} : { servername: sni }) });
  open.add(socket);
  let closed = false;
  let hear: (line: string) => void = () => undefined;
  socket.on('data', (chunk: Buffer) => hear(chunk.toString()));
  socket.on('error', () => undefined);
  socket.on('close', () => ((closed = true), open.delete(socket), hear('')));
  return {
    say: (line) =>
      new Promise((resolve) => {
        if (closed) return resolve('');
        hear = resolve;
        socket.write(line);
      }),
    end: () => void socket.destroy(),
  };
}
/** Which version each of so many connections comes to. */
async function drawn(count: number, from: string, name: string, sni?: string | null): Promise<readonly string[]> {
  const found: string[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const one = connect(from, name, sni === undefined ? {} : { sni });
    found.push((await one.say('hello')).split(' ')[0] ?? '');
    one.end();
  }
  return found;
}

describe.each<[string, string, string, string | null | undefined, readonly string[]]>([
  ['a server name', 'app', 'vault', 'a.example', ['v1']],
  ['a server name in capitals', 'app', 'vault', 'A.Example', ['v1']],
  ['a name under a wildcard, by shares', 'app', 'vault', 'x.b.example', ['v1', 'v2']],
  ['a name further under it', 'app', 'vault', 'y.x.b.example', ['v1', 'v2']],
  ['the same from a caller with a rule of its own', 'other', 'vault', 'x.b.example', ['v3']],
  ['a name that no rule has, by shares', 'app', 'vault', 'b.example', ['v2', 'v3']],
  ['no name', 'app', 'vault', null, ['v2', 'v3']],
  ['TCP, by shares', 'app', 'db', undefined, ['v1', 'v2']],
  ['TCP from a caller with a rule of its own', 'other', 'db', undefined, ['v3']],
  ['a version of another service', 'other', 'moved', undefined, ['v2']],
  ['a share to a version of another service', 'app', 'moved', undefined, ['new', 'v3']],
])('%s', (_what, from, name, sni, versionsOf) => {
  test('comes to the versions that the definition says, and in their shares', async () => {
    const { outcome, destinations: whole } = decideConnection(layers.ir, { from: key(from), to: port(name), sni: sni ?? null });
    // the one service that is routed to as a whole has one version
    const destinations = whole.map(({ version, share }) => ({ version: version ?? 'new', share }));
    expect([outcome, destinations.map(({ version }) => version).sort()]).toEqual(['allow', versionsOf]);
    const found = await drawn(destinations.length > 1 ? 300 : 5, from, name, sni);
    expect([...new Set(found)].sort()).toEqual(versionsOf);
    if (destinations.length === 1) return;
    for (const { version, share } of destinations) expectShare(found.filter((one) => one === version).length, found.length, share);
  }, 300_000);
});
test('what is no TLS is closed on a port that takes TLS only', async () => {
  expect(await connect('app', 'vault').say('hello')).toBe('');
}, 60_000);

test('the one too many is refused, whoever it comes from; the others live, and one that ends makes room', async () => {
  expect(decideConnection(layers.ir, { from: key('app'), to: port('few'), sni: null }).connections).toBe(3);
  const three = [connect('app', 'few'), connect('app', 'few'), connect('app', 'few')];
  const all = () => Promise.all(three.map((one) => one.say('hello')));
  expect(await all()).toEqual(['it hello', 'it hello', 'it hello']);
  expect(await connect('app', 'few').say('hello')).toBe('');
  // an application has no more than that from all its callers together
  expect(await connect('other', 'few').say('hello')).toBe('');
  expect(await all()).toEqual(['it hello', 'it hello', 'it hello']);
  three[0]?.end();
  expect(
    await eventually(
      () => connect('app', 'few').say('again'),
      (said) => said !== '',
    ),
  ).toBe('it again');
  expect(await Promise.all(three.slice(1).map((one) => one.say('hello')))).toEqual(['it hello', 'it hello']);
  const { stats }: { readonly stats: readonly { readonly name: string; readonly value: number }[] } = JSON.parse(
    await layers.client.admin('/stats?format=json&filter=upstream_cx_overflow'),
  );
  expect(stats.filter(({ name }) => name.includes('few')).some(({ value }) => value > 0)).toBe(true);
}, 180_000);

test('a connection on which nothing is said is closed after `idle`; one that speaks lives on', async () => {
  expect(decideConnection(layers.ir, { from: key('app'), to: port('quiet'), sni: null }).idleMs).toBe(3_000);
  /** What both heard last. */
  const last = async (): Promise<readonly string[]> => {
    const [quiet, busy] = [connect('app', 'quiet'), connect('app', 'quiet')];
    expect([await quiet.say('hello'), await busy.say('hello')]).toEqual(['it hello', 'it hello']);
    let ended = false;
    // what it hears next is its end
    const end = quiet.say('').finally(() => (ended = true));
    while (!ended && (await busy.say('still')) !== '') await new Promise((resolve) => setTimeout(resolve, 50));
    return [await end, await busy.say('on')];
  };
  // a machine that stands still for as long closes both, and shows nothing
  expect(await eventually(last, ([, busy]) => busy !== '')).toEqual(['', 'it on']);
}, 180_000);

test('by source: connections from one address come to one endpoint, those of many to all', async () => {
  const found = new Map<string, string>();
  for (let source = 2; source < 102; source += 1)
    for (let turn = 0; turn < 3; turn += 1) {
      const one = connect('app', 'near', { source: `127.0.0.${source}` });
      const [version = ''] = (await one.say('hello')).split(' ');
      one.end();
      expect(version).toBe(found.get(`127.0.0.${source}`) ?? version);
      found.set(`127.0.0.${source}`, version);
    }
  expect([...new Set(found.values())].sort()).toEqual(versions);
}, 300_000);
