/** Access that is taken away ends what is open: a TCP connection over two Envoys while the destination's listeners change under it. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { testAuthority } from '../kit/certificates';
import { allow, deny, named, service, workload } from '../kit/declarations';
import { followedEnvoy, type FollowedEnvoy } from '../kit/followed-envoy';
import { appOf, dialled, eventually, guardOf, key as keyOf, lowered, meshOf, port } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { layOut } from '../kit/whole-mesh';

const open: { readonly [id: string]: DeclarationValue } = {
  'books/app': workload('books/bookinfo', 'app'),
  'books/echo': service('books/bookinfo', 'echo', { ports: { web: { protocol: 'tcp', number: 9000 } } }),
  'books/echoUse': allow('books/echo', [named('books/app')]),
};
const shut = { ...open, 'books/echoShut': deny('books/echo', [named('books/app')]) };

const envoys: FollowedEnvoy[] = [];
let echo: net.Server;
const held = new Set<net.Socket>();
let dials = 0;
afterAll(async () => {
  await Promise.all(envoys.map((envoy) => envoy.stop()));
  for (const socket of held) socket.destroy();
  echo?.close();
});

test('a connection that is open is closed when its caller is shut out, on both sides, and cannot be opened again', async () => {
  const authority = await testAuthority(lowered(open).trustDomain);
  const inventory = await layOut(lowered(open));
  const before = await meshOf(open, inventory, authority);
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
  const server = await followedEnvoy(before.server);
  envoys.push(server, await followedEnvoy(before.client));
  const to = dialled(before, 'app', port('echo'));
  const first = await talk(to);
  expect(first.said).toBe('hello');
  expect(held.size).toBe(1);

  await server.put((await meshOf(shut, inventory, authority)).server);
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
}, 300_000);

/** Says hello and hears it back; '' when the connection was closed first. */
function talk(to: { readonly host: string; readonly port: number }): Promise<{ readonly said: string; readonly socket: net.Socket }> {
  return new Promise((resolve) => {
    const socket = net.connect(to, () => socket.write('hello'));
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
