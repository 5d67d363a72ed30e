/** At a gateway, what was decided for an open connection ends when the rules come to speak of it: by its network, and by an entry below a wildcard. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { CallerRef, DeclarationValue } from '../../core/declarations/declaration';
import { workloadKey } from '../../core/mesh/ids';
import type { Address } from '../../runtime-proxy/inventory';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { allow, service } from '../kit/declarations';
import { followedEnvoy, type FollowedEnvoy } from '../kit/followed-envoy';
import { keptHttp1, keptHttp2, keptLines, type KeptConnection } from '../kit/kept-connection';
import { appOf, eventually, lowered, meshOf, type More } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { layOut, type WholeMesh } from '../kit/whole-mesh';

jest.setTimeout(240_000);
const edge = workloadKey('platform', 'edge');
const through = { ref: 'platform/edge' };
const internet: CallerRef = { kind: 'outside', name: 'internet', through };
const here: CallerRef = { kind: 'outside', name: 'here', network: ['127.0.0.0/8'], through };
type Route = Extract<DeclarationValue, { kind: 'route' }>;
type To = Route['otherwise']['to'];
const by = (status: number): To => ({ kind: 'respond', status });
const goTo = (ref: string): To => ({ kind: 'target', to: { ref, port: 'web' } });
/** `shutOut`: for whoever comes from this machine; null: no rule speaks of it. */
const routed = (listener: string, host: string | null, otherwise: To, shutOut: To | null = null): Route => ({
  kind: 'route',
  on: { ref: 'platform/edge', listener, ...(host === null ? {} : { host }) },
  rules: shutOut === null ? [] : [{ when: { from: [here] }, to: shutOut }],
  otherwise: { to: otherwise },
});
const gateway = (listeners: Extract<DeclarationValue, { kind: 'gateway' }>['listeners']): DeclarationValue => ({
  ...{ kind: 'gateway', namespace: { ref: 'platform/platform' }, name: 'edge', serviceAccount: 'edge' },
  listeners,
});
const applications: { readonly [id: string]: DeclarationValue | null } = {
  'books/shop': null,
  ...Object.fromEntries(
    (['vault', 'spareVault', 'rows', 'spareRows'] as const).flatMap((name): [string, DeclarationValue][] => [
      [
        `books/${name}`,
        service('books/bookinfo', name.toLowerCase(), {
          ports: { web: { protocol: name.endsWith('ault') ? 'tls' : 'tcp', number: 6443 } },
        }),
      ],
      [`books/${name}Public`, allow(`books/${name}`, [internet])],
    ]),
  ),
};

