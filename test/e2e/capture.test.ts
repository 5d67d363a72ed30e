/**
 * Capture between machines of their own: an application dials a service by its virtual address and knows nothing of a proxy; the application that
 * answers listens in the clear, and is reached over mTLS only. Real namespaces, real rules, real Envoys; skipped only where `whyNoNamespaces` says why.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';
import type { RouteRule } from '../../core/ir/ir';
import { portKey, type RuleId } from '../../core/mesh/ids';
import { createLog } from '../../platform/log';
import { readPidFile, stopGroup } from '../../platform/process';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { obtainNft } from '../../platform/tools/nft';
import type { Address, Inventory } from '../../runtime-proxy/inventory';
import { bookinfo, key, web } from '../kit/bookinfo-ir';
import { eventually } from '../kit/layered-mesh';
import { openNamespaces, whyNoNamespaces, type Namespaces } from '../kit/namespaces';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf } from '../kit/small-mesh';

jest.setTimeout(600_000);
const meshwright = [process.execPath, path.join(__dirname, '../../bin/meshwright.js')];
/** The group that proxies run as. */
const proxies = 15_021;
const virtual = { reviews: '10.96.0.10', ratings: '10.96.0.11', page: '10.96.0.12', feed: '10.96.0.13', nobody: '10.96.0.99' };
const account = (name: string): string => `spiffe://mesh.test/ns/bookinfo/sa/bookinfo-${name}`;

let space: Namespaces;
let mesh: RunningMesh;
let nft: string;
/** What the proxies said on stdout: their access logs. */
const said = new Map<string, string>();
const agents = new Map<string, ChildProcess>();

