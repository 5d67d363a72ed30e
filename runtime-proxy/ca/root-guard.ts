/** Looks after the root in its Secret while the CA runs: what is deleted comes back, and a CA whose root is another one by now says so. */
import { reasonOf } from '../../core/lib/reason';
import type { Log } from '../../platform/log';
import type { KeptAuthority } from './root-secret';

export interface RootGuard {
  /** Why this CA is no longer the mesh's, one line; null while it is. It starts again to be it. */
  overtaken(): string | null;
  close(): void;
}

const everyMs = 2_000;

/** Looks now and then, until closed. An API server that does not answer says nothing. */
export function guardRoot({ look }: KeptAuthority, log: Log): RootGuard {
  let overtaken: string | null = null;
  let looking: Promise<void> = Promise.resolve();
  const once = async (): Promise<void> => {
    try {
      const seen = await look();
      if (seen.putBack) log.error('the Secret with the root was deleted, and was put back: find out who deletes it');
      if (seen.overtaken !== null && overtaken === null) log.error({ reason: seen.overtaken }, 'this CA is not the mesh’s any more');
      overtaken = seen.overtaken;
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'cannot look after the Secret with the root');
    }
  };
  const timer = setInterval(() => (looking = looking.then(once)), everyMs);
  timer.unref();
  return { overtaken: () => overtaken, close: () => clearInterval(timer) };
}
