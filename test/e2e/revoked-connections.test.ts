/** Access that is taken away ends what is open: a TCP connection over two Envoys while the destination's listeners change under it. */
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import type { CallerRef, DeclarationValue } from '../../core/declarations/declaration';
import { workloadKey } from '../../core/mesh/ids';
import type { Json, JsonObject } from '../../core/lib/json';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { temporaryFolder } from '../../platform/files';
import { freePorts } from '../../platform/ports';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { allow, deny, named, service, workload } from '../kit/declarations';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { appOf, dialled, eventually, guardOf, key as keyOf, lowered, port } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { layOut, wholeMesh, type WholeMesh } from '../kit/whole-mesh';

const open: { readonly [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/echo': service('books/bookinfo', 'echo', { ports: { web: { protocol: 'tcp', number: 9000 } } }),
  'books/echoUse': allow('books/echo', [named('books/app')]),
};
const shut = { ...open, 'books/echoShut': deny('books/echo', [named('books/app')]) };

const envoys: RunningEnvoy[] = [];
let folder: string;
let echo: net.Server;
const held = new Set<net.Socket>();
let dials = 0;
afterAll(async () => {
  await Promise.all(envoys.map((envoy) => envoy.stop()));
  for (const socket of held) socket.destroy();
  echo?.close();
  if (folder) await fs.rm(folder, { recursive: true, force: true });
});

test('a connection that is open is closed when its caller is shut out, on both sides, and cannot be opened again', async () => {
  folder = await temporaryFolder('revoked');
  const authority = await testAuthority(lowered(open).trustDomain);
  const inventory = await layOut(lowered(open));
  const side = (more: typeof open): Promise<WholeMesh> => meshOf(more, inventory, authority);
  const before = await side(open);
  const at = appOf(before, 'echo');
  echo = net.createServer((socket) => {
    held.add(socket);
    dials++;
    socket
      .on('data', (chunk) => socket.write(chunk))
      .on('error', () => undefined)
      .on('close', () => held.delete(socket));
  });
  await new Promise<void>((resolve, reject) => echo.once('error', reject).listen(at.port, at.host, resolve));
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const { bootstrap: server, listeners } = followed(bootstrapOf(before.server, serverAdmin), path.join(folder, 'lds.json'));
  await put(listeners);
  envoys.push(...(await Promise.all([startEnvoy(bootstrapOf(before.client, clientAdmin), clientAdmin), startEnvoy(server, serverAdmin)])));
  const to = dialled(before, 'app', port('echo'));
  const first = await talk(to);
  expect(first.said).toBe('hello');
  expect(held.size).toBe(1);

  await put(followed(bootstrapOf((await side(shut)).server, serverAdmin), '').listeners);
  expect(
    await eventually(
      () => first.socket.closed,
      (closed) => closed,
    ),
  ).toBe(true);
  expect(
    await eventually(
      () => held.size,
      (size) => size === 0,
    ),
  ).toBe(0);
  expect((await talk(to)).said).toBe('');
  // Nor past its own Envoy: the application is dialled for those alone whose certificate was taken, not for whoever opens a connection.
  const guard = guardOf(before, 'echo');
  expect((await talk(guard)).said).not.toContain('hello'); // an alert of TLS
  const shutOut = lowered(open).workloads.find((one) => one.key === keyOf('app'));
  const { key, chain } = await authority.svid(present(shutOut).principal, present(shutOut).key);
  expect(await secretly({ ...guard, key, cert: chain, ca: authority.trust })).toBe('');
  expect(dials).toBe(1);
}, 60_000);

const edge = workloadKey('platform', 'edge');
const here: CallerRef = { kind: 'outside', name: 'here', network: ['127.0.0.0/8'], through: { ref: 'platform/edge' } };
/** A host for whoever comes; `shutOut`: for nobody of this machine. */
const atGateway = (shutOut: boolean): { readonly [id: string]: DeclarationValue } => ({
  'platform/edge': {
    kind: 'gateway',
    namespace: { ref: 'platform/platform' },
    name: 'edge',
    serviceAccount: 'edge',
    listeners: { plain: { protocol: 'http', port: 80, hosts: { 'shop.acme.example': 'books' } } },
  },
  'books/shop': {
    kind: 'route',
    on: { ref: 'platform/edge', listener: 'plain', host: 'shop.acme.example' },
    rules: shutOut ? [{ when: { from: [here] }, to: { kind: 'respond', status: 403 } }] : [],
    otherwise: { to: { kind: 'respond', status: 200 } },
  },
});
test('at a gateway what is open is closed when its network is taken out, though the rules of everybody else stay', async () => {
  const authority = await testAuthority(lowered(atGateway(false)).trustDomain);
  const inventory = await layOut(lowered(atGateway(false)));
  const before = await meshOf(atGateway(false), inventory, authority);
  const [clientAdmin = 0] = await freePorts(1);
  const { bootstrap, listeners } = followed(bootstrapOf(before.client, clientAdmin), path.join(folder, 'lds.json'));
  await put(listeners);
  envoys.push(await startEnvoy(bootstrap, clientAdmin));
  const door = present(present(before.instanceOf(edge).listeners)['plain']);
  const ask = 'GET / HTTP/1.1\r\nhost: shop.acme.example\r\n\r\n';
  const first = await talk(door, ask);
  expect(first.said.slice(9, 12)).toBe('200');

  await put(followed(bootstrapOf((await meshOf(atGateway(true), inventory, authority)).client, clientAdmin), '').listeners);
  expect(
    await eventually(
      () => first.socket.closed,
      (closed) => closed,
    ),
  ).toBe(true);
}, 60_000);

async function meshOf(
  more: { readonly [id: string]: DeclarationValue },
  inventory: WholeMesh['inventory'],
  authority: TestAuthority,
): Promise<WholeMesh> {
  const ir = lowered(more);
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  return wholeMesh(ir, emitted.value, inventory, authority);
}
const bootstrapOf = (side: WholeMesh['server'], adminPort: number): JsonObject =>
  staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments });

