import { ask, expect, test } from 'meshwright/testing';
import { productpage, ratings, reviews } from './services.policy';

test('the page waits half a second for reviews', () =>
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).toTimeOutAfter('500ms'));
test('other calls have the time that the platform gives', () =>
  expect(ask({ from: reviews, to: ratings.ports.http, request: 'GET /ratings/7' })).not.toTimeOutAfter('500ms'));
