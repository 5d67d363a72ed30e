import { ask, expect, test } from 'meshwright/testing';
import { productpage, reviews } from './services.policy';

const page = { from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' } as const;

test('jason sees the second version, and only jason does', () => {
  expect(ask({ ...page, headers: { 'end-user': 'jason' } })).toGoTo('v2');
  expect(ask({ ...page, headers: { 'end-user': 'Jason' } })).toGoTo('v1');
  expect(ask(page)).toGoTo('v1');
});
