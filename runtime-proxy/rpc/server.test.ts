import { ServerCredentials } from '@grpc/grpc-js';
import { bind, createServer, stopServer } from './server';

test.each(['127.0.0.1', '::1', '::'])('listens at %s, and says whose port is taken', async (host) => {
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
