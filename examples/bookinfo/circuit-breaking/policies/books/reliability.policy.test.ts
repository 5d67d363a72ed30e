import { ask, expect, test } from 'meshwright/testing';
import { productpage, reviews } from './services.policy';

test('what an open circuit refuses is not tried again', () =>
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).not.toRetry());
