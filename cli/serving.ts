/** What the servers' verbs share: a JSON file in, one line out when ready, and an orderly end. */
import { reasonOf } from '../core/lib/reason';
import { systemClock } from '../platform/clock';
import { readJsonIfThere } from '../platform/files';
import { UsageError, type CommandContext, type ExitCode } from './command';
import type { Values } from './values';

/** The parsed file of `--config`. Its form is the server's to check. */
export async function configGiven(values: Values): Promise<unknown> {
  const file = values.need('config');
  let parsed: unknown;
  try {
    parsed = await readJsonIfThere(file);
  } catch (error) {
    throw new UsageError(reasonOf(error));
  }
  if (parsed === null) throw new UsageError(`there is no configuration file \`${file}\``);
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new UsageError(`${file} has to hold one JSON object`);
  return parsed;
}

/** Why a server cannot start is said in one line: a port that is taken and a folder that is held are no bugs. Bugs keep their stack. */
export async function started<T>(starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const bug =
      !(error instanceof Error) || error instanceof TypeError || error instanceof RangeError || error.message.startsWith('internal: ');
    throw bug ? error : new UsageError(error.message.split('\n').join(' '));
  }
}

/** A Ctrl-C comes to every process of a terminal's group, and whoever started one passes it on: so soon after the first it is the same wish. */
const sameWishMs = 1_000;

/**
 * Tells of the first SIGTERM or SIGINT. What comes after it does not cut the end short, or what was started would be left behind: a supervisor asks
 * a child that heard the terminal's signal already, and insists by SIGKILL. Only another Ctrl-C, later, ends at once. Answers how to listen no more.
 */
export function onStop(stop: (signal: NodeJS.Signals) => void): () => void {
  let first: number | null = null;
  const heard = (signal: NodeJS.Signals): void => {
    if (first === null) {
      first = performance.now();
      stop(signal);
    } else if (signal === 'SIGINT' && performance.now() - first >= sameWishMs) process.exit(2);
  };
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, heard);
  return () => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.off(name, heard);
  };
}

/** Serves until it is to stop, then closes. Ready is one line on stdout: `{"ready":true,...}` with the addresses, which a supervisor reads. */
export async function serveUntilStopped(
  context: CommandContext,
  server: { close(): Promise<void> },
  ready: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  // Whoever read what we say may be gone when we are to end (a supervisor that was killed): that is no reason to end without closing.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    onStop(resolve);
    // Last: whoever reads it may send a signal at once.
    process.stdout.write(`${JSON.stringify({ ready: true, ...ready })}\n`);
  });
  context.out.note(JSON.stringify({ level: 'info', time: new Date(systemClock.now()).toISOString(), signal, msg: 'closing' })); // as the server's own log
  await server.close();
  return 0;
}
