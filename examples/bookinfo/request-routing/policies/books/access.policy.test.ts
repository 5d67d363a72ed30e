import { internet } from 'meshwright/policy';
import { ask, callersOf, expect, test } from 'meshwright/testing';
import { ingress } from '#platform';
import { pageReadsDetails, pageReadsReviews, readersSeePages, reviewsReadRatings } from './access.policy';
import { site } from './ingress.policy';
import { details, productpage, ratings, reviews } from './services.policy';

const reader = internet.through(ingress);
const page = productpage.ports.http;

test('readers see the product page by the ingress, and not what is behind it', () => {
  for (const request of ['GET /productpage', 'GET /static/bootstrap.css', 'POST /login', 'GET /logout'] as const)
    expect(ask({ from: reader, to: page, request })).toBeAllowedBy(readersSeePages);
  expect(ask({ from: reader, to: page, request: 'GET /api/v1/products' })).toBeDenied();
  const other = ask({ from: reader, to: ingress.listeners.web.host('bookinfo.example'), request: 'GET /api/v1/products' });
  expect(other).toTakeRoute(site, 'otherwise');
  expect(other).toBeAnsweredWith(404, 'no such page\n');
});
test('the page reads details and reviews, reviews read ratings', () => {
  expect(ask({ from: productpage, to: details.ports.http, request: 'GET /details/7' })).toBeAllowedBy(pageReadsDetails);
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).toBeAllowedBy(pageReadsReviews);
  expect(ask({ from: reviews, to: ratings.ports.http, request: 'GET /ratings/7' })).toBeAllowedBy(reviewsReadRatings);
});
test('and nothing else', () => {
  expect(ask({ from: productpage, to: details.ports.http, request: 'DELETE /details/7' })).toBeDenied();
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'DELETE /reviews/7' })).toBeDenied();
  expect(ask({ from: reviews, to: ratings.ports.http, request: 'POST /ratings/7' })).toBeDenied();
  for (const from of [reviews, ratings]) expect(ask({ from, to: details.ports.http, request: 'GET /details/7' })).toBeDenied();
});
test('nobody but the ingress reaches the page, nobody but the page reviews, nobody but reviews ratings', () => {
  expect(callersOf(page)).toEqual([ingress]);
  expect(callersOf(reviews.ports.http)).toEqual([productpage]);
  expect(callersOf(ratings.ports.http)).toEqual([reviews]);
});
