/** HTTP as the story's callers speak it: paths are sent as written, and a connection can be held open across a change. */
import { request as httpRequest, Agent as HttpAgent } from 'node:http';
import { request as httpsRequest, Agent as HttpsAgent } from 'node:https';

export interface Reply {
  readonly status: number;
  readonly body: string;
  /** The local port of the connection: the same number means the same connection. */
  readonly localPort: number | null;
}
export interface Identity {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly trustPem: string;
}
export interface Connection {
  send(host: string, path: string, method?: string): Promise<Reply>;
  close(): void;
}
const limitMs = 60_000;

/** One keep-alive connection (a pool of one), plain or with mutual TLS. */
export function connect(
  address: { readonly host: string; readonly port: number },
  tls?: { readonly identity?: Identity; readonly ca?: string; readonly serverName?: string },
): Connection {
  const agent = tls
    ? new HttpsAgent({
        keepAlive: true,
        maxSockets: 1,
        ...(tls.identity
          ? { cert: tls.identity.certificatePem, key: tls.identity.keyPem, ca: tls.identity.trustPem, checkServerIdentity: () => undefined }
          : {}),
        ...(tls.ca ? { ca: tls.ca } : {}),
        ...(tls.serverName ? { servername: tls.serverName } : {}),
      })
    : new HttpAgent({ keepAlive: true, maxSockets: 1 });
  return {
    send: (host, path, method = 'GET') =>
      new Promise((resolve, reject) => {
        const make = tls ? httpsRequest : httpRequest;
        const sent = make(
          { agent, host: address.host, port: address.port, path, method, headers: { host }, timeout: limitMs },
          (response) => {
            const localPort = response.socket.localPort ?? null;
            let body = '';
            response.setEncoding('utf8');
            response.on('data', (part: string) => (body += part));
            response.on('error', reject);
            response.on('end', () => resolve({ status: response.statusCode ?? 0, body, localPort }));
          },
        );
        sent.on('timeout', () => sent.destroy(new Error(`no answer from ${address.host}:${address.port} within ${limitMs} ms`)));
        sent.on('error', reject);
        sent.end();
      }),
    close: () => agent.destroy(),
  };
}

/** One request on a connection of its own. */
export async function once(
  address: { readonly host: string; readonly port: number },
  host: string,
  path: string,
  tls?: Parameters<typeof connect>[1],
  method = 'GET',
): Promise<Reply> {
  const connection = connect(address, tls);
  try {
    return await connection.send(host, path, method);
  } finally {
    connection.close();
  }
}

export interface Load {
  /** Replies by status; 0 is a connection that failed. */
  readonly counts: Readonly<Record<number, number>>;
  stop(): Promise<Readonly<Record<number, number>>>;
}

/** Steady traffic from `workers` connections until stopped; what failed is counted, never thrown. */
export function load(workers: number, pauseMs: number, send: (connection: Connection) => Promise<number>, open: () => Connection): Load {
  const counts: Record<number, number> = {};
  let stopped = false;
  const run = async (): Promise<void> => {
    let connection = open();
    while (!stopped) {
      let status = 0;
      try {
        status = await send(connection);
      } catch {
        connection.close();
        connection = open();
      }
      counts[status] = (counts[status] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    connection.close();
  };
  const running = Promise.all(Array.from({ length: workers }, run));
  return {
    counts,
    stop: async () => {
      stopped = true;
      await running;
      return counts;
    },
  };
}
