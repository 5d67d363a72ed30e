import * as net from 'node:net';
import { freePorts } from './ports';

test('ports are free, all different, also between callers that have not listened yet', async () => {
  const ports = (await Promise.all([freePorts(20), freePorts(20), freePorts(20)])).flat();
  expect(new Set(ports).size).toBe(60);
  const servers = await Promise.all(
    ports.map(
      (port) =>
        new Promise<net.Server>((resolve, reject) => {
          const server = net.createServer();
          server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

test('a host that is not of this machine is an error, not a search without end', async () => {
  await expect(freePorts(1, '203.0.113.9')).rejects.toThrow('EADDRNOTAVAIL');
});
