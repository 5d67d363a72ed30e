import { ask, expect, test } from 'meshwright/testing';
import { productpage, reviews } from './services.policy';

test('readers see the first version, and the second one reads along with every other request', () => {
  const answer = ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' });
  expect(answer).toGoTo('v1');
  expect(answer).toBeMirroredTo('v2', 50);
});
