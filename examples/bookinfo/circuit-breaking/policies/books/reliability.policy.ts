import { bookinfo, reviews } from './services.policy';

// Few connections and a short queue: what is beyond is answered 503 at once, not late. An endpoint that fails once is left alone for three minutes.
export const breaker = bookinfo.standard({
  for: reviews,
  defaults: {
    connections: { max: 1, pending: 1 },
    eject: { consecutive5xx: 1, for: '3m', atMost: '100%' },
    panicBelow: '0%', // all of them may be out: then nobody is asked
  },
});
