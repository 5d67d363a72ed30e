/**
 * What a Service of Kubernetes does for TCP, on loopback: a new connection goes to one of the replicas that say they are ready, a connection that is open stays
 * where it is, and nothing is tried twice.
 */
import * as net from 'node:net';
import { freePorts } from '../../platform/ports';
import { plainGet } from './plain-get';

export interface BalancedReplica {
  readonly name: string;
  readonly port: number;
  /** Answers 200 when it is ready; asked every 100 ms. Two looks in a row that fail take it out, as our own readiness probe has it (deploy/install/servers.ts). */
  readonly readyUrl: string;
}
export interface Balancer {
  readonly port: number;
  isReady(name: string): boolean;
  /** What happened, a line each, `performance.now()` in front: who became ready and who no more and why, who was turned away. */
  history(): readonly string[];
  /** Where the connection of this client's port went, the latest one of that port. */
  replicaOf(clientPort: number): string | undefined;
  /** Connections that were given to each replica so far. */
  given(name: string): number;
  close(): Promise<void>;
}

const lookEveryMs = 100;
const failureThreshold = 2;
/** Never rejects. */
const lookAt = (url: string): Promise<{ readonly good: boolean; readonly said: string }> =>
  plainGet(url).then(
    ({ status, text }) => ({
      good: status === 200,
      said: [String(status), ...text.split('\n').filter((line) => line.startsWith('[-]'))].join(' '),
    }),
    (error: unknown) => ({ good: false, said: error instanceof Error ? error.message : String(error) }),
  );

export async function startBalancer(replicas: readonly BalancedReplica[]): Promise<Balancer> {
  const ready = new Set<string>();
  const routes = new Map<number, string>();
  const given = new Map<string, number>();
  const open = new Set<net.Socket>();
  const history: string[] = [];
  const note = (line: string): void => void history.push(`${performance.now().toFixed(0)} ${line}`);
  let turn = 0;
  let closed = false;

  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const candidates = replicas.filter(({ name }) => ready.has(name));
    turn += 1;
    const chosen = candidates[turn % candidates.length];
    if (chosen === undefined) {
      note(`nobody is ready: a connection of port ${client.remotePort} is reset`);
      client.resetAndDestroy();
      return;
    }
    if (client.remotePort !== undefined) routes.set(client.remotePort, chosen.name);
    given.set(chosen.name, (given.get(chosen.name) ?? 0) + 1);
    const upstream = net.connect({ host: '127.0.0.1', port: chosen.port, allowHalfOpen: true, noDelay: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.once('error', (error) => {
        note(`${socket === client ? 'client' : 'replica'}, port ${client.remotePort} to ${chosen.name}: ${error.message}`);
        other.resetAndDestroy();
      });
      socket.once('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const [port = 0] = await freePorts(1);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));

  const look = async ({ name, readyUrl }: BalancedReplica): Promise<void> => {
    for (let failures = 0; !closed;) {
      const asked = performance.now();
      const { good, said } = await lookAt(readyUrl);
      failures = good ? 0 : failures + 1;
      const isReady = good || (ready.has(name) && failures < failureThreshold);
      if (isReady !== ready.has(name) || failures === 1)
        note(`${name}: ${isReady ? 'ready' : 'not ready'}, asked at ${asked.toFixed(0)}: ${said}`);
      if (isReady) ready.add(name);
      else ready.delete(name);
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  };
  const looking = replicas.map(look);
  return {
    port,
    isReady: (name) => ready.has(name),
    history: () => history,
    replicaOf: (clientPort) => routes.get(clientPort),
    given: (name) => given.get(name) ?? 0,
    async close() {
      closed = true;
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(looking);
    },
  };
}
