/** Preloaded into a measured process: its peak of resident memory (MiB) and its CPU time (s, all threads) on stderr, as it ends. */
if (process.env['MESHWRIGHT_PEAK'] === '1') {
  process.once('exit', () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
    process.stderr.write(`peak ${Math.round(maxRSS / 1024)} cpu ${((userCPUTime + systemCPUTime) / 1e6).toFixed(2)}\n`);
  });
}
