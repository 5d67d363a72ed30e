/** An application that is told in a PROXY header from where its proxy was dialled, behind two real Envoys. */
import * as net from 'node:net';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { freePorts } from '../../platform/ports';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { testAuthority } from '../kit/certificates';
import { allow, named, service, workload } from '../kit/declarations';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { appOf, dialled, lowered, port } from '../kit/layered-mesh';
import { layOut, wholeMesh, type WholeMesh } from '../kit/whole-mesh';

jest.setTimeout(300_000);
const bytesOf = (version: 'v1' | 'v2'): DeclarationValue =>
  service('books/bookinfo', version, {
    serviceAccount: `sa-${version}`,
    ports: { web: { protocol: 'tcp', number: 9000, proxyProtocol: version } },
  });
const declared: { readonly [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/v1': bytesOf('v1'),
  'books/v2': bytesOf('v2'),
  'books/v1Use': allow('books/v1', [named('books/app')]),
  'books/v2Use': allow('books/v2', [named('books/app')]),
};

let mesh: WholeMesh;
const envoys: RunningEnvoy[] = [];
const servers: net.Server[] = [];
const heard = new Map<string, Buffer>();

beforeAll(async () => {
  const ir = lowered(declared);
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  mesh = await wholeMesh(ir, emitted.value, await layOut(ir), await testAuthority(ir.trustDomain));
  for (const name of ['v1', 'v2']) {
    const server = net.createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on('data', (chunk) => {
          heard.set(name, Buffer.concat([heard.get(name) ?? Buffer.alloc(0), chunk]));
          if (heard.get(name)?.includes('hello')) socket.end('heard');
        });
    });
    servers.push(server);
    const at = appOf(mesh, name);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at.port, at.host, resolve));
  }
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const start = (side: WholeMesh['client'], adminPort: number): Promise<RunningEnvoy> =>
    startEnvoy(staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments }), adminPort);
  envoys.push(...(await Promise.all([start(mesh.client, clientAdmin), start(mesh.server, serverAdmin)])));
});
afterAll(async () => {
  await Promise.all(envoys.map((envoy) => envoy.stop()));
  for (const server of servers) server.close();
});

/** What the application heard, whole, from a caller that says hello. */
async function saidTo(name: string): Promise<Buffer> {
  const socket = net.connect(dialled(mesh, 'app', port(name)));
  socket.write('hello');
  const answer: Buffer[] = [];
  for await (const chunk of socket) answer.push(chunk as Buffer); // a socket without an encoding
  expect(Buffer.concat(answer).toString()).toBe('heard');
  return heard.get(name) ?? Buffer.alloc(0);
}

test('an application reads in a PROXY header from where its proxy was dialled, in text', async () => {
  expect((await saidTo('v1')).toString()).toMatch(/^PROXY TCP4 127\.[0-9.]+ 127\.[0-9.]+ [0-9]+ [0-9]+\r\nhello$/);
});
test('and in bytes', async () => {
  const bytes = await saidTo('v2');
  expect(bytes.subarray(0, 12).toString('latin1')).toBe('\r\n\r\n\0\r\nQUIT\n');
  expect([bytes[12], bytes[13], bytes.readUInt16BE(14)]).toEqual([0x21, 0x11, 12]);
  expect(bytes[16]).toBe(127);
  expect(bytes.subarray(28).toString()).toBe('hello');
});
