/** Waiting for what comes about by itself: on a condition, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves once it holds. Rejects with what did not come about after two minutes: a limit against hanging, not a measurement. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 120_000; !(await holds());) {
    if (performance.now() > end) throw new Error(`not so after two minutes: ${what}`);
    await sleep(10);
  }
}
