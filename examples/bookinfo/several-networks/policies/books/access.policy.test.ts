import { internet } from 'meshwright/policy';
import { ask, callersOf, expect, test } from 'meshwright/testing';
import { ingress } from '#platform';
import { pageReadsDetails, pageReadsReviews, readersSeePages, reviewsReadRatings } from './access.policy';
import { site } from './ingress.policy';
import { details, productpage, ratings, reviews } from './services.policy';

test('readers see the product page by the ingress, and not what is behind it', () => {
  const page = productpage.ports.http;
  expect(ask({ from: internet.through(ingress), to: page, request: 'GET /productpage' })).toBeAllowedBy(readersSeePages);
  expect(ask({ from: internet.through(ingress), to: page, request: 'GET /api/v1/products' })).toTakeRoute(site, 'otherwise');
  expect(ask({ from: internet.through(ingress), to: page, request: 'GET /api/v1/products' })).toBeDenied();
});
test('the page reads details and reviews, reviews read ratings', () => {
  expect(ask({ from: productpage, to: details.ports.http, request: 'GET /details/7' })).toBeAllowedBy(pageReadsDetails);
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).toBeAllowedBy(pageReadsReviews);
  expect(ask({ from: reviews, to: ratings.ports.http, request: 'GET /ratings/7' })).toBeAllowedBy(reviewsReadRatings);
});
test('nobody but reviews reaches ratings', () => expect(callersOf(ratings.ports.http)).toEqual([reviews]));
