/** Requests as bytes on a socket: no URL parser between the test and the proxy. And applications that say who they are. */
import * as http from 'node:http';
import type { Address } from '../../runtime-proxy/inventory';
import { dial, type DialOptions } from './dial';

export interface RawAnswer {
  readonly status: number;
  /** Several of one name joined by `,`. */
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** As lines: a name may come again. Bytes as latin1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** The protocol that the connection is asked to be upgraded to. Where it is, `said` is said, and the body of the answer is the line that comes back. */
  readonly upgrade?: string;
}
/** What is said in another protocol than HTTP. */
export const said = 'hello\n';

/** A limit against hanging, not a measurement. */
export const noAnswerMs = 60_000;

/** Sends one HTTP/1.1 request with its path untouched and reads the answer to the end. */
export async function sendRaw(
  to: Address,
  request: Omit<RawRequest, 'headers'> & { readonly headers: { readonly [name: string]: string } | RawRequest['headers'] },
  options: DialOptions = {},
): Promise<RawAnswer> {
  const socket = await dial(to, options);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.setTimeout(noAnswerMs, () => socket.destroy(new Error(`no answer to ${request.method} ${request.path}`)));
    let isUpgraded = false;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const text = Buffer.concat(chunks).toString('latin1');
      if (request.upgrade !== undefined && !isUpgraded && parse(text)?.status === 101) {
        isUpgraded = true;
        socket.write(said);
      }
      if (isUpgraded ? text.endsWith('\n') && !text.endsWith('\r\n') : isWhole(text, request.method)) socket.destroy(); // Envoy lingers before it closes
    });
    socket.once('error', reject);
    socket.once('close', () => {
      const answer = parse(Buffer.concat(chunks).toString('latin1'));
      if (answer) resolve(answer);
      else reject(new Error(`not an HTTP answer to ${request.method} ${request.path}`));
    });
    const headers = (isLines(request.headers) ? request.headers : Object.entries(request.headers)).filter(([name]) => name !== 'host');
    const lines = [
      `${request.method} ${request.path} HTTP/1.1`,
      `host: ${request.host}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(request.body === undefined ? [] : [`content-length: ${request.body.length}`]),
      ...(request.upgrade === undefined ? ['connection: close'] : ['connection: keep-alive, Upgrade', `upgrade: ${request.upgrade}`]),
      '',
    ];
    socket.write(Buffer.from(`${lines.join('\r\n')}\r\n${request.body ?? ''}`, 'latin1'));
  });
}

const isLines = (headers: unknown): headers is RawRequest['headers'] => Array.isArray(headers);

function parse(text: string): RawAnswer | null {
  const end = text.indexOf('\r\n\r\n');
  const [first, ...lines] = text.slice(0, end).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first ?? '')?.[1];
  if (end < 0 || status === undefined) return null;
  const headers: { [name: string]: string } = {};
  for (const line of lines) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    const value = line.slice(line.indexOf(':') + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  const rest = text.slice(end + 4);
  return { status: Number(status), headers, body: headers['transfer-encoding'] === 'chunked' ? unchunk(rest) : rest };
}
function isWhole(text: string, method: string): boolean {
  const answer = parse(text);
  if (!answer) return false;
  if (answer.headers['transfer-encoding'] === 'chunked') return method === 'HEAD' || text.endsWith('\r\n0\r\n\r\n');
  return method === 'HEAD' || answer.body.length >= Number(answer.headers['content-length'] ?? 0);
}
function unchunk(text: string): string {
  const size = Number.parseInt(text, 16);
  if (!(size > 0)) return '';
  const start = text.indexOf('\r\n') + 2;
  return text.slice(start, start + size) + unchunk(text.slice(start + size + 2));
}

export interface TestApps {
  /** Opens and closes ports so that exactly these listen. */
  listen(ports: Iterable<number>): Promise<void>;
  /** What came in so far, oldest first. */
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}
export interface SeenRequest {
  readonly port: number;
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}

/**
 * Applications on many ports in one process; each answers 200 with its port in `x-app` and what it saw as JSON. `x-delay-ms: 500` makes it slow,
 * `x-reply: {"name":"value"}` are headers that it answers with,
 * `x-fail: name:2` makes the first two requests of that name answer 503.
 */
export function testApps(): TestApps {
  const servers = new Map<number, http.Server>();
  const failures = new Map<string, number>();
  const seen: SeenRequest[] = [];
  const stop = (server: http.Server): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    seen,
    listen: async (ports) => {
      const wanted = new Set(ports);
      const old = [...servers].filter(([port]) => !wanted.has(port));
      for (const [port] of old) servers.delete(port);
      await Promise.all(old.map(([, server]) => stop(server)));
      const fresh = [...wanted].filter((port) => !servers.has(port));
      await Promise.all(
        fresh.map(
          (port) =>
            new Promise<void>((resolve, reject) => {
              const server = http.createServer((request, response) => {
                request.resume();
                seen.push({ port, method: request.method ?? '', url: request.url ?? '', headers: request.headers });
                response.setHeader('x-app', String(port));
                response.setHeader('content-type', 'application/json');
                const replies = JSON.parse(String(request.headers['x-reply'] ?? '{}')) as Record<string, string>; // a test's own
                for (const [name, value] of Object.entries(replies)) response.setHeader(name, value);
                const [fault = '', times = '0'] = String(request.headers['x-fail'] ?? '').split(':');
                const failed = failures.get(fault) ?? 0;
                if (failed < Number(times)) {
                  failures.set(fault, failed + 1);
                  response.statusCode = 503;
                }
                const body = JSON.stringify({ method: request.method, url: request.url, headers: request.headers });
                setTimeout(() => response.end(body), Number(request.headers['x-delay-ms'] ?? 0)).unref();
              });
              servers.set(port, server);
              server.once('error', reject).listen(port, '127.0.0.1', () => resolve());
            }),
        ),
      );
    },
    close: async () => {
      await Promise.all([...servers.values()].map(stop));
      servers.clear();
    },
  };
}
