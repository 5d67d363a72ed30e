/** Waiting for what comes about by itself: on a condition, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A limit against hanging, not a measurement: the machine may be busy, or stand still for a while. */
const limitMs = 180_000;
const everyMs = 10;

/** Resolves when it holds. Rejects when it never does, with what was waited for and what is `told` of it then. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, told: () => unknown = () => undefined): Promise<void> {
  for (const end = performance.now() + limitMs; !(await holds()); await sleep(everyMs)) {
    if (performance.now() < end) continue;
    const said = await told();
    throw new Error(`never so: ${what}${said === undefined ? '' : `\n${typeof said === 'string' ? said : JSON.stringify(said, null, 1)}`}`);
  }
}

/** Whether it was done: for what is tried until it can be. */
export const isDone = (attempt: Promise<unknown>): Promise<boolean> =>
  attempt.then(
    () => true,
    () => false,
  );
