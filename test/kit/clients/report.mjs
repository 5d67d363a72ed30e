// Runs a client against the address in its arguments and prints one line of JSON: what it saw, or why it failed.
export async function report(run) {
  const [host, port, ...rest] = process.argv.slice(2);
  const limit = setTimeout(() => end({ error: 'time is up' }), 90_000);
  const end = (line) => {
    clearTimeout(limit);
    process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(0));
  };
  try {
    end({ ok: await run({ host, port: Number(port), rest }) });
  } catch (error) {
    end({ error: `${error?.code ?? ''} ${error?.message ?? error}`.trim() });
  }
}
