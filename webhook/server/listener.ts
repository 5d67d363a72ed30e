/** The HTTPS listener: its limits, the certificate it changes without closing, and an end that fails nobody. */
import * as https from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CertificateSource } from './certificate';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly certificate: CertificateSource;
  /** PEM of what a client's certificate has to verify against; null: none is asked for. */
  readonly clientCa: string | null;
  readonly connections: number;
  /** Milliseconds for a whole request to arrive. */
  readonly requestMs: number;
}
export interface Listener {
  readonly url: string;
  /** Takes no more connections, lets what is under way finish, and ends the idle ones. */
  close(): Promise<void>;
}

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
      headersTimeout: Math.min(5_000, options.requestMs),
      keepAliveTimeout: 90_000,
      connectionsCheckingInterval: 1_000,
      handshakeTimeout: 10_000,
      maxHeaderSize: 16_384,
    },
    app,
  );
  server.maxConnections = options.connections;
  options.certificate.onChange((pair) => server.setSecureContext(secure(pair)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    url: `https://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
