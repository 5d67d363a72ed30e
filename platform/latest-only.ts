/**
 * Runs one at a time, and of what is asked for meanwhile only the latest: whoever is overtaken is settled by the run that takes its place. For what is written
 * as a whole, over and over.
 */
export function latestOnly<T>(run: (value: T) => Promise<void>): (value: T) => Promise<void> {
  let waiting: { value: T; readonly done: Promise<void> } | null = null;
  let last: Promise<void> = Promise.resolve();
  return (value) => {
    if (waiting !== null) {
      waiting.value = value;
      return waiting.done;
    }
    const begin = async (): Promise<void> => {
      const next = waiting;
      waiting = null;
      if (next !== null) await run(next.value);
    };
    const done = last.then(begin, begin);
    waiting = { value, done };
    last = done;
    return done;
  };
}
