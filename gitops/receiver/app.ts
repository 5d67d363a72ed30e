/**
 * The loop's HTTP face, as a stack: what anybody may ask first, then the webhook (signature over the raw body), then what needs the operator's token.
 */
import { timingSafeEqual } from 'node:crypto';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { metricsHandler } from '../../platform/metrics';
import type { TurnResult } from '../reconcile/loop';
import type { GitopsStatus } from '../status/status';
import type { LoopMetrics } from './metrics';
import { bodyOf, rawBody } from './raw-body';
import { Deliveries, judgePush, signatureIsGood } from './push-event';

/** What the face needs of the loop behind it. */
export interface AppDeps {
  readonly branch: string;
  /** The server listens on loopback only: a request under any other host's name comes from a page that rebound its name to it, and is refused. */
  readonly loopback: boolean;
  /** Largest webhook body in bytes. */
  readonly bodyBytes: number;
  /** null: no webhook is accepted, polling only. */
  readonly webhookSecret: () => Promise<string | null>;
  /** Token of the operator's calls; null: they are refused. */
  readonly operatorToken: () => Promise<string | null>;
  readonly metrics: LoopMetrics;
  readonly ready: () => boolean;
  readonly status: () => Promise<GitopsStatus>;
  readonly pushed: () => void;
  readonly rollback: (request: { readonly to?: number; readonly reason: string }) => Promise<TurnResult>;
  readonly abort: (reason: string) => Promise<readonly Diagnostic[]>;
  readonly promote: () => Promise<readonly Diagnostic[]>;
  readonly retry: (commit: string | null) => Promise<void>;
}

/** Attaches a page of the caller's to the app: `app.get('/', ...)`. It comes after the loop's own paths. */
export type AttachStatusPage = (app: Express) => void;

const namesLoopback = (host: string | undefined): boolean => /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?$/i.test(host ?? '');

/** Makes the app; the caller listens. */
export function createApp(deps: AppDeps, attachStatusPage?: AttachStatusPage): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  if (deps.loopback) {
    app.use((request, response, next) => {
      if (namesLoopback(request.get('host'))) next();
      else response.status(421).json({ error: 'this server is asked for by the name of this machine only' });
    });
  }

  app.get('/healthz', (_request, response) => void response.type('text').send('ok\n'));
  app.get('/readyz', (_request, response) => {
    const ready = deps.ready();
    response
      .status(ready ? 200 : 503)
      .type('text')
      .send(ready ? 'ok\n' : 'not ready\n');
  });
  app.get('/metrics', metricsHandler(deps.metrics.metrics));
  app.get('/v1/status', async (_request, response) => void response.json(await deps.status()));

  const deliveries = new Deliveries();
  app.post('/hooks/push', rawBody(deps.bodyBytes), async (request, response) => {
    const secret = await deps.webhookSecret();
    const body = bodyOf(response);
    if (secret === null || !signatureIsGood(secret, body, request.get('x-hub-signature-256'))) {
      deps.metrics.delivery('unsigned');
      response.status(401).json({ error: 'the signature is missing or wrong' });
      return;
    }
    const verdict = judgePush(request.get('x-github-event'), body, deps.branch);
    if (verdict.kind === 'malformed') {
      deps.metrics.delivery('malformed');
      response.status(400).json({ error: verdict.reason });
      return;
    }
    if (verdict.kind === 'ignored') {
      deps.metrics.delivery('ignored');
      response.status(202).json({ ignored: verdict.reason });
      return;
    }
    if (!deliveries.isNew(request.get('x-github-delivery'))) {
      deps.metrics.delivery('duplicate');
      response.status(202).json({ ignored: 'delivered before' });
      return;
    }
    deps.metrics.delivery('accepted');
    response.status(202).json({ accepted: verdict.after });
    deps.pushed();
  });

  const operator = express.Router();
  operator.use(async (request: Request, response: Response, next: NextFunction) => {
    const token = await deps.operatorToken();
    if (token !== null && tokenIsGood(token, request.get('authorization'))) next();
    else response.status(401).set('www-authenticate', 'Bearer').json({ error: 'the operator token is missing or wrong' });
  });
  operator.use(express.json({ limit: 16 * 1024 }));
  operator.post('/rollout/rollback', async (request, response) => {
    const to: unknown = request.body?.to;
    if (to !== undefined && (typeof to !== 'number' || !Number.isSafeInteger(to) || to < 1)) {
      response.status(400).json({ error: '`to` is the generation of a release' });
      return;
    }
    const result = await deps.rollback({ ...(to === undefined ? {} : { to }), reason: reasonIn(request.body) });
    const done = result.kind === 'ended' && (result.outcome === 'live' || result.outcome === 'unchanged');
    const outcome = result.kind === 'ended' ? result.outcome : 'failed';
    response.status(done ? 200 : 409).json({ outcome, diagnostics: result.kind === 'idle' ? [] : result.diagnostics });
  });
  operator.post('/rollout/abort', async (request, response) => answer(response, await deps.abort(reasonIn(request.body))));
  operator.post('/rollout/promote', async (_request, response) => answer(response, await deps.promote()));
  operator.post('/reconcile', async (request, response) => {
    const retry: unknown = request.body?.retry;
    await deps.retry(typeof retry === 'string' && /^[0-9a-f]{40}$/.test(retry) ? retry : null);
    response.status(202).json({ accepted: true });
  });
  app.use('/v1', operator);

  attachStatusPage?.(app);
  app.use((_request, response) => void response.status(404).json({ error: 'there is nothing here' }));
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const status =
      typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number' ? error.status : 500;
    if (response.headersSent) return;
    response.status(status).json({ error: status < 500 ? 'the request cannot be read' : 'internal error' });
  });
  return app;
}

function reasonIn(body: unknown): string {
  const reason = typeof body === 'object' && body !== null && 'reason' in body && typeof body.reason === 'string' ? body.reason : '';
  return reason.replace(/\s+/g, ' ').trim().slice(0, 300) || 'no reason given';
}

function answer(response: Response, diagnostics: readonly Diagnostic[]): void {
  response.status(diagnostics.length === 0 ? 202 : 409).json({ accepted: diagnostics.length === 0, diagnostics });
}

function tokenIsGood(token: string, header: string | undefined): boolean {
  const [given, wanted] = [Buffer.from(header ?? ''), Buffer.from(`Bearer ${token}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
