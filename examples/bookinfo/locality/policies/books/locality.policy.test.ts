import { ask, expect, test } from 'meshwright/testing';
import { details, productpage, reviews } from './services.policy';

test('reviews are read nearby, and next door when nobody is there', () => {
  const answer = ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' });
  expect(answer).toBeReachedWith({ locality: { prefer: 'zone', failover: { region1: ['region2'] } } });
  expect(answer).toBeReachedWith({ eject: { consecutive5xx: 1, for: '1m', atMost: '100%' }, panicBelow: '0%' });
});
test('one page in ten reads details in the other region', () =>
  expect(ask({ from: productpage, to: details.ports.http, request: 'GET /details/7' })).toBeReachedWith({
    locality: { spread: { 'region1/zone1': { 'region3/zone4': '10%' } } },
  }));
