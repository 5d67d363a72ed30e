import { ask, expect, test } from 'meshwright/testing';
import { reviewsRoutes } from './reviews.policy';
import { productpage, reviews } from './services.policy';

test('half of the readers see red stars, and nobody black ones', () => {
  const answer = ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' });
  expect(answer).toTakeRoute(reviewsRoutes, 'otherwise');
  expect(answer).toGoTo({ v1: 50, v3: 50 });
});