const ir = (() => {
  const made: ReturnType<typeof bookinfo> = JSON.parse(
    JSON.stringify(bookinfo()).replaceAll('spiffe://shop.example/', 'spiffe://mesh.test/'),
  );
  const itself = { ...present(made.access.find((rule) => rule.id === 'books/pageReadsReviews')), port: web('productpage') };
  const toAll = (rule: RouteRule): RouteRule =>
    rule.action.kind === 'forward'
      ? {
          ...rule,
          action: { ...rule.action, to: rule.action.to.slice(0, 1).map((one) => ({ ...one, version: null, weight: 100 })), retry: null },
        }
      : rule;
  const any = {
    ...present(made.access.find((rule) => rule.requests === 'any' && rule.action === 'deny')),
    action: 'allow',
    headers: [],
  } as const;
  /** Ports whose connections are routed whole: the page may call `feed`, and `audit` is not for it. */
  const whole = [
    ['feed', 7000],
    ['audit', 7001],
  ] as const;
  return {
    ...made,
    trustDomain: 'mesh.test',
    services: made.services.map((service) => {
      const [port] = service.ports;
      if (service.key !== key('reviews') || !port) return service;
      const more = whole.map(([name, number]) => ({
        ...port,
        key: portKey(service.key, name),
        name,
        number,
        protocol: 'tcp',
        layer: 'tcp' as const,
      }));
      return { ...service, ports: [...more, port].sort((a, b) => (a.name < b.name ? -1 : 1)) };
    }),
    connectionRoutes: whole
      .map(([name]) => {
        const port = portKey(key('reviews'), name);
        return {
          id: null,
          port,
          rules: [{ id: `${port}.default` as RuleId, match: null, to: [{ port, version: null, weight: 100 }], idleMs: 60_000 }],
        };
      })
      .sort((a, b) => (a.port < b.port ? -1 : 1)),
    access: [
      ...made.access,
      { ...itself, id: 'books/pageReadsItself' as RuleId },
      { ...any, id: 'books/pageHears' as RuleId, port: portKey(key('reviews'), 'feed'), callers: itself.callers },
    ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    routes: made.routes.map((table) =>
      table.port === web('reviews') ? { ...table, rules: table.rules.filter((rule) => rule.match === null).map(toAll) } : table,
    ),
  };
})();

/** What a server in the clear says to whoever reaches it: who the caller is, as its proxy proved it. */
const application = `
  const http = require('node:http');
  http.createServer((request, response) => response.end(JSON.stringify({
    path: request.url, host: request.headers.host, caller: request.headers['x-forwarded-client-cert'] ?? null, from: request.socket.remoteAddress,
  }))).listen(9080, '0.0.0.0', () => console.log('listening'));
  require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.write('220 hello\\r\\n'); }).listen(7000, '0.0.0.0');
  require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.write('secret\\r\\n'); }).listen(7001, '0.0.0.0');
  require('node:net').createServer((socket) => { socket.on('error', () => {}); socket.write('unknown\\r\\n'); }).listen(7002, '0.0.0.0');
`;
/** One request; the answer or what became of the connection, in one line of JSON. */
const ask = `
  const [address, port, host, path, limit] = process.argv.slice(1);
  const call = require('node:http').get({ host: address, port: Number(port), path, headers: { host }, timeout: Number(limit), agent: false }, (response) => {
    let body = ''; response.on('data', (d) => body += d); response.on('end', () => console.log(JSON.stringify({ status: response.statusCode, body })));
  });
  call.on('timeout', () => call.destroy(new Error('ETIMEDOUT')));
  call.on('error', (error) => console.log(JSON.stringify({ error: error.code ?? error.message })));
`;
/** Connects, listens, and says what it heard and how it ended. */
const hear = `
  const [address, port, limit] = process.argv.slice(1);
  let heard = '';
  const socket = require('node:net').connect(Number(port), address);
  const done = (end) => { console.log(JSON.stringify({ heard, end })); process.exit(0); };
  socket.on('data', (d) => { heard += d; if (heard.endsWith('\\n')) done('heard'); });
  socket.on('error', (error) => done(error.code)); socket.on('end', () => done('closed')); socket.setTimeout(Number(limit ?? 60000), () => done('silence'));
`;
interface Said {
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
  readonly heard?: string;
  readonly end?: string;
}
async function script(name: string, text: string, args: readonly (string | number)[], options = {}): Promise<Said> {
  const { stdout, stderr } = await space.run(name, [process.execPath, '-e', text, ...args.map(String)], options);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}
const get = (
  from: string,
  address: string,
  host: string,
  where = '/reviews/7',
  port = 9080,
  options = {},
  limitMs = 60_000,
): Promise<Said> => script(from, ask, [address, port, host, where, limitMs], options);
/** For what never comes. */
const shortMs = 2_000;

/** `a` calls by both families and is called by IPv4, `b` has IPv4 alone. */
const inventory = (): Inventory => inventoryAt(space.addressOf, '0.0.0.0', { host: '127.0.0.1', port: 15_005 });
const inventoryAt = (addressOf: (name: string) => string, everywhere: string, outbound: Address): Inventory => {
  const inbound = { host: everywhere, port: 15_006 };
  const both = { outbound: { host: '127.0.0.1', port: 15_005 }, outboundAlso: { host: '::1', port: 15_005 } };
  const ports = (workload: string): readonly (readonly [string, number])[] =>
    workload === 'reviews'
      ? [
          ['web', 9080],
          ['feed', 7000],
          ['audit', 7001],
        ]
      : [['web', 9080]];
  const one = (id: string, workload: string, at: string, version?: string): Inventory['instances'][number] => ({
    id,
    workload: key(workload),
    ...(version === undefined ? {} : { version }),
    app: Object.fromEntries(ports(workload).map(([name, port]) => [name, { host: '127.0.0.1', port }])),
    inbound: Object.fromEntries(ports(workload).map(([name, port]) => [name, { host: addressOf(at), port }])),
    capture: { inbound, ...(workload === 'productpage' ? both : { outbound }) },
    ...(workload === 'productpage' ? { outbound: { host: '127.0.0.1', port: 15_001 } } : {}),
  });
  return {
    instances: [one('page-1', 'productpage', 'a'), one('reviews-1', 'reviews', 'b', 'v1')],
    virtual: Object.fromEntries(
      ports('reviews').map(([name, port]) => [
        portKey(key('reviews'), name),
        [{ host: virtual.reviews, port }, ...(name === 'feed' ? [{ host: virtual.feed, port: 70 }] : [])],
      ]),
    ),
  };
};

const reason = process.env['MESHWRIGHT_SKIP_NAMESPACES'];
const cases = reason === undefined ? describe : describe.skip;
if (reason !== undefined) process.stderr.write(`meshwright: capture is not tested here: ${reason}\n`);

cases('connections captured in network namespaces', () => {
  beforeAll(async () => {
    const missing = await whyNoNamespaces();
    if (missing !== null) throw new Error(`${missing}; to leave this suite out, set MESHWRIGHT_SKIP_NAMESPACES to the reason`);
    nft = await obtainNft();
    const envoy = await obtainEnvoy();
    // a and b have a proxy, c and d have none: strangers on the same network
    space = await openNamespaces(['a', 'b', 'c', 'd']);
    mesh = await runMesh([], { host: space.host, ...(process.env['MESHWRIGHT_LOG'] === undefined ? {} : { log: createLog('e2e') }) });
    await mesh.writeInventory(inventory());
    for (const name of ['a', 'b']) {
      const done = await space.run(name, [...meshwright, 'capture', '--gid', String(proxies), '--nft', nft, '--name-server', space.host]);
      if (done.code !== 0) throw new Error(done.stderr);
    }
    for (const [name, id, workload] of [
      ['a', 'page-1', 'productpage'],
      ['b', 'reviews-1', 'reviews'],
    ] as const) {
      const listens = space.start(name, [process.execPath, '-e', application]);
      await once(present(listens.stdout), 'data');
      const file = (what: string): string => path.join(mesh.folder, `${id}.${what}`);
      await fs.writeFile(file('join'), await mesh.mint({ instance: id, workload: `bookinfo/${workload}`, principal: account(workload) }), {
        mode: 0o600,
      });
      const config = {
        ...{ instance: id, workload: `bookinfo/${workload}`, trustDomain: 'mesh.test', runDir: file('run') },
        ...{
          controlPlane: mesh.controlPlaneConfig.listen,
          ca: mesh.controlPlaneConfig.ca,
          joinTokenFile: file('join'),
          envoy,
          drainMs: 200,
        },
      };
      await fs.writeFile(file('json'), JSON.stringify(config));
      const agent = space.start(name, [...meshwright, 'agent', '--config', file('json')], { gid: proxies });
      agents.set(name, agent);
      agent.stdout?.on('data', (data: Buffer) => said.set(name, (said.get(name) ?? '') + data.toString()));
      if (process.env['MESHWRIGHT_LOG'] !== undefined) for (const stream of [agent.stdout, agent.stderr]) stream?.pipe(process.stderr);
    }
    await mesh.until('both connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 2);
    const { status, json } = await mesh.release(
      objectsOf(ir).filter((object) => object.kind !== 'ProxyConfig' || object.metadata.namespace === 'bookinfo'),
    );
    expect([status, json]).toMatchObject([202, {}]);
    await mesh.until('converged', (now) => now.state === 'converged');
  });
  afterAll(async () => {
    await space?.close();
    await mesh?.stop();
  });

  test('an application dials a virtual address; the other side hears it from a proved caller', async () => {
    const { status, body = '' } = await get('a', virtual.reviews, 'reviews.bookinfo:9080');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      path: '/reviews/7',
      host: 'reviews.bookinfo:9080',
      caller: expect.stringContaining(`URI=${account('productpage')}`),
      from: '127.0.0.1',
    });
  });

  test('beside capture, the proxy can be called itself: by its explicit port, with the name as Host', async () => {
    const { status, body = '' } = await get('a', '127.0.0.1', 'reviews.bookinfo:9080', '/reviews/7', 15_001);
    expect([status, JSON.parse(body).caller]).toEqual([200, expect.stringContaining(`URI=${account('productpage')}`)]);
  });

  test('a workload that calls itself goes through its own proxy, both ways', async () => {
    const { status, body = '' } = await get('a', virtual.page, 'productpage.bookinfo:9080');
    expect([status, JSON.parse(body).caller]).toEqual([200, expect.stringContaining(`URI=${account('productpage')}`)]);
  });

  test('a host that it may not call is refused by name, whatever address it was looked up as', async () => {
    for (const address of [virtual.ratings, virtual.reviews, space.addressOf('b')])
      expect(await get('a', address, 'ratings.bookinfo:9080')).toEqual({
        status: 403,
        body: 'meshwright: bookinfo/productpage may not call ratings.bookinfo:9080\n',
      });
  });

  describe('a protocol in which the server speaks first', () => {
    test('is heard by a caller that the rules let in, at each of its virtual addresses', async () => {
      for (const [address, port] of [
        [virtual.reviews, 7000],
        [virtual.feed, 70],
      ] as const)
        expect(await script('a', hear, [address, port])).toEqual({ heard: '220 hello\r\n', end: 'heard' });
    });
    test('is not heard where no rule does, nor at an address of the endpoint itself, nor without the proxy', async () => {
      const refused = { heard: '', end: expect.stringMatching(/closed|ECONNRESET/) };
      expect(await script('a', hear, [virtual.reviews, 7001])).toEqual(refused);
      expect(await script('a', hear, [space.addressOf('b'), 7000])).toEqual(refused);
      // a handshake is waited for there, and the server says nothing before it
      const bypass = await script('c', hear, [space.addressOf('b'), 7000, shortMs]);
      expect([bypass.heard, bypass.end]).toEqual(['', expect.stringMatching(/closed|ECONNRESET|silence/)]);
    });
  });

  test('what is not known is closed at once, and the log says what it was', async () => {
    expect(await script('a', hear, [virtual.nobody, 5000])).toEqual({ heard: '', end: expect.stringMatching(/closed|ECONNRESET/) });
    // the other side's port that no policy names, and past the mesh altogether
    for (const [address, port] of [
      [space.addressOf('b'), 7002],
      [space.host, 4443],
    ] as const)
      expect(await script('a', hear, [address, port])).toEqual({ heard: '', end: expect.stringMatching(/closed|ECONNRESET/) });
    await logged('a', new RegExp(`"refused":"${virtual.nobody}:5000"`));
  });

  describe('past the proxy', () => {
    test.each([
      ['from a machine without one', 'c', {}],
      ["as the caller's proxy would, without its certificate", 'a', { gid: proxies }],
    ])('in the clear, %s: nothing is answered', async (_how, from, options) => {
      expect(await get(from, space.addressOf('b'), 'reviews.bookinfo:9080', '/reviews/7', 9080, options)).toEqual({
        error: expect.stringMatching(/ECONNRESET|socket hang up/),
      });
    });
    test('a port that no policy names is closed, and so are those of the proxy itself', async () => {
      for (const port of [7002, 15_005, 15_006])
        expect(await script('c', hear, [space.addressOf('b'), port])).toEqual({
          heard: '',
          end: expect.stringMatching(/closed|ECONNRESET/),
        });
      await logged('b', new RegExp(`"refused":"${space.addressOf('b')}:7002"`));
    });
    test("from outside, neither the callee's loopback nor an address that it calls others by is reached", async () => {
      const route = (...args: readonly string[]) => space.run('d', ['ip', 'route', ...args]);
      await space.run('d', ['sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1', 'net.ipv4.conf.eth0.route_localnet=1']);
      await route('add', virtual.page, 'via', space.addressOf('a'));
      await route('del', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local');
      await route('del', 'local', '127.0.0.1', 'dev', 'lo', 'table', 'local');
      await route('add', '127.0.0.1', 'via', space.addressOf('a'));
      const ways = await route('get', '127.0.0.1');
      expect(ways.stdout).toContain(`via ${space.addressOf('a')}`);
      for (const address of ['127.0.0.1', virtual.page])
        expect(await get('d', address, 'reviews.bookinfo:9080', '/reviews/7', 9080, {}, shortMs)).toEqual({ error: 'ETIMEDOUT' });
    });
    test('an application that would take the ports of its proxy finds them taken', async () => {
      const take = (port: number, host: string) =>
        space.run('b', [
          process.execPath,
          '-e',
          `require('node:net').createServer().on('error', (e) => console.log(e.code)).listen({ port: ${port}, host: '${host}', reusePort: true }, () => { console.log('taken'); process.exit(); })`,
        ]);
      expect((await take(15_006, '0.0.0.0')).stdout).toBe('EADDRINUSE\n');
      expect((await take(15_005, '127.0.0.1')).stdout).toBe('EADDRINUSE\n');
    });
    test('the other family of addresses is refused, not let through', async () => {
      await space.run('a', ['ip', 'addr', 'add', 'fd00:203::2/64', 'dev', 'eth0', 'nodad']);
      await space.run('b', ['ip', 'addr', 'add', 'fd00:203::3/64', 'dev', 'eth0', 'nodad']);
      await space.run('c', ['ip', 'addr', 'add', 'fd00:203::4/64', 'dev', 'eth0', 'nodad']);
      await space.run('b', ['ip', 'link', 'set', 'eth0', 'up']);
      expect(await script('b', hear, ['fd00:203::2', 7000])).toEqual({ heard: '', end: 'ECONNREFUSED' });
      expect(await script('c', hear, ['fd00:203::3', 7000])).toEqual({ heard: '', end: 'ECONNREFUSED' });
    });
  });

  describe('what is left out on purpose', () => {
    test('name servers over TCP, and nothing else of theirs', async () => {
      const servers = await Promise.all(
        [53, 54].map(
          (port) =>
            new Promise<net.Server>((resolve) => {
              const server = net.createServer((socket) => socket.on('error', () => undefined).end('here\n'));
              server.listen(port, space.host, () => resolve(server));
            }),
        ),
      );
      try {
        expect(await script('a', hear, [space.host, 53])).toEqual({ heard: 'here\n', end: 'heard' });
        expect(await script('a', hear, [space.host, 54])).toMatchObject({ heard: '' });
      } finally {
        for (const server of servers) server.close();
      }
    });
    test("by user as well as by group, the proxy's own connections; datagrams only when that is asked for", async () => {
      const server = net.createServer((socket) => socket.on('error', () => undefined).end('here\n'));
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(4242, space.host, resolve));
      try {
        const done = await space.run('c', [
          ...meshwright,
          'capture',
          '--uid',
          '4242',
          '--refuse-udp',
          '--nft',
          nft,
          '--name-server',
          '192.0.2.1',
        ]);
        expect([done.code, done.stderr]).toEqual([0, '']);
        const read = ['bash', '-c', `exec 3<>/dev/tcp/${space.host}/4242 && head -1 <&3`];
        expect((await space.run('c', read, { uid: 4242 })).stdout).toBe('here\n');
        // nobody listens where the rules send it: without a proxy nothing leaves
        expect(await script('c', hear, [space.host, 4242])).toEqual({ heard: '', end: 'ECONNREFUSED' });
        const datagram = ['bash', '-c', `echo x > /dev/udp/${space.host}/4242`];
        expect((await space.run('c', datagram)).code).not.toBe(0);
        expect((await space.run('c', datagram, { uid: 4242 })).code).toBe(0);
      } finally {
        server.close();
        await space.run('c', [...meshwright, 'capture', '--remove', '--nft', nft]);
      }
    });
    test('set up twice it is set up once; without rights it says so', async () => {
      const again = await space.run('b', [...meshwright, 'capture', '--gid', String(proxies), '--nft', nft, '--name-server', space.host]);
      expect(again.code).toBe(0);
      expect((await get('a', virtual.reviews, 'reviews.bookinfo:9080')).status).toBe(200);
      const [program, ...args] = [...meshwright, 'capture', '--gid', '7', '--nft', nft];
      const denied = await space.run('b', [
        'setpriv',
        '--bounding-set',
        '-all',
        '--inh-caps',
        '-all',
        '--no-new-privs',
        // the same user, who may read this repository wherever it lies
        present(program),
        ...args,
      ]);
      expect([denied.code, denied.stderr]).toEqual([2, expect.stringMatching(/NET_ADMIN|EACCES|permission/i)]);
    });
  });

  test('the same by IPv6, without a restart, when the inventory says that this is the family that is captured', async () => {
    const at: { readonly [name: string]: string } = { a: 'fd00:203::2', b: 'fd00:203::3' };
    for (const name of ['a', 'b']) await space.run(name, ['ip', '-6', 'route', 'add', 'default', 'via', 'fd00:203::1', 'dev', 'eth0']);
    const v6 = inventoryAt((name) => at[name] ?? '', '::', { host: '::1', port: 15_005 });
    const dialled = 'fd00:96::10';
    await mesh.writeInventory({ ...v6, virtual: { [portKey(key('reviews'), 'feed')]: [{ host: dialled, port: 7000 }] } });
    const answer = await eventually(
      () => get('a', dialled, 'reviews.bookinfo:9080'),
      ({ status }) => status === 200,
    );
    expect(JSON.parse(answer.body ?? '{}')).toMatchObject({ caller: expect.stringContaining(`URI=${account('productpage')}`) });
    expect(await script('a', hear, [dialled, 7000])).toEqual({ heard: '220 hello\r\n', end: 'heard' });
    // the other side is called at its IPv6 address; this one calls by either family
    expect((await get('a', virtual.reviews, 'reviews.bookinfo:9080')).status).toBe(200);
    expect(await script('c', hear, [at['b'] ?? '', 7002])).toEqual({ heard: '', end: expect.stringMatching(/closed|ECONNRESET/) });
    expect(await get('c', at['b'] ?? '', 'reviews.bookinfo:9080')).toEqual({ error: expect.stringMatching(/ECONNRESET|socket hang up/) });
  });

  describe('when the proxy is dead', () => {
    test('its application is neither reached nor reaches anybody; callers hear a 503', async () => {
      await stopGroup(present(agents.get('b')), { signal: 'SIGKILL' });
      await killEnvoy('reviews-1');
      expect(await get('c', space.addressOf('b'), 'reviews.bookinfo:9080')).toEqual({ error: 'ECONNREFUSED' });
      expect(await script('c', hear, [space.addressOf('b'), 7000])).toEqual({ heard: '', end: 'ECONNREFUSED' });
      expect(await get('b', space.host, 'anybody.example', '/', 4443)).toEqual({ error: 'ECONNREFUSED' });
      expect(await get('a', virtual.reviews, 'reviews.bookinfo:9080')).toMatchObject({ status: 503 });
    });
    test('it was capture that refused: taken away, the application is reached in the clear', async () => {
      const removed = await space.run('b', [...meshwright, 'capture', '--remove', '--nft', nft]);
      expect(removed.code).toBe(0);
      expect(await get('c', space.addressOf('b'), 'x')).toMatchObject({ status: 200 });
    });
  });
});

/** Waits until a proxy's log has a line. */
async function logged(name: string, line: RegExp): Promise<void> {
  const log = await eventually(
    () => said.get(name) ?? '',
    (text) => line.test(text),
  );
  if (!line.test(log)) throw new Error(`no line ${String(line)} in\n${log.slice(-2_000)}`);
}

/** An Envoy outlives its agent; here it is to be gone too. */
async function killEnvoy(id: string): Promise<void> {
  const noted = () => readPidFile(path.join(mesh.folder, `${id}.run`, 'envoy.pid'));
  process.kill(present(await noted()).pid, 'SIGKILL');
  expect(await eventually(noted, (there) => there === null)).toBeNull();
}
