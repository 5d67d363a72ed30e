/** The named protocols: real servers behind one Envoy, real clients behind another, mTLS between; who is denied gets nothing. */
import * as path from 'node:path';
import * as tls from 'node:tls';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { runCommand } from '../../platform/process';
import { freePorts } from '../../platform/ports';
import type { Address } from '../../runtime-proxy/inventory';
import { allow, deny, named, service, workload } from '../kit/declarations';
import { appOf, dialled, eventually, guardOf, key, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { type ProtocolServer, startAmqp, startKafka, startMongo, startMysql, startPostgres, startRedis } from '../kit/protocol-servers';

jest.setTimeout(300_000);
const protocols = ['redis', 'postgres', 'mysql', 'mongo', 'amqp', 'kafka'] as const;
type Protocol = (typeof protocols)[number];
const declarations: { [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/barred': workload('books/bookinfo', 'barred'),
  'books/stranger': workload('books/bookinfo', 'stranger'),
};
for (const protocol of protocols) {
  const brokers = protocol === 'kafka' ? { versions: ['0', '1'] } : {};
  const more = protocol === 'kafka' ? { brokers: ['0', '1'] } : {};
  declarations[`books/${protocol}`] = service('books/bookinfo', protocol, {
    ports: { web: { protocol, number: 9000, ...more } },
    ...brokers,
  });
  declarations[`books/${protocol}Use`] = allow(`books/${protocol}`, [named('books/app'), named('books/barred')]);
  declarations[`books/${protocol}Bar`] = deny(`books/${protocol}`, [named('books/barred')]);
}

let layers: LayeredMesh;
const servers: ProtocolServer[] = [];
beforeAll(async () => {
  const [controller = 0] = await freePorts(1);
  layers = await startLayers(declarations, async (mesh) => {
    const at = (protocol: Protocol, version: string | null = null): Address => appOf(mesh, protocol, 'web', version);
    const kafka = [0, 1].map((id) =>
      startKafka({
        id,
        at: at('kafka', String(id)),
        controller: { host: '127.0.0.1', port: controller },
        // as every client's proxy has it: the address of the caller's own listener for that broker
        advertised: dialled(mesh, 'app', port('kafka'), String(id)),
      }),
    );
    const starting = [
      startRedis(at('redis')),
      startPostgres(at('postgres')),
      startMysql(at('mysql')),
      startMongo(at('mongo')),
      startAmqp(at('amqp')),
      ...kafka,
    ];
    // those that did start are stopped, whatever became of the others
    await Promise.allSettled(starting.map(async (one) => void servers.push(await one)));
    await Promise.all(starting);
  });
}, 900_000);
afterAll(async () => {
  await layers?.stop();
  await Promise.all(servers.map((server) => server.stop()));
});

/** What a client of the protocol's own library saw. */
async function client(protocol: Protocol, caller: string): Promise<{ readonly ok?: unknown; readonly error?: string }> {
  const { host, port: number } = dialled(layers.mesh, caller, port(protocol));
  const script = path.join(__dirname, '..', 'kit', 'clients', `${protocol}.mjs`);
  const { stdout } = await runCommand(process.execPath, [script, host, String(number)], { timeoutMs: 120_000 });
  return JSON.parse(stdout);
}

const sees: { readonly [protocol in Protocol]: unknown } = {
  redis: { book: 'reviews', heard: 'hello' },
  postgres: {
    rows: [
      { id: 1, title: 'a' },
      { id: 2, title: 'b' },
    ],
    version: '18.6',
  },
  mysql: { rows: [{ id: 1, title: 'a' }] },
  mongo: { even: 125 },
  amqp: { message: 'one book' },
  kafka: expect.objectContaining({ leaders: [0, 1], values: ['on 0', 'on 1'] }),
};

describe.each(protocols)('%s', (protocol) => {
  test('its own clients and server speak through two proxies', async () => {
    expect(await client(protocol, 'app')).toEqual({ ok: sees[protocol] });
  });
  test('the log has who called and the metrics count it, by port', async () => {
    const key = `bookinfo/${protocol}.web`;
    const line = await eventually(
      () => layers.server.accessLog().find((entry) => entry['port'] === key && String(entry['caller']).endsWith('/sa-app')),
      (found) => found !== undefined,
    );
    expect(line).toMatchObject({ listener: expect.stringContaining(`inbound/${key}`), denied: null });
    const stats = await layers.server.admin(`/stats?filter=downstream_cx_total&type=Counters`);
    expect(stats).toMatch(new RegExp(`tcp\\.inbound/${key.replace('.', '\\.')}\\.downstream_cx_total: [1-9]`));
  });
  test('who is denied gets nothing, by its own proxy or past it', async () => {
    expect(await client(protocol, 'barred')).toEqual({ error: expect.stringMatching(/./) });
    expect(await greeting('barred', protocol)).toBe('');
    expect(await greeting('stranger', protocol)).toBe('');
  });
  test('who is not named has no way there', () => {
    expect(layers.mesh.instanceOf(key('stranger')).outboundPorts).toBeUndefined();
  });
});

test('a Kafka client is told of its own proxy’s listeners, one for each broker', async () => {
  const told = [0, 1].map((id) => {
    const { host, port: number } = dialled(layers.mesh, 'app', port('kafka'), String(id));
    return `${id} ${host}:${number}`;
  });
  const seen = (await client('kafka', 'app')).ok;
  expect(seen).toMatchObject({ brokers: told.sort() });
});

/** What a server says first to an identity of the mesh that dials its proxy directly. */
async function greeting(caller: string, protocol: Protocol): Promise<string> {
  const to = guardOf(layers.mesh, protocol);
  const workloadOf = present(layers.ir.workloads.find((one) => one.key === key(caller)));
  const svid = await layers.authority.svid(workloadOf.principal, workloadOf.key);
  return new Promise((resolve) => {
    const chunks: string[] = [];
    const socket = tls.connect({
      ...to,
      key: svid.key,
      cert: svid.chain,
      ca: layers.authority.trust,
      checkServerIdentity: () => undefined,
    });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.toString('latin1')));
    socket.on('error', () => resolve(chunks.join('')));
    socket.on('close', () => resolve(chunks.join('')));
    socket.setTimeout(3_000, () => socket.destroy());
  });
}
