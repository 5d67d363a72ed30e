/** The admin side of a server: HTTP and JSON on loopback, a bearer token, size and time limits. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import * as http from 'node:http';
import { hostPort } from '../../core/lib/host-port';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { reasonOf } from '../../core/lib/reason';
import { readTextIfThere, writeFileAtomic } from '../../platform/files';
import { listenHost } from '../../platform/listen-host';
import type { Log } from '../../platform/log';
import { DecodeError } from './decode';

export interface AdminRequest {
  /** The path's `:name` parts. */
  readonly params: { readonly [name: string]: string };
  readonly query: URLSearchParams;
  /** The parsed body; undefined when there is none. */
  readonly body: unknown;
}
export type AdminAnswer =
  | { readonly status: number; readonly json: unknown }
  | { readonly status: number; readonly text: string; readonly contentType: string }
  /** The route answers by itself, for as long as it likes. */
  | { readonly stream: (response: http.ServerResponse) => void };
export interface AdminRoute {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `/v1/objects/:digest`. */
  readonly path: string;
  /** Answered without a token: health and metrics. */
  readonly open?: true;
  readonly answer: (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;
}
export interface AdminServer {
  readonly url: string;
  close(): Promise<void>;
}

const maxBodyBytes = 16 * 1024 * 1024;

/** The token in a file (0600), made when there is none. Throws for a text that no header can carry: nobody could ever show it. */
export async function adminToken(file: string): Promise<string> {
  const there = (await readTextIfThere(file))?.trim();
  if (there !== undefined && there !== '') {
    if (/^[\x21-\x7e]{1,4096}$/.test(there)) return there;
    throw new Error(
      `${file} holds no token (one line of up to 4,096 visible ASCII characters): put it back, or remove it and start again for a new one`,
    );
  }
  const token = `mwa_${randomBytes(32).toString('base64url')}`;
  await writeFileAtomic(file, `${token}\n`, { mode: 0o600 });
  return token;
}

/** 422: what was sent was understood and is refused, with the diagnostics. */
export const refused = (diagnostics: readonly Diagnostic[], status = 422): AdminAnswer => ({ status, json: { diagnostics } });

/** Serves the routes. Rejects when the port is taken, with one line that says so. */
export async function serveAdmin(
  listen: { readonly host: string; readonly port: number },
  token: string,
  routes: readonly AdminRoute[],
  log: Log,
): Promise<AdminServer> {
  const wanted = hashOf(`Bearer ${token}`);
  const server = http.createServer({ requestTimeout: 30_000, headersTimeout: 10_000, maxHeaderSize: 16 * 1024 }, (request, response) => {
    answer(request, response, wanted, routes).catch((error: unknown) => {
      log.error({ err: error, path: request.url }, 'an admin request failed');
      if (!response.headersSent) send(response, { status: 500, json: { error: 'internal error' } });
      else response.destroy();
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await listening(server, listen);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  return {
    url: `http://${hostPort(listen.host, port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: http.Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`port ${port} on ${host} is taken: choose another, or end what listens there`, { cause: error })
          : error,
      ),
    );
    server.listen(port, listenHost(host), () => resolve());
  });
}

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  wanted: Buffer,
  routes: readonly AdminRoute[],
): Promise<void> {
  // What comes in place of a path may be anything, `//` among it, which is no address.
  const url = URL.parse(request.url ?? '/', 'http://admin');
  if (url === null) return send(response, { status: 400, json: { error: 'no such path' } });
  let pathKnown = false;
  for (const route of routes) {
    const params = match(route.path, url.pathname);
    if (params === null) continue;
    pathKnown = true;
    if (route.method !== request.method) continue;
    if (!route.open && !timingSafeEqual(wanted, hashOf(request.headers.authorization ?? '')))
      return send(response, { status: 401, json: { error: 'give the admin token as `Authorization: Bearer`' } });
    try {
      return send(response, await route.answer({ params, query: url.searchParams, body: await bodyOf(request) }));
    } catch (error) {
      if (error instanceof DecodeError) return send(response, { status: 400, json: { error: error.message } });
      throw error;
    }
  }
  send(response, pathKnown ? { status: 405, json: { error: 'method not allowed' } } : { status: 404, json: { error: 'no such path' } });
}

function send(response: http.ServerResponse, made: AdminAnswer): void {
  if ('stream' in made) return made.stream(response);
  const text = 'text' in made ? made.text : `${JSON.stringify(made.json)}\n`;
  response
    .writeHead(made.status, { 'content-type': 'text' in made ? made.contentType : 'application/json', 'cache-control': 'no-store' })
    .end(text);
}

async function bodyOf(request: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBodyBytes) throw new DecodeError(`the body is larger than ${maxBodyBytes} bytes`);
    chunks.push(bytes);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new DecodeError(`the body is not JSON: ${reasonOf(error)}`);
  }
}

function match(pattern: string, path: string): { readonly [name: string]: string } | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== text) return null;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(text);
    } catch {
      return null;
    }
  }
  return params;
}

// Hashed, so that the comparison takes the same time whatever was sent, its length included.
const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();
