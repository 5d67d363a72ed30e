import { internet } from 'meshwright/policy';
import { ask, callersOf, expect, reachableFrom, test } from 'meshwright/testing';
import { edge } from '#platform';
import { pageReadsReviews, publicPage, reviewsReadRatings } from './access.policy';
import { details, productpage, ratings, reviews } from './services.policy';

test('only the product page reads reviews', () => {
  expect(ask({ from: productpage, to: reviews.ports.web, request: 'GET /reviews/7' })).toBeAllowedBy(pageReadsReviews);
  expect(ask({ from: details, to: reviews.ports.web, request: 'GET /reviews/7' })).toBeDenied();
});
test('the product page reads details, and reviews read ratings', () => {
  expect(ask({ from: productpage, to: details.ports.web, request: 'GET /details/7' })).toBeAllowed();
  expect(ask({ from: reviews, to: ratings.ports.web, request: 'GET /ratings/7' })).toBeAllowedBy(reviewsReadRatings);
});
test('the internet reaches the product page by the edge, and nothing else of it', () => {
  expect(ask({ from: internet.through(edge), to: productpage.ports.web, request: 'GET /productpage' })).toBeAllowedBy(publicPage);
  expect(ask({ from: internet.through(edge), to: productpage.ports.web, request: 'GET /health' })).toBeDenied();
});
test('nobody but reviews reaches ratings, whatever the request', () => expect(callersOf(ratings.ports.web)).toEqual([reviews]));
test('ratings call nobody', () => expect(reachableFrom(ratings)).toEqual([]));
test('jason sees v2', () => {
  expect(ask({ from: productpage, to: reviews.ports.web, request: 'GET /reviews/7', headers: { 'end-user': 'jason' } })).toGoTo({
    v2: 100,
  });
});
test('reviews answer within two seconds where customers are', () => {
  expect(ask({ from: productpage, to: reviews.ports.web, request: 'GET /reviews/7', env: 'prod' })).toTimeOutAfter('2s');
});
