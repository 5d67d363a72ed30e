/**
 * Constant arrival: requests are sent when they are due, whether or not the ones before were answered. A closed loop would slow down with the server and
 * hide what waits (coordinated omission).
 */
export interface Arrivals {
  /** Resolves when all were sent (or it was stopped) and each `send` has settled. Rejects as the first of them does. */
  readonly finished: Promise<void>;
  /** Resolves when those that are under way now have settled. */
  settled(): Promise<void>;
  /** No more are sent; resolves with how many were, when each has settled. */
  stop(): Promise<number>;
}

/** Calls `send` for 0, 1, 2 ... at a constant rate, with the moment it was due (`performance.now()`), until `total` were sent or it is stopped. */
export function constantArrival(
  perSecond: number,
  send: (index: number, due: number) => Promise<void>,
  total = Number.POSITIVE_INFINITY,
): Arrivals {
  const start = performance.now() + 50;
  const dueAt = (index: number): number => start + (index * 1000) / perSecond;
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  let sent = 0;
  const run = async (): Promise<void> => {
    let failed: (error: unknown) => void = () => undefined;
    const failure = new Promise<never>((_, reject) => (failed = reject));
    failure.catch(() => undefined); // it is raced below
    while (sent < total && !stopped) {
      for (const now = performance.now(); sent < total && dueAt(sent) <= now; sent += 1) {
        const one = send(sent, dueAt(sent));
        underWay.add(one);
        one.catch(failed).finally(() => underWay.delete(one));
      }
      await Promise.race([new Promise((resolve) => setTimeout(resolve, 1)), failure]);
    }
    await Promise.race([Promise.all(underWay), failure]);
  };
  const finished = run();
  return {
    finished,
    async settled() {
      await Promise.allSettled(underWay);
    },
    async stop() {
      stopped = true;
      await finished;
      return sent;
    },
  };
}
