import { bookinfo, reviews } from './services.policy';

// Few requests and a short queue: one is served, one waits, what is beyond is answered 503 at once, not late. An endpoint that fails once is left alone for three minutes.
export const breaker = bookinfo.standard({
  for: reviews,
  defaults: {
    connections: { max: 1, pending: 1, requests: 2 },
    eject: { consecutive5xx: 1, for: '3m', atMost: '100%' },
    panicBelow: '0%', // all of them may be out: then nobody is asked
  },
});
