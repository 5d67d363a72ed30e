import { ask, expect, test } from 'meshwright/testing';
import { productpage, reviews } from './services.policy';

const answer = () => ask({ from: productpage, to: reviews.ports.http, request: 'GET /reviews/7' });

test('one connection, one request in the queue, and three minutes out for whoever fails', () =>
  expect(answer()).toBeReachedWith({
    connections: { max: 1, pending: 1, requests: 2 },
    eject: { consecutive5xx: 1, for: '3m', atMost: '100%' },
  }));
test('what an open circuit refuses is not tried again', () => expect(answer()).not.toRetry());
