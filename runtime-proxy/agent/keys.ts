/** The keys of issuers for one Envoy, on a unix socket that only this user reaches: what the control plane said last stays until it says something else. */
import * as http from 'node:http';
import type { Log } from '../../platform/log';

export interface KeysServer {
  /** By the address that the issuer has them at. Those that are not in it stay as they are. */
  set(keys: { readonly [url: string]: string }): void;
  close(): Promise<void>;
}
/**
 * Envoy waits for them while it brings a listener up, and for no more than five seconds. So long a wait is there once for an address: whoever comes later, with a
 * token in hand, is told at once that there are none.
 */
const patienceMs = 4_000;
const mostAddresses = 64;

/** Serves on `socket`, by the host and path that Envoy asks for. */
export async function serveKeys(socket: string, log: Log): Promise<KeysServer> {
  const keys = new Map<string, string>();
  const waiting = new Set<() => void>();
  const firstAsked = new Map<string, number>();
  const answer = (response: http.ServerResponse, text: string): void =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  const server = http.createServer((request, response) => {
    const url = addressOf(request);
    const known = keys.get(url);
    if (request.method !== 'GET') return void response.writeHead(405).end();
    if (known !== undefined) return answer(response, known);
    const now = performance.now();
    const first = firstAsked.get(url) ?? now;
    if (firstAsked.size < mostAddresses) firstAsked.set(url, first);
    const look = (): void => {
      const text = keys.get(url);
      if (text === undefined) return;
      leave();
      answer(response, text);
    };
    const late = setTimeout(
      () => {
        leave();
        log.debug({ url }, "no keys of an issuer yet: none of its users' tokens is valid");
        response.writeHead(503).end();
      },
      Math.max(0, first + patienceMs - now),
    );
    late.unref();
    const leave = (): void => {
      clearTimeout(late);
      waiting.delete(look);
    };
    waiting.add(look);
    response.on('close', leave);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return {
    set(given) {
      for (const [url, text] of Object.entries(given)) keys.set(normal(url), text);
      for (const look of [...waiting]) look();
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
const addressOf = ({ headers: { host = '' }, url = '/' }: http.IncomingMessage): string => `https://${host}${url}`;
/** An address without a path is asked for as `/`. */
const normal = (url: string): string => (/^https:\/\/[^/]*$/.test(url) ? `${url}/` : url);