/** A gateway that is followed from one state to another, and the applications behind it. */
interface Scene {
  readonly at: (listener: string) => Address;
  change(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}
async function scene(before: More, after: More): Promise<Scene> {
  const authority = await testAuthority(lowered(after).trustDomain);
  const inventory = await layOut(lowered(after));
  const [first, second] = [await meshOf(before, inventory, authority), await meshOf(after, inventory, authority)];
  const envoys: FollowedEnvoy[] = [];
  const servers = await serve(first, authority);
  const close = async (): Promise<void> => {
    await Promise.all(envoys.map((envoy) => envoy.stop()));
    for (const server of servers) server.close();
  };
  try {
    envoys.push(await followedEnvoy(first.server), await followedEnvoy(first.client, second.client));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    at: (listener) => present(present(first.instanceOf(edge).listeners)[listener]),
    change: () => present(envoys[1]).put(second.client),
    back: () => present(envoys[1]).put(first.client),
    close,
  };
}
async function serve(mesh: WholeMesh, authority: TestAuthority): Promise<{ close(): void }[]> {
  const { key, chain } = await authority.serving(['vault.example', '*.a.example']);
  return Promise.all(
    ['vault', 'sparevault', 'rows', 'sparerows'].map(async (name) => {
      const held = new Set<net.Socket>();
      const talk = (socket: net.Socket): void => {
        held.add(socket);
        socket.on('error', () => undefined).on('data', (chunk: Buffer) => socket.write(`${name} ${chunk.toString()}`));
      };
      const server = name.endsWith('vault') ? tls.createServer({ key, cert: chain }, talk) : net.createServer(talk);
      const { host, port } = appOf(mesh, name);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
      return {
        close() {
          for (const socket of held) socket.destroy();
          server.close();
        },
      };
    }),
  );
}
const closed = (connection: KeptConnection): Promise<boolean> => eventually(() => connection.isClosed(), Boolean);

describe('a network that rules speak of from now on', () => {
  const networks = (spoken: boolean): More => {
    const only = (to: To): To | null => (spoken ? to : null);
    return {
      ...applications,
      'platform/edge': gateway({
        plain: { protocol: 'http', port: 80, hosts: { 'shop.example': 'books' } },
        web: { port: 443, hosts: { 'shop.example': 'books', 'calm.example': 'books' }, certificate: 'platform/edge-tls' },
        pass: { protocol: 'tls', port: 8443, hosts: { 'vault.example': 'books' } },
        queue: { protocol: 'tcp', port: 5432, team: 'books' },
      }),
      'books/plain': routed('plain', 'shop.example', by(200), only(by(403))),
      'books/web': routed('web', 'shop.example', by(200), only(by(403))),
      'books/calm': routed('web', 'calm.example', by(200)),
      'books/pass': routed('pass', 'vault.example', goTo('books/vault'), only(goTo('books/spareVault'))),
      'books/queue': routed('queue', null, goTo('books/rows'), only(goTo('books/spareRows'))),
    };
  };
  const kinds: {
    readonly [name: string]: readonly [open: (at: Scene['at']) => KeptConnection, host: string, before: string, after: string];
  } = {
    'HTTP in the clear': [(at) => keptHttp1(at('plain')), 'shop.example', '200', '403'],
    'HTTP/1.1 under TLS': [(at) => keptHttp1({ ...at('web'), sni: 'shop.example' }), 'shop.example', '200', '403'],
    'HTTP/2 under TLS': [(at) => keptHttp2({ ...at('web'), sni: 'shop.example' }), 'shop.example', '200', '403'],
    'TLS that is passed on': [(at) => keptLines({ ...at('pass'), sni: 'vault.example' }), '', 'vault hello', 'sparevault hello'],
    TCP: [(at) => keptLines(at('queue')), '', 'rows hello', 'sparerows hello'],
  };
  let there: Scene;
  let calm: KeptConnection;
  const kept = new Map<string, KeptConnection>();
  beforeAll(async () => {
    there = await scene(networks(false), networks(true));
    for (const [name, [open, host, before]] of Object.entries(kinds)) {
      const connection = open(there.at);
      kept.set(name, connection);
      expect([name, await connection.ask(host)]).toEqual([name, before]);
    }
    calm = keptHttp1({ ...there.at('web'), sni: 'calm.example' });
    expect(await calm.ask('calm.example')).toBe('200');
    await there.change();
  }, 120_000);
  afterAll(async () => {
    for (const connection of [...kept.values(), calm]) connection?.end();
    await there?.close();
  }, 30_000);

  test.each(Object.keys(kinds))('closes what is open in it, though the rules of everybody else stay: %s', async (name) => {
    expect(await closed(present(kept.get(name)))).toBe(true);
    const [open, host, , after] = present(kinds[name]);
    const next = open(there.at);
    expect(await next.ask(host)).toBe(after);
    next.end();
  });
  test('closes nothing of a host whose rules speak of none', async () => {
    await Promise.all([...kept.values()].map(closed));
    expect(await calm.ask('calm.example')).toBe('200');
  });
});

describe('a host beside a wildcard over it', () => {
  const hosts = (narrower: boolean): More => ({
    ...applications,
    'platform/edge': gateway({
      web: {
        port: 443,
        hosts: {
          '*.a.example': 'books',
          'calm.example': 'books',
          ...(narrower ? { 'b.a.example': { team: 'books', certificate: 'books/b-tls' } } : {}),
        },
        certificate: 'platform/edge-tls',
      },
      pass: {
        protocol: 'tls',
        port: 8443,
        hosts: { '*.a.example': 'books', ...(narrower ? { 'b.a.example': 'books' } : {}) },
      },
    }),
    'books/web': routed('web', '*.a.example', by(201)),
    'books/calm': routed('web', 'calm.example', by(200)),
    'books/pass': routed('pass', '*.a.example', goTo('books/vault')),
    ...(narrower
      ? {
          'books/narrowWeb': routed('web', 'b.a.example', by(202)),
          'books/narrowPass': routed('pass', 'b.a.example', goTo('books/spareVault')),
        }
      : {}),
  });
  const opened: KeptConnection[] = [];
  const open = (connection: KeptConnection): KeptConnection => {
    opened.push(connection);
    return connection;
  };
  const to = (at: Address, sni: string) => ({ ...at, sni });
  let there: Scene;
  beforeAll(async () => {
    there = await scene(hosts(false), hosts(true));
  }, 120_000);
  afterAll(async () => {
    for (const connection of opened) connection.end();
    await there?.close();
  }, 30_000);
  const fresh = async (make: (to: { sni: string } & Address) => KeptConnection, listener: string, sni: string): Promise<KeptConnection> =>
    open(make(to(there.at(listener), sni)));

  test('takes its connections over as it comes, with a certificate of its own, and no other connection is asked for it', async () => {
    const [calm, old, shared, passed] = await Promise.all([
      fresh(keptHttp1, 'web', 'calm.example'),
      fresh(keptHttp1, 'web', 'b.a.example'),
      fresh(keptHttp2, 'web', 'x.a.example'),
      fresh(keptLines, 'pass', 'b.a.example'),
    ]);
    expect(await Promise.all([calm.ask('calm.example'), old.ask('b.a.example'), shared.ask('b.a.example'), passed.ask()])).toEqual([
      '200',
      '201',
      '201',
      'vault hello',
    ]);
    expect(old.shown()).toEqual(['*.a.example', 'calm.example']);

    await there.change();
    const wildcards = ['201'];
    expect(wildcards).not.toContain(
      await eventually(
        () => old.ask('b.a.example'),
        (status) => status !== '201',
      ),
    );
    expect(await Promise.all([old, shared, passed].map(closed))).toEqual([true, true, true]);
    const [next, beside, line] = await Promise.all([
      fresh(keptHttp1, 'web', 'b.a.example'),
      fresh(keptHttp2, 'web', 'x.a.example'),
      fresh(keptLines, 'pass', 'b.a.example'),
    ]);
    expect([await next.ask('b.a.example'), await line.ask(), next.shown()]).toEqual(['202', 'sparevault hello', ['b.a.example']]);
    expect([await beside.ask('x.a.example'), await beside.ask('b.a.example'), await next.ask('x.a.example')]).toEqual([
      '201',
      '421',
      '421',
    ]);
    expect(await calm.ask('calm.example')).toBe('200');
  });
  test('gives them back as it goes', async () => {
    await there.change();
    const settled = async (status: string): Promise<KeptConnection> => {
      const { connection } = await eventually(
        async () => {
          const connection = await fresh(keptHttp1, 'web', 'b.a.example');
          return { connection, said: await connection.ask('b.a.example') };
        },
        ({ said }) => said === status,
      );
      return connection;
    };
    const old = await settled('202');
    const shared = await fresh(keptHttp2, 'web', 'x.a.example');
    const passed = await fresh(keptLines, 'pass', 'b.a.example');
    expect([await shared.ask('b.a.example'), await passed.ask()]).toEqual(['421', 'sparevault hello']);

    await there.back();
    expect(await Promise.all([old, shared, passed].map(closed))).toEqual([true, true, true]);
    const next = await settled('201');
    const line = await fresh(keptLines, 'pass', 'b.a.example');
    expect([await next.ask('b.a.example'), await line.ask(), next.shown()]).toEqual([
      '201',
      'vault hello',
      ['*.a.example', 'calm.example'],
    ]);
  });
});
