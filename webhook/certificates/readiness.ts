/** Whether the webhook may be asked, from one handshake with its own listener to the next. */
import type { Shake } from './probe';

/** `because`: why not, one line; null while it may. */
export interface Readiness {
  readonly because: string | null;
  /** Looks in a row of which nothing was heard. */
  readonly unheard: number;
}

export const notAskedYet: Readiness = { because: 'the own listener was not asked yet', unheard: 0 };

/** So many looks in a row have to go unheard: every replica on a busy machine misses one at the same moment, and then nobody would be left to ask. */
const mostUnheard = 3;

/** What verification says counts at once, in both directions; that nothing was heard counts when it repeats, and never makes anybody ready. */
export function after(before: Readiness, shake: Shake): Readiness {
  switch (shake.kind) {
    case 'good':
      return { because: null, unheard: 0 };
    case 'refused':
      return { because: `the API server would not take the certificate that is served: ${shake.why}`, unheard: 0 };
    case 'unheard': {
      const unheard = before.unheard + 1;
      const isSettled = before.because !== null || unheard < mostUnheard;
      return { because: isSettled ? before.because : `the own listener does not answer: ${shake.why}`, unheard };
    }
  }
}
