/** The newest commit wins also over a roll-out that is stuck: the wait for it ends once no further proxy became active for a while and a newer commit is ready. */
import type { RolloutStatus } from '../../core/bundle/status';
import type { LoopDeps } from './deps';

export interface Superseding {
  readonly deps: Pick<LoopDeps, 'rolloutStatus' | 'abort'>;
  readonly monotonic: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly supersedeAfterMs: number;
  /** The newer commit that would go out, or null. Asked once the roll-out is stuck, and again after each such time. */
  readonly newer: () => Promise<string | null>;
  /** Told before the abort, so that it can be written down. */
  readonly decided: (by: string, waiting: string) => Promise<void>;
}

/** Watches a roll-out until the signal, and aborts it when it is stuck and a newer commit is ready. Ends after the abort. */
export async function superseding(parts: Superseding, signal: AbortSignal): Promise<void> {
  const { deps, monotonic, supersedeAfterMs } = parts;
  const progress = new Progress();
  let quietSince = monotonic();
  while (!signal.aborted) {
    await parts.sleep(Math.min(1_000, Math.max(20, supersedeAfterMs / 8)), signal).catch(() => undefined);
    if (signal.aborted) return;
    const status = await deps.rolloutStatus().catch(() => null);
    if (status?.kind !== 'ok' || progress.madeBy(status.value)) quietSince = monotonic();
    if (status?.kind !== 'ok' || monotonic() - quietSince < supersedeAfterMs) continue;
    const by = await parts.newer();
    if (by === null) {
      quietSince = monotonic();
      continue;
    }
    if (signal.aborted) return;
    await parts.decided(by, status.value.message);
    const aborted = await deps.abort(`commit ${by.slice(0, 12)} is ready, and no proxy became active for ${supersedeAfterMs} ms`);
    if (aborted.kind === 'ok') return;
    quietSince = monotonic();
  }
}

/** What counts as progress: a further step or wave, a further proxy active on the candidate. A hold is waited for on purpose. */
class Progress {
  private readonly active = new Set<string>();
  private furthest = '';

  madeBy({ state, step, wave, proxies }: RolloutStatus): boolean {
    const place = `${step ?? ''}/${wave ?? ''}`;
    let made = state !== 'rolling' || place !== this.furthest;
    this.furthest = place;
    for (const { instance, concerned, parts } of proxies) {
      const all = [parts.inbound, parts.outbound];
      const there = concerned && all.some((part) => part.set === 'candidate') && all.every((part) => part.phase === 'active');
      const key = `${place} ${instance}`;
      if (!there || this.active.has(key)) continue;
      this.active.add(key);
      made = true;
    }
    return made;
  }
}
