import { ask, expect, test } from 'meshwright/testing';
import { productpage, reviews } from './services.policy';

const page = { from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' } as const;

test('two readers see the second version', () => {
  expect(ask({ ...page, headers: { 'end-user': 'jason' } })).toGoTo('v2');
  expect(ask({ ...page, headers: { 'end-user': 'jane' } })).toGoTo('v2');
  expect(ask(page)).toGoTo('v1');
});
