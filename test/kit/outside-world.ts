/** Servers that are no part of the mesh, by names that lead to this machine (`*.localhost`), and what they saw. */
import * as http from 'node:http';
import * as https from 'node:https';
import type * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { testAuthority, type TestAuthority } from './certificates';

export interface SeenOutside {
  /** The server name asked for; empty: in the clear. */
  readonly sni: string;
  readonly host: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}
export interface OutsideWorld {
  readonly authority: TestAuthority;
  readonly seen: SeenOutside[];
  /** Handshakes that the client broke off. */
  refusals(): number;
  /** HTTP in the clear. Answers with its port. */
  plain(): Promise<number>;
  /** HTTP over TLS, with a certificate for these names. */
  secure(hosts: readonly string[]): Promise<number>;
  /** Any server, at an address of loopback; `port` 0: any number. */
  listens(server: net.Server, host?: string, port?: number): Promise<number>;
  forget(): void;
  close(): void;
}

export async function openOutsideWorld(): Promise<OutsideWorld> {
  const authority = await testAuthority('outside.test');
  const seen: SeenOutside[] = [];
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  let refusals = 0;
  const answers: http.RequestListener = (asked, response) => {
    const { socket } = asked;
    const sni = 'servername' in socket ? String((socket as TLSSocket).servername) : ''; // decoding: a TLS server's sockets are TLS sockets
    seen.push({ sni, host: asked.headers.host ?? '', url: asked.url ?? '', headers: asked.headers });
    response.end('from outside');
  };
  const listens = async (server: net.Server, host = '127.0.0.1', port = 0): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
    return (server.address() as AddressInfo).port; // decoding: it listens by TCP
  };
  return {
    authority,
    seen,
    refusals: () => refusals,
    listens,
    plain: () => listens(http.createServer(answers)),
    async secure(hosts) {
      const { key, chain } = await authority.serving(hosts);
      const server = https.createServer({ key, cert: chain }, answers);
      server.on('tlsClientError', () => void (refusals += 1));
      return listens(server);
    },
    forget() {
      seen.length = 0;
      refusals = 0;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}
