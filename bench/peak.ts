/** Preloaded into a measured process: its peak of resident memory on stderr, as it ends. */
if (process.env['MESHWRIGHT_PEAK'] === '1')
  process.once('exit', () => process.stderr.write(`peak ${Math.round(process.resourceUsage().maxRSS / 1024)}\n`));
