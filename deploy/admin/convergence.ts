/** Waits until the control plane says how a roll-out ended, telling each step of each proxy on the way. */
import type { ProxyStatus, RolloutStatus } from '../../core/bundle/status';
import { deploy } from '../../core/diagnostics/deploy';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { Clock } from '../../platform/clock';
import { AdminError, type AdminClient } from './client';

export interface Awaited {
  readonly digest: string;
  readonly generation: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** A line that stays: a proxy became active, a wave began. */
  readonly say: (line: string) => void;
  /** A line that the next one replaces: how far it is. */
  readonly show: (line: string) => void;
}
export type Ending = { readonly kind: 'converged' } | { readonly kind: 'unproven' | 'failed'; readonly diagnostic: Diagnostic };

/** Lines for single proxies are told up to this many; above it, only counts. */
const maxProxyLines = 64;
/** How long a control plane without any proxy is given to see one. */
const proofMs = 1_500;

/** A control plane that goes away meanwhile (it may be restarting) is asked again until the time is up. */
export async function awaitConvergence(client: AdminClient, awaited: Awaited): Promise<Ending> {
  const { generation, clock, timeoutMs } = awaited;
  const started = clock.monotonic();
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([awaited.signal, timeout]);
  const progress = new Progress(awaited);
  let lastWord = 'the control plane has not said anything yet';
  let trouble: string | undefined;
  while (!signal.aborted) {
    try {
      for await (const status of statuses(client, signal)) {
        trouble = undefined;
        lastWord = status.message === '' ? status.state : status.message;
        const ending = endingOf(status, awaited, clock.monotonic() - started);
        progress.take(status);
        if (ending) return ending;
      }
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof AdminError)) throw error;
      trouble = error.message;
      awaited.show(trouble);
    }
    await clock.sleep(150, { signal }).catch(() => undefined);
  }
  if (awaited.signal.aborted) {
    return {
      kind: 'failed',
      diagnostic: deploy.notConverged({
        generation,
        seconds: Math.round((clock.monotonic() - started) / 1000),
        waitingFor: 'waiting was cancelled',
      }),
    };
  }
  return {
    kind: 'failed',
    diagnostic: deploy.notConverged({ generation, seconds: Math.round(timeoutMs / 1000), waitingFor: trouble ?? lastWord }),
  };
}

/** The status now, then as it changes; ends after a while so that a watch that went deaf does not hold anybody up. */
async function* statuses(client: AdminClient, signal: AbortSignal): AsyncGenerator<RolloutStatus> {
  yield await client.status();
  const fresh = new AbortController();
  const timer = setTimeout(() => fresh.abort(), 1_000);
  try {
    yield* client.watch(AbortSignal.any([signal, fresh.signal]));
  } catch (error) {
    if (!fresh.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    fresh.abort();
  }
}

function endingOf(status: RolloutStatus, { digest, generation }: Awaited, waitedMs: number): Ending | undefined {
  if (status.release !== digest) {
    return status.generation > generation
      ? { kind: 'failed', diagnostic: deploy.superseded({ generation, by: status.generation }) }
      : undefined;
  }
  switch (status.state) {
    case 'converged':
    case 'idle':
      return { kind: 'converged' };
    case 'aborted':
      return { kind: 'failed', diagnostic: deploy.rolloutAborted({ generation, reason: abortReason(status) }) };
    case 'unproven':
      return status.proxies.some((proxy) => proxy.connected) || waitedMs < proofMs
        ? undefined
        : { kind: 'unproven', diagnostic: deploy.unproven({ generation }) };
    case 'rolling':
    case 'holding':
      return undefined;
  }
}

function abortReason(status: RolloutStatus): string {
  const message = status.message.replace(/^aborted\b[,:]? */, '');
  const rejected = status.proxies.find((proxy) => proxy.lastError !== null);
  if (!rejected || message.includes(rejected.instance)) return message;
  return `${message} (${rejected.instance}: ${rejected.lastError})`;
}

class Progress {
  private readonly told = new Map<string, string>();
  private wave = '';
  constructor(private readonly awaited: Awaited) {}

  take(status: RolloutStatus): void {
    if (status.release !== this.awaited.digest) return;
    const concerned = status.proxies.filter((proxy) => proxy.concerned);
    const wave =
      status.step === null ? '' : `step ${status.step + 1} of ${status.steps}${status.wave === null ? '' : `, wave ${status.wave + 1}`}`;
    if (wave !== '' && wave !== this.wave) this.awaited.say(wave);
    this.wave = wave === '' ? this.wave : wave;
    const few = concerned.length <= maxProxyLines;
    for (const proxy of few ? concerned : []) this.tell(proxy, status.state === 'converged');
    const active = concerned.filter((proxy) => phaseOf(proxy) === 'candidate active').length;
    const counts = concerned.length === 0 ? 'no proxy is concerned' : `${active} of ${concerned.length} proxies active`;
    this.awaited.show(`${[wave, counts].filter((part) => part !== '').join(', ')}${status.message === '' ? '' : `: ${status.message}`}`);
  }

  private tell(proxy: ProxyStatus, over: boolean): void {
    const phase = phaseOf(proxy);
    const before = this.told.get(proxy.instance);
    if (phase === before) return;
    this.told.set(proxy.instance, phase);
    const news = phase.startsWith('candidate') || phase.includes('rejected') || phase.includes('unknown') || before !== undefined;
    if (news && !(over && phase === 'stable active')) {
      this.awaited.say(
        `${proxy.instance}: ${phase}${proxy.lastError !== null && phase.includes('rejected') ? `: ${proxy.lastError}` : ''}`,
      );
    }
  }
}

const order = ['rejected', 'unknown', 'none', 'sent', 'acked', 'active'];
/** `candidate acked`: the candidate once any part has it, and the part that is furthest behind. */
function phaseOf(proxy: ProxyStatus): string {
  const parts = Object.values(proxy.parts);
  const set = parts.some((part) => part.set === 'candidate') ? 'candidate' : 'stable';
  const phases = parts.filter((part) => part.set === set).map((part) => part.phase);
  return `${set} ${order.find((phase) => phases.some((other) => other === phase)) ?? 'none'}`;
}