/** A bootstrap whose listeners are followed in a file. */
function followed(bootstrap: JsonObject, file: string): { readonly bootstrap: JsonObject; readonly listeners: readonly Json[] } {
  const { listeners = [], ...rest } = bootstrap['staticResources'] as { readonly listeners?: readonly JsonObject[] }; // our own form
  return {
    bootstrap: {
      ...bootstrap,
      staticResources: rest as JsonObject,
      dynamicResources: { ldsConfig: { pathConfigSource: { path: file }, resourceApiVersion: 'V3' } },
    },
    listeners: listeners.map((listener) => ({ '@type': 'type.googleapis.com/envoy.config.listener.v3.Listener', ...listener })),
  };
}
/** Envoy follows a file that is moved there. */
async function put(listeners: readonly Json[]): Promise<void> {
  const next = path.join(folder, 'next.json');
  await fs.writeFile(next, JSON.stringify({ version_info: String(Math.random()), resources: listeners }));
  await fs.rename(next, path.join(folder, 'lds.json'));
}

/** Says hello and hears it back; '' when the connection was closed first. */
function talk(
  to: { readonly host: string; readonly port: number },
  words = 'hello',
): Promise<{ readonly said: string; readonly socket: net.Socket }> {
  return new Promise((resolve) => {
    const socket = net.connect(to, () => socket.write(words));
    socket.on('data', (chunk: Buffer) => resolve({ said: chunk.toString(), socket }));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve({ said: '', socket }));
  });
}

/** The same by TLS with a certificate of the mesh, straight to the destination's Envoy. */
function secretly(options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ ...options, checkServerIdentity: () => undefined }, () => socket.write('hello'));
    socket.on('data', (chunk: Buffer) => resolve(chunk.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(''));
  });
}
