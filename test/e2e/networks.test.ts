/** Two networks and the gateway between them: what is reached through it, by whom, and that nothing else is. Each hostile connection is asked of the definition too. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import { workloadKey } from '../../core/mesh/ids';
import { passageFor, passagesOf } from '../../core/semantics/networks';
import { service } from '../kit/declarations';
import { eventually } from '../kit/layered-mesh';
import { patient, principal } from '../kit/between-networks';
import { present } from '../kit/present';
import { seeded } from '../kit/random';
import { request } from '../kit/running-mesh';
import { startTwoNetworks, type Attempt, type TwoNetworks } from '../kit/two-networks';

jest.setTimeout(600_000);
const crossing = workloadKey('platform', 'crossing');
const app = principal('sa-app');
const reviews = `URI:${principal('sa-reviews')}`;
let two: TwoNetworks;
beforeAll(async () => {
  two = await startTwoNetworks();
});
afterAll(() => two?.stop());

const untilSays = async (wanted: string, version?: string): Promise<void> => {
  const ask = async (): Promise<string> => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => two.call('reviews.bookinfo:9080', '/reviews/7', version)));
    return [...new Set(answers.map(({ status, body }) => `${status} ${body.split(' ')[0]}`))].join();
  };
  expect(await eventually(ask, (said) => said === wanted)).toBe(wanted);
};

describe('what is exported is reached', () => {
  test('the own network is preferred; when its endpoints are gone the other is called through its gateway, and left again when they are back', async () => {
    await untilSays('200 reviews-east');
    await two.place((id) => (id === 'reviews-east' ? { health: 'unhealthy' } : {}));
    await untilSays('200 reviews-west');
    await two.place((id) => (id === 'reviews-east' ? { away: ['web'] } : {}));
    await untilSays('200 reviews-west');
    await two.place();
    await untilSays('200 reviews-east');
  });
  test('a version that is in the other network only is asked for by a name of its own', async () => {
    await untilSays('200 reviews-west', 'v2');
    expect(passageFor(two.ir, crossing, 'v2.web.reviews.bookinfo')).toMatchObject({ version: 'v2' });
  });
  test('a server that speaks first, with mTLS from end to end', async () => {
    expect(await eventually(two.dial, (text) => text !== '')).toBe('db ready\n');
  });
  test('what is not exported is not, though its callers may call it and it runs: nobody gives out its address', async () => {
    expect(await two.call('stock.bookinfo:9080', '/')).toMatchObject({ status: 503 });
    // by its own network's endpoint alone
    const own = await eventually(
      () => two.call('reviews.bookinfo:9090', '/'),
      ({ status }) => status === 200,
    );
    expect(own).toEqual({ status: 200, body: 'reviews-east /' });
    await two.place((id) => (id === 'reviews-east' ? { away: ['admin'] } : {}));
    const gone = await eventually(
      () => two.call('reviews.bookinfo:9090', '/'),
      ({ status }) => status !== 200,
    );
    expect(gone.status).toBe(503);
    await two.place();
  });
});

test('of a connection that reads nothing the gateway holds no more than 32 KiB and what it reads at once', async () => {
  const stats = async (): Promise<(what: RegExp) => number> => {
    const { body } = await request({ socketPath: present(two.mesh.agents.get('crossing')).adminSocket, path: '/stats' });
    return (what) =>
      body
        .split('\n')
        .filter((line) => what.test(line))
        .reduce((sum, line) => sum + Number(line.replace(/^.*: /, '')), 0);
  };
  const buffered = /^tcp\..*downstream_cx_tx_bytes_buffered/;
  const end = await two.stall({ serverName: 'web.reviews.bookinfo', as: app });
  try {
    // once the client's machine takes no more, the gateway has to stop reading what the destination sends
    const stopped = (of: (what: RegExp) => number): boolean =>
      of(/upstream_flow_control_paused_reading_total/) > of(/upstream_flow_control_resumed_reading_total/) && of(buffered) > 0;
    const held = await eventually(stats, stopped, 60_000);
    expect([stopped(held), held(buffered)]).toEqual([true, expect.any(Number)]);
    expect(held(buffered)).toBeLessThan(256 << 10);
  } finally {
    end();
  }
});

describe('the identity is proved to the destination, not to the gateway', () => {
  test.each<[string, Attempt, number | null]>([
    ['a caller that may call', { serverName: 'web.reviews.bookinfo', as: app }, 200],
    ['in another case, which means nothing in a server name', { serverName: 'WEB.Reviews.bookinfo', as: app }, 200],
    ['to one version', { serverName: 'v2.web.reviews.bookinfo', as: app }, 200],
    ['a caller with a request that no rule allows', { serverName: 'web.reviews.bookinfo', as: app, path: '/admin' }, 403],
    ['a workload that may not call', { serverName: 'web.reviews.bookinfo', as: principal('sa-stranger') }, 403],
    ['the gateway itself', { serverName: 'web.reviews.bookinfo', as: principal('crossing', 'platform') }, 403],
    ['without a certificate', { serverName: 'web.reviews.bookinfo' }, null],
    ['a certificate of another authority with the right name', { serverName: 'web.reviews.bookinfo', as: app, foreign: true }, null],
  ])('%s', async (_, asked, status) => {
    expect(passageFor(two.ir, crossing, asked.serverName)).not.toBeNull();
    expect(await two.attempt(asked)).toEqual({ server: reviews, status });
  });
});

describe('CVE-2021-31921: nothing is reached that nobody exported', () => {
  test.each<[string, string | null]>([
    ['no server name', null],
    ['a service that is not exported', 'web.stock.bookinfo'],
    ['another port of a service that is', 'admin.reviews.bookinfo'],
    ['a version that there is not', 'v3.web.reviews.bookinfo'],
    ['a name below an exported one', 'x.y.web.reviews.bookinfo'],
    ['a name above it', 'reviews.bookinfo'],
    ['a pattern', '*.web.reviews.bookinfo'],
    ['a pattern in the place of a service', 'web.*.bookinfo'],
    ['a dot at the end', 'web.reviews.bookinfo.'],
    ['the host name', 'reviews.bookinfo.svc.cluster.local'],
    ['how another mesh would ask', 'outbound_.9080_._.stock.bookinfo.svc.cluster.local'],
    ['an application of the gateway itself', 'crossing.platform'],
  ])('%s', async (_, serverName) => {
    expect(passageFor(two.ir, crossing, serverName)).toBeNull();
    expect(await two.attempt({ serverName, as: app })).toEqual({ server: null, status: null });
  });
  test('three hundred names that are nearly ones: Envoy and the definition agree about each', async () => {
    const random = seeded(31921);
    const known = passagesOf(two.ir, crossing).map(({ serverName }) => serverName);
    const labels = [
      'web',
      'admin',
      'reviews',
      'stock',
      'db',
      'bookinfo',
      'v1',
      'v2',
      'v3',
      '*',
      '',
      'svc',
      'x',
      '_',
      'platform',
      'crossing',
    ];
    const spelled = (name: string): string => [...name].map((c) => (random.chance(25) ? c.toUpperCase() : c)).join('');
    const nearly: readonly ((name: string) => string)[] = [
      (name) => name,
      spelled,
      (name) => `${name}.`,
      (name) => `.${name}`,
      (name) => `${random.pick(labels)}.${name}`,
      (name) => name.split('.').slice(1).join('.'),
      (name) => name.split('.').toReversed().join('.'),
      (name) => name.replace(/[a-z]+/, random.pick(labels)),
      (name) => name.replace('.', '..'),
      (name) => `${name}.svc.cluster.local`,
      () => Array.from({ length: 1 + random.below(5) }, () => random.pick(labels)).join('.'),
    ];
    const names = [...new Set(Array.from({ length: 1_200 }, () => random.pick(nearly)(random.pick(known))))].filter((name) => name !== '');
    const asked = names.slice(0, 300);
    // nobody is of the first version there: passed on to nobody
    const passed = asked.filter((name) => {
      const passage = passageFor(two.ir, crossing, name);
      return passage !== null && passage.version !== 'v1';
    });
    // neither all nor none
    expect([asked.length, passed.length > 20, passed.length < 280]).toEqual([300, true, true]);
    const through: string[] = [];
    for (const serverName of asked) if ((await two.attempt({ serverName })).server !== null) through.push(serverName);
    expect(through).toEqual(passed);
  });
  test('plaintext, and a TLS record that is none', async () => {
    for (const bytes of [
      'GET /reviews/7 HTTP/1.1\r\nhost: web.reviews.bookinfo\r\n\r\n',
      '\x16\x03\x01\xff\xff\x01\x00\x00\x00'.repeat(64),
    ])
      expect(await answerTo(bytes)).toBe('');
  });
});

test('who says nothing, or half a ClientHello, is closed', async () => {
  const half = Buffer.from('16030100c8010000c4030300', 'hex').toString('latin1');
  expect(await Promise.all(['', half].map(answerTo))).toEqual(['', '']);
});

test('who asks for an exported name and then says nothing more is closed by the destination, which waits for a handshake no longer', async () => {
  const said = await answerTo(await clientHello('web.reviews.bookinfo'));
  // it was passed on: the destination has answered the ClientHello
  expect(said.charCodeAt(0)).toBe(0x16);
});

test('an export comes and goes while the gateway serves others: who calls meets no failure, and what is taken back is closed', async () => {
  const seen = new Set<string>();
  let running = true;
  const traffic = (async () => {
    // of the second version, which is behind the gateway
    while (running) seen.add(`${(await two.call('reviews.bookinfo:9080', '/reviews/7', 'v2')).status}`);
  })();
  const stock = { kind: 'export', port: { ref: 'books/stock', port: 'web' }, through: [{ ref: 'platform/crossing' }] } as const;
  await two.release({ 'books/stockAcross': stock });
  expect(
    (
      await eventually(
        () => two.call('stock.bookinfo:9080', '/'),
        ({ status }) => status === 200,
      )
    ).body,
  ).toBe('stock-west /');
  expect(await two.attempt({ serverName: 'web.stock.bookinfo', as: app, path: '/' })).toMatchObject({ status: 200 });
  await two.release({});
  // the gateway is asked first: what is taken back is closed there at once, whenever callers hear of it
  expect(await two.attempt({ serverName: 'web.stock.bookinfo', as: app, path: '/' })).toEqual({ server: null, status: null });
  const gone = await eventually(
    () => two.call('stock.bookinfo:9080', '/'),
    ({ status }) => status !== 200,
  );
  expect(gone.status).toBe(503);
  running = false;
  await traffic;
  expect([...seen]).toEqual(['200']);
  expect(await two.attempt({ serverName: 'web.reviews.bookinfo', as: app })).toMatchObject({ status: 200 });
});

const twoPorts = { web: { protocol: 'http', number: 9080 }, admin: { protocol: 'http', number: 9090 } };
const spread = (versions: readonly string[]) =>
  service('books/bookinfo', 'reviews', { ports: twoPorts, versions, settings: { connections: patient, balance: 'round-robin' } });
/** What a caller meets while something is done, until it is through. */
const metDuring = async (call: () => Promise<{ readonly status: number }>, done: () => Promise<void>): Promise<readonly string[]> => {
  const seen = new Map<string, number>();
  let running = true;
  const traffic = (async () => {
    while (running) {
      const said = `${(await call()).status}`;
      seen.set(said, (seen.get(said) ?? 0) + 1);
    }
  })();
  await done();
  running = false;
  await traffic;
  return [...seen.keys()];
};
test('one name comes and another goes in one release: neither is refused while callers change over', async () => {
  await two.release({ 'books/reviews': spread(['v1', 'v2']) });
  const seen = await metDuring(
    () => two.call('reviews.bookinfo:9080', '/reviews/7'),
    () =>
      two.release({
        'books/reviews': spread(['v1', 'v2']),
        'books/reviewsAcross': null,
        'books/stockAcross': { kind: 'export', port: { ref: 'books/stock', port: 'web' }, through: [{ ref: 'platform/crossing' }] },
      }),
  );
  expect(seen).toEqual(['200']);
  // and when it has converged it is as it says
  expect(await two.attempt({ serverName: 'web.reviews.bookinfo', as: app })).toEqual({ server: null, status: null });
  expect(await two.attempt({ serverName: 'web.stock.bookinfo', as: app, path: '/' })).toMatchObject({ status: 200 });
  await two.release({});
});
test('a version comes in place of another, of a port that was exported before: the gateway knows it when callers ask for it', async () => {
  const routes = (version: string) => ({
    kind: 'route' as const,
    on: { ref: 'books/reviews', port: 'web' },
    rules: [
      {
        when: { headers: { version: { kind: 'exact' as const, value: 'v2' } } },
        to: { kind: 'version' as const, version },
        timeout: '60s',
      },
    ],
    otherwise: { to: { kind: 'target' as const, to: { ref: 'books/reviews', port: 'web' } }, timeout: '60s' },
  });
  const inTurn = (present: string) => (id: string) => (id === 'reviews-west' ? { version: present } : {});
  await two.release({ 'books/reviews': spread(['v1', 'v2']), 'books/reviewsRoutes': routes('v1') });
  await two.place(inTurn('v3'));
  const seen = await metDuring(
    () => two.call('reviews.bookinfo:9080', '/reviews/7', 'v2'),
    () => two.release({ 'books/reviews': spread(['v1', 'v3']), 'books/reviewsRoutes': routes('v3') }),
  );
  expect(seen).toEqual(['200']);
  expect((await two.call('reviews.bookinfo:9080', '/reviews/7', 'v2')).body).toBe('reviews-west /reviews/7');
  await two.release({});
  await two.place();
});

