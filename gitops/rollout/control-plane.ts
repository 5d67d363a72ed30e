/** The loop's view of the control plane's admin API: what is live, how far it is, abort and promote. */
import type { Bundle } from '../../core/bundle/bundle';
import type { SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { digestOfJson } from '../../core/lib/digest';
import type { Clock } from '../../platform/clock';
import { ok, refused, unavailable, type LegResult } from '../reconcile/deps';
import { readSecret } from '../secrets';

export interface ControlPlaneOptions {
  readonly adminUrl: string;
  /** 0600; read for each request. */
  readonly tokenFile: string;
  readonly clock: Clock;
  /** For one request; default 5,000 ms. */
  readonly timeoutMs?: number;
}
export interface ControlPlane {
  liveRelease(): Promise<LegResult<SignedRelease | null>>;
  status(): Promise<LegResult<RolloutStatus>>;
  abort(reason: string): Promise<LegResult<null>>;
  promote(): Promise<LegResult<null>>;
  /** Looks until the roll-out of a generation, or of a later one, is over. A control plane that is away for a while is waited for. */
  converge(generation: number, signal: AbortSignal): Promise<LegResult<RolloutStatus>>;
  /** Puts a bundle out without Pulumi: the objects it has not, then the release. */
  put(bundle: Pick<Bundle, 'objects' | 'release'>): Promise<LegResult<null>>;
}

const maxAnswer = 64 << 20;

/** A client; holds nothing open. */
export function controlPlane(options: ControlPlaneOptions): ControlPlane {
  const { adminUrl, tokenFile, clock } = options;
  const away = (reason: string): LegResult<never> => unavailable(gitops.controlPlaneUnreachable({ url: adminUrl, reason }));

  const ask = async (method: string, path: string, body?: unknown): Promise<LegResult<unknown>> => {
    const token = await readSecret(tokenFile);
    if (token.value === undefined) return unavailable(...token.diagnostics);
    try {
      const response = await fetch(new URL(path, adminUrl), {
        method,
        redirect: 'error',
        headers: { authorization: `Bearer ${token.value}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(options.timeoutMs ?? 5_000),
      });
      const text = await response.text();
      if (text.length > maxAnswer) return away('its answer is too large');
      if (response.status === 404) return ok(null);
      const value: unknown = text === '' ? null : JSON.parse(text);
      if (response.ok) return ok(value);
      const said = diagnosticsIn(value);
      if (response.status === 422 || response.status === 409)
        return refused(
          ...(said.length > 0 ? said : [gitops.controlPlaneUnreachable({ url: adminUrl, reason: `HTTP ${response.status}` })]),
        );
      return away(`HTTP ${response.status}`);
    } catch (error) {
      return away(reasonOf(error));
    }
  };
  const status = async (): Promise<LegResult<RolloutStatus>> => {
    const answer = await ask('GET', '/v1/status');
    if (answer.kind !== 'ok') return answer;
    return isStatus(answer.value) ? ok(answer.value) : away('its status is not of the documented form');
  };
  const act = async (verb: 'abort' | 'promote', body: unknown): Promise<LegResult<null>> => {
    const now = await status();
    if (now.kind !== 'ok') return now;
    if (now.value.state !== 'rolling' && now.value.state !== 'holding')
      return refused(gitops.nothingRolls({ verb, state: now.value.state }));
    const answer = await ask('POST', `/v1/rollout/${verb}`, body);
    return answer.kind === 'ok' ? ok(null) : answer;
  };

  return {
    liveRelease: async () => {
      const answer = await ask('GET', '/v1/release');
      if (answer.kind !== 'ok') return answer;
      if (answer.value === null) return ok(null);
      return isSignedRelease(answer.value) ? ok(answer.value) : away('its release is not of the documented form');
    },
    status,
    abort: (reason) => act('abort', { reason }),
    promote: () => act('promote', {}),
    converge: async (generation, signal) => {
      const started = clock.monotonic();
      for (let pause = 20; ; pause = Math.min(pause * 1.3, 250)) {
        signal.throwIfAborted();
        const now = await status();
        if (now.kind === 'ok' && now.value.generation >= generation && isOver(now.value, clock.monotonic() - started)) return now;
        await clock.sleep(pause, { signal });
      }
    },
    put: async (bundle) => {
      for (const object of bundle.objects) {
        const there = await ask('GET', `/v1/objects/${object.digest}`);
        if (there.kind === 'unavailable') return there;
        if (there.kind === 'ok' && there.value !== null) continue;
        const answer = await ask('PUT', `/v1/objects/${object.digest}`, object);
        if (answer.kind !== 'ok') return answer;
      }
      const answer = await ask('PUT', '/v1/release', bundle.release);
      return answer.kind === 'ok' ? ok(null) : answer;
    },
  };
}

/** A control plane that sees no proxy is given a moment: they may be on their way back to it. */
function isOver(status: RolloutStatus, waitedMs: number): boolean {
  switch (status.state) {
    case 'converged':
    case 'aborted':
    case 'idle':
      return true;
    case 'unproven':
      return waitedMs >= 1_500 && !status.proxies.some((proxy) => proxy.connected);
    case 'rolling':
    case 'holding':
      return false;
  }
}

function diagnosticsIn(value: unknown): readonly Diagnostic[] {
  if (typeof value !== 'object' || value === null || !('diagnostics' in value) || !Array.isArray(value.diagnostics)) return [];
  return value.diagnostics.filter(
    (one: unknown): one is Diagnostic =>
      typeof one === 'object' && one !== null && 'code' in one && 'message' in one && typeof one.message === 'string',
  );
}

function isStatus(value: unknown): value is RolloutStatus {
  return (
    typeof value === 'object' &&
    value !== null &&
    'state' in value &&
    typeof value.state === 'string' &&
    'generation' in value &&
    typeof value.generation === 'number'
  );
}

/** Its signature was verified by the control plane when it took it; here the digest is made anew, so that `parent` is right. */
function isSignedRelease(value: unknown): value is SignedRelease {
  return (
    typeof value === 'object' &&
    value !== null &&
    'release' in value &&
    'digest' in value &&
    'jws' in value &&
    value.digest === digestOfJson(value.release)
  );
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it took too long';
  return error.cause instanceof Error ? error.cause.message : error.message;
}
