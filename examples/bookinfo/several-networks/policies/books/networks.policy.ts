import { crossing } from '#platform';
import { bookinfo, reviews } from './services.policy';

export const reviewsAcross = reviews.ports.http.export({ through: crossing });
// The own network first; another one when nobody is left here who answers well.
export const ownNetworkFirst = bookinfo.standard({
  for: reviews,
  defaults: { locality: { prefer: 'network' }, eject: { consecutive5xx: 5, for: '10s', atMost: '100%' }, panicBelow: '0%' },
});
