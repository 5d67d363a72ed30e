import * as net from 'node:net';
import { ServerCredentials } from '@grpc/grpc-js';
import { listenHost } from '../../platform/listen-host';
import { silentLog } from '../../platform/log';
import { serveAdmin } from './admin-http';
import { bind, createServer, stopServer } from './server';

// a machine without IPv6 has one family
const families = listenHost('::') === '::' ? ['127.0.0.1', '::1'] : ['127.0.0.1'];

test.each([...families, '::'])('listens at %s, and says whose port is taken', async (host) => {
  jest.spyOn(console, 'error').mockImplementation(() => undefined); // the library says it too
  const credentials = ServerCredentials.createInsecure();
  const [first, second] = [createServer(), createServer()];
  try {
    const port = await bind(first, host, 0, credentials);
    expect(port).toBeGreaterThan(0);
    await expect(bind(second, host, port, credentials)).rejects.toThrow(`port ${port} on ${host} is taken`);
  } finally {
    await Promise.all([stopServer(first, 0), stopServer(second, 0)]);
  }
});

test('who listens everywhere is reached by both families of addresses', async () => {
  const server = createServer();
  const port = await bind(server, '::', 0, ServerCredentials.createInsecure());
  const admin = await serveAdmin({ host: '::', port: 0 }, 'a token', [], silentLog);
  const isReached = (host: string, one: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = net.connect({ host, port: one }, () => (socket.destroy(), resolve(true)));
      socket.on('error', () => resolve(false));
    });
  try {
    for (const host of families)
      for (const one of [port, Number(new URL(admin.url).port)]) expect([host, await isReached(host, one)]).toEqual([host, true]);
  } finally {
    await Promise.all([stopServer(server, 0), admin.close()]);
  }
});
