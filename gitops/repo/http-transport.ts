/** isomorphic-git's transport with what it lacks: limits of time and size, no redirects, credentials in a header that never leaves for another host. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { reasonOf } from '../../core/lib/reason';
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';

export interface TransportLimits {
  /** Longest time for one whole answer. */
  readonly timeoutMs: number;
  /** Largest answer; the pack is one answer. */
  readonly packBytes: number;
}
export class TransportError extends Error {
  constructor(
    readonly reason: 'timeout' | 'size' | 'redirect' | 'auth' | 'status' | 'network',
    message: string,
    readonly status = 0,
  ) {
    super(message);
    this.name = 'TransportError';
  }
}

export interface Transport extends HttpClient {
  /** The trouble of the exchange that ran last: isomorphic-git takes a stream that broke for one that ended, and reports something else. */
  takeFailure(): TransportError | null;
}

/** The plugin for one repository. `authorization` is asked for each request, so that a rotated token is taken up. */
export function httpTransport(limits: TransportLimits, authorization: () => Promise<string | null>): Transport {
  let failure: TransportError | null = null;
  const failed = (error: TransportError): TransportError => {
    failure ??= error;
    return error;
  };
  return {
    takeFailure: () => {
      const was = failure;
      failure = null;
      return was;
    },
    request: async (options: GitHttpRequest): Promise<GitHttpResponse> => {
      const url = new URL(options.url);
      const body = options.body ? await gather(options.body) : null;
      const secret = await authorization();
      const started = performance.now();
      const response = await send(url, options, body, secret, limits.timeoutMs).catch((error: unknown) => {
        throw failed(transportErrorOf(error, limits.timeoutMs));
      });
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        response.destroy();
        if (status >= 300 && status < 400) throw failed(new TransportError('redirect', `HTTP ${status}`, status));
        if (status === 401 || status === 403) throw failed(new TransportError('auth', `HTTP ${status}`, status));
        throw failed(new TransportError('status', `HTTP ${status}`, status));
      }
      return {
        url: options.url,
        method: options.method ?? 'GET',
        statusCode: status,
        statusMessage: response.statusMessage ?? '',
        headers: Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
        body: capped(response, limits, started, failed),
      };
    },
  };
}

async function gather(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function send(url: URL, options: GitHttpRequest, body: Buffer | null, secret: string | null, timeoutMs: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = make(url, {
      method: options.method ?? 'GET',
      headers: {
        ...options.headers,
        ...(body ? { 'content-length': String(body.length) } : {}),
        ...(secret ? { authorization: secret } : {}),
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    request.once('response', resolve);
    request.once('error', (error) => reject(error));
    request.end(body ?? undefined);
  });
}

async function* capped(
  response: IncomingMessage,
  limits: TransportLimits,
  started: number,
  failed: (error: TransportError) => TransportError,
): AsyncIterableIterator<Uint8Array> {
  let size = 0;
  const timer = setTimeout(
    () => response.destroy(new TransportError('timeout', `no end after ${limits.timeoutMs} ms`)),
    Math.max(0, limits.timeoutMs - (performance.now() - started)),
  );
  try {
    for await (const chunk of response) {
      size += chunk.length;
      if (size > limits.packBytes) throw new TransportError('size', `more than ${limits.packBytes} bytes`);
      yield chunk;
    }
  } catch (error) {
    throw failed(transportErrorOf(error, limits.timeoutMs));
  } finally {
    clearTimeout(timer);
    response.destroy();
  }
}

function transportErrorOf(error: unknown, timeoutMs: number): TransportError {
  if (error instanceof TransportError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'AbortError' || name === 'TimeoutError') return new TransportError('timeout', `no answer within ${timeoutMs} ms`);
  return new TransportError('network', reasonOf(error));
}
