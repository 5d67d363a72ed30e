/**
 * Connections on which nobody asked anything yet. Go's client opens one, sends its request on another that became free meanwhile, and keeps the first for later. To
 * Node it is a request that does not arrive: it says 408, and whoever asks at that very moment takes it for the answer. So they are kept, as idle ones are.
 */
import type { Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

export interface SilentConnections {
  /** Ends those that were let wait: for when there is no room left. */
  endIdle(): void;
  /** Ends all of them, and none on which somebody has begun to ask. */
  endAll(): void;
}

/** `idleMs`: for how long one may wait, where there is room. The server's own time for a request that has begun is not changed by this. */
export function silentConnections(server: Server, idleMs: number, isCrowded: () => boolean): SilentConnections {
  const silent = new Set<Duplex>();
  const waiting = new Set<Duplex>();
  const answering = new Set<Duplex>();
  server.on('secureConnection', (socket) => {
    silent.add(socket);
    socket.once('close', () => {
      silent.delete(socket);
      waiting.delete(socket);
    });
  });
  server.on('request', ({ socket }, response) => {
    silent.delete(socket);
    waiting.delete(socket);
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.on('clientError', (error: Error & { readonly code?: string }, socket) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isUnused(socket)) {
      if (isCrowded()) return void socket.destroy();
      socket.setTimeout(idleMs);
      waiting.add(socket);
      return;
    }
    // As Node does without a listener (https://nodejs.org/api/http.html#event-clienterror).
    if (socket.writable && !answering.has(socket) && error.code !== 'ECONNRESET') {
      const status = error.code === undefined ? undefined : statuses.get(error.code);
      socket.write(`HTTP/1.1 ${status ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
    }
    socket.destroy(error);
  });
  const isUnused = (socket: Duplex): socket is TLSSocket => silent.has(socket) && 'bytesRead' in socket && socket.bytesRead === 0;
  const end = (sockets: Iterable<Duplex>): void => {
    for (const socket of sockets) socket.destroy();
  };
  return { endIdle: () => end(waiting), endAll: () => end([...silent].filter(isUnused)) };
}

const statuses: ReadonlyMap<string, string> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
]);
