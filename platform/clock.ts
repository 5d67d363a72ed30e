/** Time as an argument: servers take a `Clock`, tests give one that they move by hand. */
export interface Clock {
  /** Milliseconds since the epoch, by the wall. */
  now(): number;
  /** Milliseconds from some fixed point, never backwards: for durations. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when aborted first. The timer does not keep the process alive on its own when `unref` is set. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal; readonly unref?: boolean }): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, { signal, unref = false } = {}) =>
    new Promise<void>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      if (unref) timer.unref();
      signal?.addEventListener('abort', stop, { once: true });
    }),
};

/** `2026-11-22`: the day in UTC, the form that `--as-of` and a Release's `asOf` have. */
export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
