/** The loop's view of the control plane's admin API: what is live, how far it is, abort and promote. */
import type { Bundle } from '../../core/bundle/bundle';
import type { SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import { gitops } from '../../core/diagnostics/gitops';
import { adminApi, type AdminAnswer, type AdminTarget } from '../../platform/admin-client/client';
import type { Clock } from '../../platform/clock';
import { ok, refused, unavailable, type LegResult } from '../reconcile/deps';

export interface ControlPlaneOptions extends AdminTarget {
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

/** A client; holds nothing open. */
export function controlPlane(options: ControlPlaneOptions): ControlPlane {
  const { adminUrl, clock } = options;
  const api = adminApi(options, { timeoutMs: options.timeoutMs ?? 5_000 });
  const legOf = <T>(answer: AdminAnswer<T>): LegResult<T> => {
    if (answer.kind === 'ok') return ok(answer.value);
    const { diagnostics, reason } = answer;
    const said = diagnostics.length > 0 ? diagnostics : [gitops.controlPlaneUnreachable({ url: adminUrl, reason })];
    // Of what it refuses, only a verdict on what was sent is one on the commit.
    return answer.kind === 'refused' && (answer.status === 422 || answer.status === 409) ? refused(...said) : unavailable(...said);
  };
  const done = <T>(answer: AdminAnswer<T>): LegResult<null> => {
    const result = legOf(answer);
    return result.kind === 'ok' ? ok(null) : result;
  };
  const status = async (): Promise<LegResult<RolloutStatus>> => legOf(await api.status());
  const act = async (verb: 'abort' | 'promote', body: unknown): Promise<LegResult<null>> => {
    const now = await status();
    if (now.kind !== 'ok') return now;
    if (now.value.state !== 'rolling' && now.value.state !== 'holding')
      return refused(gitops.nothingRolls({ verb, state: now.value.state }));
    return done(await api.ask('POST', `/v1/rollout/${verb}`, body));
  };

  return {
    liveRelease: async () => legOf(await api.release()),
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
        const there = legOf(await api.hasObject(object.digest));
        if (there.kind === 'unavailable') return there;
        if (there.kind === 'ok' && there.value) continue;
        const answer = done(await api.putObject(object));
        if (answer.kind !== 'ok') return answer;
      }
      return done(await api.putRelease(bundle.release));
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
