/** Stands for a Service's address where there are no nodes: connections go to the backends in turn, past those that do not take them. */
import { connect, createServer, type Socket } from 'node:net';

export interface Balancer {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}
export interface Backend {
  readonly host: string;
  readonly port: number;
}
const connectMs = 1_000;

export async function startBalancer(host: string, backends: readonly Backend[]): Promise<Balancer> {
  let turn = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => client.destroy()).on('close', () => open.delete(client));
    turn += 1;
    const order = backends.map((_, index) => backends[(turn + index) % backends.length]).filter((one) => one !== undefined);
    void reach(order).then((backend) => {
      if (!backend) return client.destroy();
      if (client.destroyed) return backend.destroy();
      // When one side is gone the other has nothing more to say.
      backend.on('error', () => client.destroy()).on('close', () => client.destroy());
      client.on('close', () => backend.destroy());
      client.pipe(backend);
      return backend.pipe(client);
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const address = server.address();
  return {
    host,
    port: typeof address === 'object' && address ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** The first backend that takes a connection. */
async function reach(backends: readonly Backend[]): Promise<Socket | null> {
  for (const { host, port } of backends) {
    const socket = connect({ host, port });
    const good = await new Promise<boolean>((resolve) => {
      socket.setTimeout(connectMs, () => resolve(false));
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.setTimeout(0);
    socket.removeAllListeners('error').removeAllListeners('timeout');
    if (good) return socket;
    socket.on('error', () => undefined).destroy();
  }
  return null;
}
