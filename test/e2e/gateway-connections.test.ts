/** Connections that come in at a gateway and go on whole: TLS by the server name, and TCP. Real clients and servers, the definition beside them. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import { decideOutsideConnection } from '../../core/semantics/decide-connection';
import type { Address } from '../../runtime-proxy/inventory';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { edge, gatewayDeclarations } from '../kit/gateway-declarations';
import { appOf, type LayeredMesh, port, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';

let layers: LayeredMesh;
let own: TestAuthority;
const servers: net.Server[] = [];
const open = new Set<net.Socket>();

/** Says who it is at once, and echoes. */
function speaks(name: string): (socket: net.Socket) => void {
  return (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.write(`${name}\n`);
    socket.on('data', (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
    socket.on('end', () => socket.end());
  };
}
const listen = (server: net.Server, at: Address): Promise<void> => {
  servers.push(server);
  return new Promise((resolve, reject) => void server.once('error', reject).listen(at.port, at.host, resolve));
};

beforeAll(async () => {
  own = await testAuthority('applications.example');
  layers = await startLayers(gatewayDeclarations, async (mesh) => {
    for (const name of ['vault', 'other', 'closed']) {
      const { key, chain } = await own.serving([`${name}.db.example`, 'db.example', 'a.db.example', 'a.b.db.example', 'shut.example']);
      await listen(tls.createServer({ key, cert: chain }, speaks(name)), appOf(mesh, name));
    }
    await listen(net.createServer({ allowHalfOpen: true }, speaks('rows')), appOf(mesh, 'rows'));
  });
}, 120_000);
afterAll(async () => {
  for (const socket of open) socket.destroy();
  for (const server of servers) server.close();
  await layers?.stop();
}, 30_000);

/** What a client hears, up to its first two lines; null where it is closed without a word. */
function hear(socket: net.Socket): Promise<string | null> {
  return new Promise((resolve) => {
    let heard = '';
    const end = (): void => {
      socket.destroy();
      resolve(heard === '' ? null : heard);
    };
    socket.setTimeout(60_000, end);
    socket.on('data', (chunk: Buffer) => {
      if (heard === '') socket.write('a\n');
      heard += chunk.toString();
      if (heard.split('\n').length > 2) end();
    });
    socket.on('error', end);
    socket.on('close', end);
  });
}
const at = (listener: string): Address => present(layers.mesh.instanceOf(edge).listeners?.[listener]);
/** By the definition, and by Envoy. The server's certificate is verified: the TLS is with the application itself. */
async function asked(sni: string | null): Promise<string | null> {
  const { host, port: number } = at('pass');
  const heard = await hear(
    tls.connect({ host, port: number, ca: own.trust, ...(sni === null ? { checkServerIdentity: () => undefined } : { servername: sni }) }),
  );
  const decision = decideOutsideConnection(layers.ir, { gateway: edge, listener: 'pass', sni });
  expect([sni, heard !== null, heard?.split('\n')[0]]).toEqual([
    sni,
    decision.outcome === 'allow',
    decision.outcome === 'allow' ? decision.destinations[0]?.port.replace(/^.*\/(.*)\..*$/, '$1') : undefined,
  ]);
  return heard;
}

describe('TLS that is passed through', () => {
  test('a connection goes where its server name leads, and the TLS is the application’s own', async () => {
    expect(await asked('db.example')).toBe('vault\necho a\n');
    expect(await asked('a.db.example')).toBe('other\necho a\n');
    expect(await asked('a.b.db.example')).toBe('other\necho a\n');
    expect(await asked('DB.example')).toBe('vault\necho a\n');
  });
  test('who names no server, or one that is not served, or is served and routed by nobody, is closed', async () => {
    expect(await asked(null)).toBeNull();
    expect(await asked('nobody.example')).toBeNull();
    expect(await asked('idle.db.example')).toBeNull();
  });
  test('the destination judges the gateway: where it is not let in nobody is', async () => {
    expect(await asked('shut.example')).toBeNull();
  });
  test('what is no TLS is closed', async () => {
    const { host, port: number } = at('pass');
    const socket = net.connect(number, host, () => socket.write('GET / HTTP/1.1\r\nhost: db.example\r\n\r\n'));
    expect(await hear(socket)).toBeNull();
  });
});

describe('TCP', () => {
  test('goes on whole, the server speaking first', async () => {
    const { host, port: number } = at('queue');
    expect(await hear(net.connect(number, host))).toBe('rows\necho a\n');
    const decision = decideOutsideConnection(layers.ir, { gateway: edge, listener: 'queue', sni: null });
    expect(decision).toMatchObject({
      outcome: 'allow',
      route: { rule: 'books/rowsQueue.otherwise' },
      destinations: [{ port: port('rows') }],
    });
  });
  test('a side that has said all still hears the other', async () => {
    const { host, port: number } = at('queue');
    const socket = net.connect({ port: number, host, allowHalfOpen: true });
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => resolve());
      socket.end('last');
    });
    expect(heard).toBe('rows\necho last');
  });
});
