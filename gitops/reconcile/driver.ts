import type { Clock } from '../../platform/clock';
import { jittered } from '../../platform/jitter';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { Loop, RollbackRequest, TurnResult } from './loop';
import type { Trigger } from './state';

export interface DriverOptions {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Time between two looks at the branch when no push is told; moved by up to a tenth each way so that many loops do not knock together. */
  readonly pollMs: number;
  /** First and longest pause after trouble. */
  readonly backoffMs: { readonly first: number; readonly longest: number };
  /** After trouble that no pause repairs: the journal cannot be written. */
  readonly onFatal: (error: unknown) => void;
  readonly onTurn?: (result: TurnResult) => void;
}

/** What is told of several reasons for one turn. */
const urgency: readonly Trigger[] = ['poll', 'start', 'push', 'retry'];

/** Decides when a turn of the loop is due: at the start, on a push (bursts are one turn), on a poll, on request; with growing pauses after trouble. */
export class Driver {
  private due: Trigger | null = 'start';
  private readonly requests: { readonly request: RollbackRequest; readonly answer: (result: TurnResult) => void }[] = [];
  private wakeUp: (() => void) | null = null;
  private closed = false;
  private failures = 0;
  private recovered = false;
  private lastTrouble: readonly Diagnostic[] = [];
  private running: Promise<void> | null = null;

  constructor(
    private readonly loop: Loop,
    private readonly options: DriverOptions,
  ) {}

  /** Whether the loop knows what is live and could read the repository at its last look. */
  get ready(): boolean {
    return this.recovered && this.failures === 0 && !this.closed;
  }

  /** What is in the way right now, if anything. */
  get trouble(): readonly Diagnostic[] {
    return this.lastTrouble;
  }

  start(): void {
    this.running ??= this.run().catch((error: unknown) => {
      if (!this.closed) this.options.onFatal(error);
    });
  }

  /** A turn is due: at once, or as soon as the running one is over. Any number of calls until then are one. */
  wake(trigger: Trigger): void {
    if (this.due === null || urgency.indexOf(trigger) > urgency.indexOf(this.due)) this.due = trigger;
    this.loop.branchMayHaveMoved();
    this.wakeUp?.();
  }

  /** Rolls back after the running turn, before any other. */
  rollback(request: RollbackRequest): Promise<TurnResult> {
    return new Promise((answer) => {
      this.requests.push({ request, answer });
      this.wakeUp?.();
    });
  }

  /** Starts no further turn and ends the running one where it stands: its journal says where that was. Waits a little for what is on its way. */
  async close(): Promise<void> {
    this.closed = true;
    const stopped = this.loop.stop();
    this.wakeUp?.();
    for (const { answer } of this.requests.splice(0)) answer({ kind: 'retry', diagnostics: [] });
    const given = new AbortController();
    await Promise.race([this.running, this.options.clock.sleep(3_000, { signal: given.signal, unref: true }).catch(() => undefined)]);
    given.abort();
    await stopped;
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      const result = await this.next();
      if (result) {
        this.options.onTurn?.(result);
        this.failures = result.kind === 'retry' ? this.failures + 1 : 0;
        this.lastTrouble = result.kind === 'retry' ? result.diagnostics : [];
        // A commit that gave way did so for a newer one.
        if (result.kind === 'retry' || (result.kind === 'ended' && result.outcome === 'superseded')) this.due ??= 'poll';
      }
      if (this.closed) return;
      const busy = this.requests.length > 0 || (this.due !== null && this.failures === 0);
      if (!busy) await this.pause(this.failures > 0 ? this.backoff() : this.pollPause());
      this.due ??= 'poll';
    }
  }

  private async next(): Promise<TurnResult | null> {
    if (!this.recovered) {
      const result = await this.loop.recover();
      this.recovered = result.kind !== 'retry';
      return result;
    }
    const request = this.requests.shift();
    if (request) {
      const result = await this.loop.rollback(request.request);
      request.answer(result);
      // The caller has the answer; it is not tried again by itself.
      return result.kind === 'retry' ? null : result;
    }
    const trigger = this.due;
    this.due = null;
    return trigger ? this.loop.turn(trigger) : null;
  }

  private backoff(): number {
    const { first, longest } = this.options.backoffMs;
    return jittered(Math.min(longest, first * 2 ** (this.failures - 1)), this.options.random);
  }

  private pollPause(): number {
    return this.options.pollMs * (0.9 + this.options.random() / 5);
  }

  private async pause(ms: number): Promise<void> {
    const control = new AbortController();
    this.wakeUp = () => control.abort();
    if (this.closed || this.requests.length > 0) control.abort();
    await this.options.clock.sleep(ms, { signal: control.signal }).catch(() => undefined);
    this.wakeUp = null;
  }
}
