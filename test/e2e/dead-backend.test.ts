/** gRPC towards who is not there: a status of gRPC, whatever is dead and however it dies, and never an HTTP status that a client has to guess from. */
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { allow, named, service, workload } from '../kit/declarations';
import { bytes } from '../kit/grpc-server';
import { appOf, key, type LayeredMesh, startLayers } from '../kit/layered-mesh';
import { present } from '../kit/present';

const rpc = (name: string) => service('books/bookinfo', name, { ports: { web: { protocol: 'grpc', number: 7070 } } });
const dead = ['silent', 'cut', 'gone', 'nowhere'] as const;
const declarations: { [id: string]: DeclarationValue } = { 'books/app': workload('books/bookinfo', 'app') };
for (const name of dead) {
  declarations[`books/${name}`] = rpc(name);
  declarations[`books/${name}Use`] = allow(`books/${name}`, [named('books/app')]);
}
let layers: LayeredMesh;
let cut: net.Server;
beforeAll(async () => {
  layers = await startLayers(
    declarations,
    async (mesh) => {
      // `silent` has no application at all; that of `cut` ends each connection once something is said on it
      const at = appOf(mesh, 'cut');
      cut = net.createServer((socket) => void socket.on('error', () => undefined).once('data', () => socket.destroy()));
      await new Promise<void>((resolve, reject) => cut.once('error', reject).listen(at.port, at.host, resolve));
    },
    ({ workload: of }) => of !== key('nowhere'),
  );
}, 120_000);
afterAll(async () => {
  await layers?.stop();
  cut?.close();
}, 30_000);

const outbound = () => present(layers.mesh.instanceOf(key('app')).outbound);
/** What a client of gRPC is told. */
function called(name: string): Promise<grpc.StatusObject> {
  const { host, port } = outbound();
  const client = new grpc.Client(`${host}:${port}`, grpc.credentials.createInsecure(), {
    'grpc.default_authority': `${name}.bookinfo:7070`,
    'grpc.enable_retries': 0,
  });
  return new Promise((resolve) => {
    const call = client.makeUnaryRequest('/t.v1.Echo/Unary', bytes.serialize, bytes.deserialize, Buffer.from('a'), () => undefined);
    call.on('status', (status) => (client.close(), resolve(status)));
  });
}
/** What is on the wire. */
function onTheWire(name: string): Promise<http2.IncomingHttpHeaders> {
  const { host, port } = outbound();
  const session = http2.connect(`http://${host}:${port}`);
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({
      ...{ ':method': 'POST', ':path': '/t.v1.Echo/Unary', ':authority': `${name}.bookinfo:7070` },
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    });
    let found: http2.IncomingHttpHeaders = {};
    stream.on('response', (headers) => (found = { ...found, ...headers }));
    stream.on('trailers', (trailers) => (found = { ...found, ...trailers }));
    stream.on('error', reject);
    stream.on('close', () => (session.destroy(), resolve(found)));
    stream.resume();
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });
}
const says = async (name: string): Promise<void> => {
  const { ':status': status, 'content-type': type, 'grpc-status': code, 'grpc-message': message } = await onTheWire(name);
  expect([status, type, code, message]).toEqual([200, 'application/grpc', String(grpc.status.UNAVAILABLE), expect.stringMatching(/./)]);
  expect(await called(name)).toMatchObject({ code: grpc.status.UNAVAILABLE, details: expect.stringMatching(/./) });
};

test.each([
  ['the application does not listen', 'silent'],
  ['the application ends the connection in the middle of the call', 'cut'],
  ['there is no instance of it', 'nowhere'],
])('%s: UNAVAILABLE, as a status of gRPC', (_what, name) => says(name), 120_000);
test('its proxy is dead: UNAVAILABLE, as a status of gRPC', async () => {
  await layers.server.stop();
  await says('gone');
}, 120_000);
