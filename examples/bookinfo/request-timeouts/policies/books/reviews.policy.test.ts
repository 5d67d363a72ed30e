import { ask, expect, test } from 'meshwright/testing';
import { productpage, ratings, reviews } from './services.policy';

test('the page waits half a second for reviews', () =>
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).toTimeOutAfter('500ms'));
test('which is over before ratings begin to answer', () => {
  const stars = ask({ from: reviews, to: ratings.ports.http, request: 'GET /ratings/7' });
  expect(stars).toBeDelayed('2s');
  expect(stars).not.toTimeOutAfter('500ms');
});
