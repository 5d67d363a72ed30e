import { crossing } from '#platform';
import { ask, expect, test } from 'meshwright/testing';
import { reviewsAcross } from './networks.policy';
import { productpage, ratings, reviews } from './services.policy';

test('reviews are reached from other networks, each version by a name of its own', () => {
  expect(ask({ from: crossing, to: reviews.ports.http })).toBeAllowedBy(reviewsAcross);
  expect(ask({ from: crossing, to: reviews.ports.http, sni: 'v3.http.reviews.bookinfo' })).toBeAllowedBy(reviewsAcross);
});
test('nothing else is', () => {
  expect(ask({ from: crossing, to: ratings.ports.http })).toBeDenied();
  expect(ask({ from: crossing, to: reviews.ports.http, sni: 'v4.http.reviews.bookinfo' })).toBeDenied();
});
test('who may call is said as ever', () => {
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).toBeReachedWith({
    locality: { prefer: 'network' },
  });
});
