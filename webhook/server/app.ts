/**
 * The HTTPS face, as a stack: who may speak at all, then one path for each kind of review, then nothing. Every path reads its body with the same limits
 * and answers before the time that the API server gives is over. An HTTP error is a failure to the API server, and failures deny.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import express, { type Express, type Request, type Response } from 'express';
import type { Clock } from '../../platform/clock';
import type { Log } from '../../platform/log';
import { parseReview, ReviewError, type Review } from '../review/review';
import { deadlineOf } from '../review/timeout';
import { readBody, refusedHead, type Budget } from './body';
import type { WebhookMetrics } from './metrics';

/** What a path answers with: the whole AdmissionReview. */
export interface Answer {
  readonly body: object;
  /** Called for the one answer that is sent. */
  readonly sent: () => void;
}
/** One path: `/v1/validate`. */
export interface Endpoint {
  readonly path: string;
  /** Decides. Whatever it throws is answered by `failed`. */
  readonly decide: (review: Review) => Promise<Answer>;
  /** The answer when there was no time to decide, or deciding failed. */
  readonly failed: (review: Review, why: 'late' | 'internal') => Answer;
}
export interface AppDeps {
  readonly endpoints: readonly Endpoint[];
  readonly bodyBytes: number;
  readonly budget: Budget;
  /** Milliseconds when the API server names none. */
  readonly deadlineMs: number;
  /** Common names of client certificates that may ask; null: any that the TLS layer lets in. */
  readonly clientNames: readonly string[] | null;
  readonly metrics: WebhookMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** While it closes: the connection is not kept. */
  readonly closing: () => boolean;
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  const { clientNames } = deps;
  if (clientNames !== null) {
    app.use((request, response, next) => {
      if (clientNames.includes(commonNameOf(request) ?? '')) next();
      else refuse(response, 403, 'this certificate may not ask here');
    });
  }
  for (const endpoint of deps.endpoints) {
    app.post(endpoint.path, (request, response) => serve(endpoint, deps, request, response));
    app.all(endpoint.path, (_request, response) => refuse(response.setHeader('allow', 'POST'), 405, 'a review is posted'));
  }
  app.use((_request: Request, response: Response) => refuse(response, 404, 'there is nothing here'));
  return app;
}

async function serve(endpoint: Endpoint, deps: AppDeps, request: Request, response: Response): Promise<void> {
  const { metrics, clock, log } = deps;
  const began = clock.monotonic();
  const fail = (status: number, reason: string): void => {
    metrics.refused(endpoint.path, status);
    log.warn({ path: endpoint.path, status, reason }, 'a request was refused');
    // What is not read to its end cannot be followed by another request.
    response.setHeader('connection', 'close');
    // The API server then asks again by itself, within its own time.
    if (status === 503) response.setHeader('retry-after', '1');
    refuse(response, status, reason);
    response.once('finish', () => request.socket.destroySoon());
  };
  metrics.inFlight(1);
  response.once('close', () => metrics.inFlight(-1));
  const refused = refusedHead(request, deps.bodyBytes);
  if (refused) return fail(refused.status, refused.reason);
  const { body, release } = await readBody(request, deps.bodyBytes, deps.budget);
  try {
    if (body.kind === 'gone') return;
    if (body.kind === 'refused') return fail(body.status, body.reason);
    metrics.body(body.bytes.length);
    let review: Review;
    try {
      review = parseReview(body.bytes);
    } catch (error) {
      const reason = error instanceof ReviewError ? error.message : 'it cannot be read';
      return fail(400, `the body is no review: ${reason}`);
    }
    const deadline = deadlineOf(request.query['timeout'], deps.deadlineMs) - (clock.monotonic() - began);
    const answer = await withinTime(endpoint, review, deadline, log);
    send(response, answer, deps.closing());
    answer.sent();
    metrics.answered(endpoint.path, (clock.monotonic() - began) / 1_000);
  } finally {
    release();
  }
}

async function withinTime(endpoint: Endpoint, review: Review, ms: number, log: Log): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve(endpoint.failed(review, 'late')), Math.max(0, ms));
  });
  try {
    return await Promise.race([endpoint.decide(review), late]);
  } catch (error) {
    log.error({ err: error, uid: review.uid }, 'a review could not be decided');
    return endpoint.failed(review, 'internal');
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, { body }: Answer, closing: boolean): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': text.length,
    ...(closing ? { connection: 'close' } : {}),
  });
  response.end(text);
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  const text = Buffer.from(`${JSON.stringify({ error: reason })}\n`);
  // Whoever has no business here holds no connection either.
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length, connection: 'close' }).end(text);
}

function commonNameOf(request: IncomingMessage): string | null {
  const { socket } = request;
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : null;
}
