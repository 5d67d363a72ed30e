import { randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { hostPort } from '../core/lib/host-port';
import type { Diagnostic, Outcome } from '../core/diagnostics/diagnostic';
import { gitops } from '../core/diagnostics/gitops';
import { systemClock, type Clock } from '../platform/clock';
import { listenHost } from '../platform/listen-host';
import { createLog, type Log } from '../platform/log';
import { readSecret } from '../platform/secret-file';
import { checkConfig, type GitopsConfig } from './config';
import { createApp, type AttachStatusPage } from './receiver/app';
import { loopMetrics } from './receiver/metrics';
import type { LoopDeps } from './reconcile/deps';
import { Driver } from './reconcile/driver';
import { openJournal } from './reconcile/journal';
import { lockState } from './reconcile/lock';
import { Loop, type TurnResult } from './reconcile/loop';
import { openStorage } from './reconcile/storage';
import { openHistory } from './rollout/history';
import { statusOf } from './status/status';
import { wire, type Wired } from './wiring/wire';

export interface GitopsOptions {
  readonly log?: Log;
  readonly clock?: Clock;
  readonly attachStatusPage?: AttachStatusPage;
  /** What makes the loop's dependencies of the configuration; default the real ones. */
  readonly wire?: typeof wire;
  /** After trouble that nothing but a restart repairs. Default: ends the process with code 2, for its supervisor to start it again. */
  readonly onFatal?: (error: unknown) => void;
}
export interface RunningGitops {
  /** `http://127.0.0.1:<port>`; the webhook is `/hooks/push` below it. */
  readonly url: string;
  /** Stops at once; what was in flight is taken up by the next start. */
  close(): Promise<void>;
}

/** A configuration that cannot be used, or a port that is taken; `diagnostics` say what to do. */
export class GitopsRefused extends Error {
  constructor(readonly diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((one) => `${one.code}: ${one.message}`).join('\n'));
    this.name = 'GitopsRefused';
  }
}

/** Starts the loop and its server. Rejects with `GitopsRefused`; trouble of the world outside is no reason to, it is in the status. */
export async function serveGitops(config: GitopsConfig, options: GitopsOptions = {}): Promise<RunningGitops> {
  demand(checkConfig(config));
  for (const file of [config.webhookSecretFile, config.operatorTokenFile, config.credentialsFile])
    if (file !== undefined) demand(await readSecret(file));
  const log = options.log ?? createLog('gitops');
  const clock = options.clock ?? systemClock;
  const branch = config.branch ?? 'main';
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  const lock = demand(await lockState(config.stateDir));
  const undo: (() => Promise<void>)[] = [() => lock.release()];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const journal = await openJournal(await openStorage(join(config.stateDir, 'journal')), { now: () => clock.now() });
    for (const one of journal.diagnostics) log.warn({ code: one.code }, one.message);
    const history = await openHistory(await openStorage(join(config.stateDir, 'history')));
    const wired: Wired = await (options.wire ?? wire)(config, { clock, log });
    undo.push(() => wired.close());
    const deps: LoopDeps = wired.deps;

    const metrics = loopMetrics(() => ({
      generation: journal.state.live?.generation ?? 0,
      quarantined: Object.keys(journal.state.quarantined).length,
      ready: driver.ready,
    }));
    const loop = new Loop(deps, journal, history, {
      monotonic: () => clock.monotonic(),
      convergeTimeoutMs: config.convergeTimeoutMs ?? 600_000,
      supersedeAfterMs: config.supersedeAfterMs ?? 30_000,
      sleep: (ms, signal) => clock.sleep(ms, { signal }),
      onLeg: metrics.leg,
      onOutcome: metrics.outcome,
    });
    const driver = new Driver(loop, {
      clock,
      random: () => randomInt(1 << 30) / (1 << 30),
      pollMs: config.pollMs ?? 60_000,
      backoffMs: { first: 500, longest: 60_000 },
      onTurn: (result) => logTurn(log, loop, result),
      onFatal: (error) => {
        log.fatal({ error }, 'the loop cannot go on');
        if (options.onFatal) options.onFatal(error);
        else process.exit(2);
      },
    });
    undo.push(() => driver.close());

    const app = createApp(
      {
        branch,
        loopback: isLoopback(config.listen?.host ?? '127.0.0.1'),
        bodyBytes: config.limits?.webhookBytes ?? 1 << 20,
        webhookSecret: secretOf(config.webhookSecretFile),
        operatorToken: secretOf(config.operatorTokenFile),
        metrics,
        ready: () => driver.ready,
        status: async () => {
          const mesh = await soon(clock, deps.rolloutStatus());
          return statusOf({
            repository: config.repositoryUrl,
            branch,
            environment: config.environment,
            ready: driver.ready,
            state: loop.state,
            releases: history.list(),
            trouble: [...journal.diagnostics, ...driver.trouble],
            mesh: mesh?.kind === 'ok' ? mesh.value : null,
          });
        },
        pushed: () => driver.wake('push'),
        rollback: (request) => driver.rollback(request),
        abort: async (reason) => refusals(await deps.abort(reason)),
        promote: async () => refusals(await deps.promote()),
        retry: async (commit) => {
          if (commit !== null) await loop.pardon(commit);
          driver.wake('retry');
        },
      },
      options.attachStatusPage,
    );
    const host = listenHost(config.listen?.host ?? '127.0.0.1');
    // A sender that is slow on purpose must not hold a connection.
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 }, app);
    server.maxConnections = 256;
    const port = await listen(server, host, config.listen?.port ?? 0);
    undo.push(async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    driver.start();
    log.info({ url: `http://${hostPort(host, port)}`, repository: config.repositoryUrl, branch }, 'the loop runs');
    return { url: `http://${hostPort(host, port)}`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

function demand<T>(outcome: Outcome<T>): T {
  if (outcome.value === undefined) throw new GitopsRefused(outcome.diagnostics);
  return outcome.value;
}

const secretOf = (file: string | undefined) => async (): Promise<string | null> =>
  file === undefined ? null : ((await readSecret(file)).value ?? null);

/** The status must not wait for a control plane that hangs. */
async function soon<T>(clock: Clock, answer: Promise<T>): Promise<T | null> {
  const given = new AbortController();
  const late = clock.sleep(1_000, { signal: given.signal, unref: true }).then(
    () => null,
    () => null,
  );
  return Promise.race([answer, late]).finally(() => given.abort());
}

const refusals = (result: { readonly kind: string; readonly diagnostics: readonly Diagnostic[] }): readonly Diagnostic[] =>
  result.kind === 'ok' ? [] : result.diagnostics;

function logTurn(log: Log, loop: Loop, result: TurnResult): void {
  if (result.kind === 'idle') return;
  const attempt = loop.state.attempts[0];
  const fields = { commit: attempt?.commit, legs: attempt?.legs, summary: attempt?.summary };
  if (result.kind === 'ended')
    log.info({ ...fields, outcome: result.outcome }, `commit ${attempt?.commit.slice(0, 12)}: ${result.outcome}`);
  for (const one of result.diagnostics) log.warn({ code: one.code, span: one.span }, one.message);
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'EADDRINUSE')
      throw new GitopsRefused([gitops.portTaken({ host, port })]);
    throw error;
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('internal: a TCP server without a port');
  return address.port;
}
