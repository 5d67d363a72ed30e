/** The HTTPS listener: its limits, the certificate it changes without closing, and an end that fails nobody. */
import * as https from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostPort } from '../../core/lib/host-port';
import { systemClock, type Clock } from '../../platform/clock';
import { listenHost } from '../../platform/listen-host';
import type { CertificateSource } from './certificate';
import { silentConnections } from './silent';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: CertificateSource;
  /** PEM of what a client's certificate has to verify against; null: none is asked for. */
  readonly clientCa: string | null;
  readonly connections: number;
  /** Milliseconds for a handshake, and for a whole request to arrive. */
  readonly requestMs: number;
  /** For the head of a request, if that is less. Default 5,000. */
  readonly headMs?: number;
  /** What it waits by when it ends. */
  readonly clock?: Clock;
}
export interface Listener {
  readonly url: string;
  /** Waits until nobody comes any more, takes no more connections, lets what is under way finish, and ends the idle ones. */
  close(): Promise<void>;
}

/** Without a new connection or a request for so long, nobody is sent here any more, and nobody has an idle connection that is about to be used. */
const quietMs = 500;
const longestWaitMs = 10_000;
/** The API server waits no longer for an answer (`timeoutSeconds` is at most 30). */
const longestAnswerMs = 30_000;
/** Longer than a client keeps an idle connection (Go's HTTP client, and with it the API server: 90 s): whoever asks ends it, never we under a request. */
const keepAliveMs = 180_000;

export async function listen(app: RequestListener, options: ListenerOptions): Promise<Listener> {
  const secure = (pair: { readonly cert: string; readonly key: string }): https.ServerOptions => ({
    ...pair,
    minVersion: 'TLSv1.2',
    ...(options.clientCa === null ? {} : { ca: options.clientCa }),
  });
  const server = https.createServer(
    {
      ...secure(options.certificate.current()),
      ...(options.clientCa === null ? {} : { requestCert: true, rejectUnauthorized: true }),
      requestTimeout: options.requestMs,
      headersTimeout: Math.min(options.headMs ?? 5_000, options.requestMs),
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: 1_000,
      handshakeTimeout: options.requestMs,
      maxHeaderSize: 16_384,
    },
    app,
  );
  server.maxConnections = options.connections;
  // The last free places are kept free: whoever holds a connection without asking anything loses it, or they could keep the API server out.
  let open = 0;
  const isCrowded = (): boolean => open > options.connections * 0.9;
  const silent = silentConnections(server, keepAliveMs, isCrowded);
  const makeRoom = (): void => {
    server.closeIdleConnections();
    silent.endIdle();
  };
  server.on('connection', (socket) => {
    open += 1;
    socket.once('close', () => (open -= 1));
    if (isCrowded()) makeRoom();
  });
  // All places were taken before any of them was idle: whoever comes then is not let in, and does not count as a connection.
  server.on('drop', makeRoom);
  const clock = options.clock ?? systemClock;
  let cameLast = Number.NEGATIVE_INFINITY;
  server.on('connection', () => (cameLast = clock.monotonic()));
  server.on('request', () => (cameLast = clock.monotonic()));
  options.certificate.onChange((pair) => server.setSecureContext(secure(pair)));
  const host = listenHost(options.host);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    url: `https://${hostPort(host, port)}`,
    async close() {
      // Whoever is let in by the kernel, and not yet by us, is reset when the listening socket closes; an idle connection that is closed under a request fails it.
      const latest = clock.monotonic() + longestWaitMs;
      const stillComing = (): boolean => clock.monotonic() < Math.min(cameLast + quietMs, latest);
      do {
        while (stillComing()) await clock.sleep(quietMs / 5);
        // A process that stood still sees that time has passed before it sees what has arrived.
        await new Promise((resolve) => setImmediate(resolve));
      } while (stillComing());
      await new Promise<void>((resolve) => {
        const end = setTimeout(() => server.closeAllConnections(), longestAnswerMs);
        server.close(() => {
          clearTimeout(end);
          resolve();
        });
        server.closeIdleConnections();
        silent.endAll();
      });
    },
  };
}
