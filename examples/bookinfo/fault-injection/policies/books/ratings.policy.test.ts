import { ask, expect, test } from 'meshwright/testing';
import { ratings, reviews } from './services.policy';

const stars = { from: reviews, to: ratings.ports.http, request: 'GET /ratings/7' } as const;

test('jason waits seven seconds for stars', () => expect(ask({ ...stars, headers: { 'end-user': 'jason' } })).toBeDelayed('7s'));
test('jane gets every other one', () => expect(ask({ ...stars, headers: { 'end-user': 'jane' } })).toBeAborted(500, 50));
test('everybody else is served', () => {
  expect(ask(stars)).not.toBeDelayed('7s');
  expect(ask(stars)).not.toBeAborted(500, 50);
  expect(ask(stars)).toGoTo(ratings.ports.http);
});
