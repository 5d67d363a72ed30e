/**
 * Constant arrival: requests are sent when they are due, whether or not the ones before were answered. A closed loop would slow down with the server and
 * hide what waits (coordinated omission).
 */
export interface Arrivals {
  /** Resolves when all were sent (or it was stopped) and each `send` has settled. Rejects as the first of them did. */
  readonly finished: Promise<void>;
  /** Resolves when those that are under way now have settled. */
  settled(): Promise<void>;
  /** No more are sent; resolves with how many were, when each has settled. */
  stop(): Promise<number>;
}

/**
 * Calls `send` for 0, 1, 2 ... at a constant rate, with the moment it was due (`performance.now()`), until `total` were sent or it is stopped. While
 * `mostUnderWay` are under way none is sent: for those who measure nothing, and want a machine that is slow to be asked less, not to drown.
 */
export function constantArrival(
  perSecond: number,
  send: (index: number, due: number) => Promise<void>,
  { total = Number.POSITIVE_INFINITY, mostUnderWay = Number.POSITIVE_INFINITY } = {},
): Arrivals {
  const start = performance.now() + 50;
  const dueAt = (index: number): number => start + (index * 1000) / perSecond;
  const underWay = new Set<Promise<void>>();
  let stopped = false;
  let sent = 0;
  let failure: { readonly error: unknown } | null = null;
  const run = async (): Promise<void> => {
    while (sent < total && !stopped && failure === null) {
      for (const now = performance.now(); sent < total && dueAt(sent) <= now && underWay.size < mostUnderWay; sent += 1) {
        const one = send(sent, dueAt(sent)).catch((error: unknown) => {
          failure ??= { error };
        });
        underWay.add(one);
        void one.then(() => underWay.delete(one));
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      // what came meanwhile is read first: whoever stood still for a while would ask again on connections that were closed long ago
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(underWay);
    if (failure !== null) throw failure.error;
  };
  const finished = run();
  finished.catch(() => undefined); // told to whoever waits for it
  return {
    finished,
    async settled() {
      await Promise.all(underWay);
    },
    async stop() {
      stopped = true;
      await finished;
      return sent;
    },
  };
}
