/**
 * A file that is read again when it changes. A mounted Secret changes by a swap of links, which no watch reports in the same way everywhere, so the
 * file is looked at now and then; what cannot be used any more leaves the last good value in force, and is said.
 */
import type { Log } from '../../platform/log';

export interface Followed<T> {
  /** The last good value. */
  current(): T;
  /** How many good values there were: rises with each change. */
  version(): number;
  /** Why the newest form cannot be used; null while it can. */
  problem(): string | null;
  /** Looks now. */
  look(): Promise<void>;
  close(): void;
}
export interface FollowOptions<T> {
  /** For messages: `the trust root /etc/.../trust.json`. */
  readonly what: string;
  /** The file's text, or of several files; throws with one line when it cannot be had. */
  readonly read: () => Promise<string>;
  /** Throws with one line when the text cannot be used. */
  readonly parse: (text: string) => T | Promise<T>;
  readonly everyMs?: number;
  readonly log: Log;
  readonly onChange?: (value: T) => void;
}

/** Reads and follows. Rejects with one line when there is no good value to begin with. */
export async function followFile<T>({ what, read, parse, everyMs = 2_000, log, onChange }: FollowOptions<T>): Promise<Followed<T>> {
  let text = await read().catch((error: unknown) => {
    throw new Error(`${what}: ${lineOf(error)}`);
  });
  let value: T;
  try {
    value = await parse(text);
  } catch (error) {
    throw new Error(`${what}: ${lineOf(error)}`, { cause: error });
  }
  let version = 1;
  let problem: string | null = null;
  let refused: string | null = null;
  const fail = (why: string): void => {
    if (problem !== why) log.error({ what }, `${what} cannot be used, the last good one stays: ${why}`);
    problem = why;
  };
  const look = async (): Promise<void> => {
    try {
      const now = await read();
      if (now === text) {
        problem = refused = null;
        return;
      }
      if (now === refused) return;
      refused = now;
      const next = await parse(now);
      text = now;
      value = next;
      version += 1;
      problem = refused = null;
      log.info({ what }, `${what} was read again`);
      onChange?.(next);
    } catch (error) {
      fail(lineOf(error));
    }
  };
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, everyMs);
  timer.unref();
  return {
    current: () => value,
    version: () => version,
    problem: () => problem,
    look: () => (looking = looking.then(look)),
    close: () => clearInterval(timer),
  };
}

export const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n').join(' ');