test('without a word of nearness networks share by the weight of what a gateway stands for', async () => {
  await two.release({ 'books/reviews': spread(['v1', 'v2']) });
  await two.place((id) => (id === 'reviews-west' ? { weight: 3 } : {}));
  const ofForty = async (): Promise<number> => {
    let west = 0;
    for (let sent = 0; sent < 40; sent += 1) {
      const { body } = await two.call('reviews.bookinfo:9080', '/reviews/7');
      if (body.startsWith('reviews-west')) west += 1;
    }
    return west;
  };
  // in turns by weight: thirty, but for where the turn begins
  const west = await eventually(ofForty, (count) => Math.abs(count - 30) <= 2, 120_000);
  expect(Math.abs(west - 30)).toBeLessThanOrEqual(2);
  await two.place();
  await two.release({});
});

test('who is behind is not reached past the gateway: without it, nobody is', async () => {
  await two.place((id) => (id === 'reviews-east' ? { away: ['web'] } : {}));
  await untilSays('200 reviews-west');
  // on its way out it still listens, and nobody new comes
  await two.place((id) => ({ 'reviews-east': { away: ['web'] }, crossing: { away: ['east-west'] } })[id] ?? {});
  await eventually(
    () => two.call('reviews.bookinfo:9080', '/reviews/7'),
    ({ status }) => status === 503,
  );
  expect(await two.attempt({ serverName: 'web.reviews.bookinfo', as: app })).toMatchObject({ status: 200 });
  await two.place((id) => (id === 'reviews-east' ? { away: ['web'] } : {}));
  await untilSays('200 reviews-west');
  await two.mesh.agents.get('crossing')?.close();
  const gone = await eventually(
    () => two.call('reviews.bookinfo:9080', '/reviews/7'),
    ({ status }) => status !== 200,
  );
  expect(gone.status).toBe(503);
  await two.place();
  await untilSays('200 reviews-east');
});

/** The first that a client says in TLS, and no more. */
function clientHello(servername: string): Promise<string> {
  return new Promise((resolve) => {
    const listener = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (chunk: Buffer) => {
        resolve(chunk.toString('latin1'));
        socket.destroy();
        listener.close();
      });
    });
    listener.listen(0, '127.0.0.1', () => {
      const at = listener.address();
      if (typeof at === 'object' && at !== null) tls.connect({ host: at.address, port: at.port, servername }).on('error', () => undefined);
    });
  });
}
/** What comes back, until the other end closes; a reset counts as that. Rejects where nobody ends it: what waits for somebody here waits a quarter of a minute at most. */
function answerTo(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net
      .connect(two.gateway.port, two.gateway.host, () => socket.write(bytes, 'latin1'))
      .setTimeout(90_000, () => (reject(new Error('nobody closes it')), socket.destroy()));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined).on('close', () => resolve(text));
  });
}
