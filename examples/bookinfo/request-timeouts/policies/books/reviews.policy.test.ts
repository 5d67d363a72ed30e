import { ask, expect, test } from 'meshwright/testing';
import { productpage, ratings, reviews } from './services.policy';

test('the page waits half a second for reviews with stars', () => {
  const answer = ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' });
  expect(answer).toGoTo('v2');
  expect(answer).toTimeOutAfter('500ms');
});
test('which is over before ratings begin to answer', () => {
  const stars = ask({ from: reviews, to: ratings.ports.http, request: 'GET /ratings/7' });
  expect(stars).toBeDelayed('2s');
  expect(stars).not.toTimeOutAfter('500ms');
});
