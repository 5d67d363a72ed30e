import { bookinfo, details, reviews } from './services.policy';

// The caller's zone, then its region; a region that has nobody left goes to its neighbour, and only then round the world.
export const reviewsNearby = bookinfo.standard({
  for: reviews,
  defaults: {
    locality: { prefer: 'zone', failover: { region1: ['region2'] } },
    eject: { consecutive5xx: 1, for: '1m', atMost: '100%' }, // an endpoint that fails is nobody
    panicBelow: '0%', // nor is one called in spite of it
  },
});
// Shares instead of nearness: some of the requests are elsewhere every day, so that elsewhere is known to work.
export const detailsSpread = bookinfo.standard({
  for: details,
  defaults: { locality: { spread: { 'region1/zone1': { 'region1/zone1': '70%', 'region1/zone2': '20%', 'region3/zone4': '10%' } } } },
});
