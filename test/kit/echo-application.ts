/**
 * An application for many protocols on one port: HTTP/1.1 and HTTP/2 without TLS. It answers with the request as it came, and keeps it for the test. Whatever
 * else it is asked for it speaks too: to a line it answers with one.
 */
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as tls from 'node:tls';

/** A request as it came to an application. */
export interface Arrival {
  /** What `x-case` said: which question of the test it belongs to. */
  readonly question: string;
  readonly instance: string;
  readonly port: string;
  readonly http: string;
  readonly method: string;
  /** Path and query as on the wire. */
  readonly path: string;
  readonly host: string;
  /** In order, names in lower case, bytes as latin1; without what names the connection. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** What every answer of it carries beside `x-app`. */
export const applicationHeaders = { 'content-type': 'text/plain', server: 'echo', 'x-served': 'yes' } as const;

export function echoApplication(
  place: { readonly instance: string; readonly port: string },
  onArrival: (arrival: Arrival) => void,
): net.Server {
  type Request = http.IncomingMessage | http2.Http2ServerRequest;
  type Response = http.ServerResponse | http2.Http2ServerResponse;
  const note = (request: Request, body: string): void => {
    const headers: (readonly [string, string])[] = [];
    for (let index = 0; index < request.rawHeaders.length; index += 2)
      headers.push([(request.rawHeaders[index] ?? '').toLowerCase(), request.rawHeaders[index + 1] ?? '']);
    const valueOf = (name: string): string => headers.find(([known]) => known === name)?.[1] ?? '';
    onArrival({
      question: valueOf('x-case'),
      ...place,
      http: request.httpVersion,
      method: request.method ?? '',
      path: request.url ?? '',
      host: valueOf(':authority') || valueOf('host'),
      headers: headers.filter(([name]) => !name.startsWith(':') && name !== 'host' && name !== 'x-case'),
      body,
    });
  };
  const answer = (request: Request, response: Response): void => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      note(request, Buffer.concat(chunks).toString('latin1'));
      response.setHeader('x-app', `${place.instance}/${place.port}`);
      for (const [name, value] of Object.entries(applicationHeaders)) response.setHeader(name, value);
      response.end('application');
    });
  };
  const one = http.createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, answer);
  one.on('upgrade', (request, socket) => {
    note(request, '');
    const headers = { ...applicationHeaders, 'x-app': `${place.instance}/${place.port}`, upgrade: request.headers.upgrade ?? '' };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n${lines.join('')}\r\n`);
    socket.on('data', () => socket.end('application\n'));
  });
  const two = http2.createServer(answer);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.unshift(first);
      (first.toString('latin1', 0, 3) === 'PRI' ? two : one).emit('connection', socket);
    });
  });
  server.on('close', () => {
    for (const socket of sockets) socket.destroy();
  });
  return server;
}

/** One for connections: to each line it answers with its name and the line; over TLS of its own with the server name it was asked for too. */
export function lineApplication(name: string, secure: { readonly key: string; readonly chain: string } | null): net.Server {
  const serve = (socket: net.Socket): void => {
    socket.on('error', () => undefined);
    socket.on('data', (line: Buffer) => {
      const asked = socket instanceof tls.TLSSocket && typeof socket.servername === 'string' ? `${socket.servername} ` : '';
      socket.write(`${name} ${asked}${line.toString('latin1')}`);
    });
  };
  if (secure === null) return net.createServer(serve);
  return tls.createServer({ key: secure.key, cert: secure.chain }, serve).on('tlsClientError', () => undefined);
}
