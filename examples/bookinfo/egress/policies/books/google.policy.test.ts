import { ask, callersOf, expect, test } from 'meshwright/testing';
import { detailsAskGoogle, googleBooks, googleBooksRoutes } from './google.policy';
import { details, productpage, ratings } from './services.policy';

const api = googleBooks.ports.api;

test('details look up books, and nothing else there', () => {
  expect(ask({ from: details, to: api, request: 'GET /books/v1/volumes' })).toBeAllowedBy(detailsAskGoogle);
  expect(ask({ from: details, to: api, request: 'GET /drive/v3/files' })).toBeDenied();
});
test('nobody else calls the outside', () => {
  expect(callersOf(api)).toEqual([details]);
  expect(ask({ from: ratings, to: api, request: 'GET /books/v1/volumes' })).toBeDenied();
  expect(ask({ from: productpage, to: api, request: 'GET /books/v1/volumes' })).toBeDenied();
});
test('an answer of theirs is waited for, and asked for again', () => {
  const answer = ask({ from: details, to: api, request: 'GET /books/v1/volumes' });
  expect(answer).toTakeRoute(googleBooksRoutes);
  expect(answer).toTimeOutAfter('4s');
  expect(answer).toRetry({ atMost: 2, perTry: '1s', on: ['5xx', 'reset'] });
});
