/** Something that is done at once the first time, and then as often as leaves half of the time for everything else. */
export function paced(run: () => void): { (): void; close(): void } {
  let timer: NodeJS.Timeout | null = null;
  let notBefore = 0;
  const now = (): void => {
    timer = null;
    const started = performance.now();
    try {
      run();
    } finally {
      const ended = performance.now();
      notBefore = ended + (ended - started);
    }
  };
  const ask = (): void => {
    if (timer !== null) return;
    const wait = notBefore - performance.now();
    if (wait <= 0) return now();
    timer = setTimeout(now, wait);
    timer.unref();
  };
  return Object.assign(ask, {
    close: () => {
      if (timer !== null) clearTimeout(timer);
    },
  });
}
