import { ask, expect, test } from 'meshwright/testing';
import { productpage, reviews } from './services.policy';

test('everybody sees the first version', () =>
  expect(ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' })).toGoTo('v1'));
