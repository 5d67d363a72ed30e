import { ask, callersOf, expect, test } from 'meshwright/testing';
import { detailsAskGoogle, googleBooks, news, pageReadsNews, ratingsAreStored, ratingsStore } from './outside.policy';
import { details, productpage, ratings, reviews } from './services.policy';

test('details look up books through the gateway, and nothing else there', () => {
  const { api } = googleBooks.ports;
  expect(ask({ from: details, to: api, request: 'GET /books/v1/volumes' })).toBeAllowedBy(detailsAskGoogle);
  expect(ask({ from: details, to: api, request: 'GET /drive/v3/files' })).toBeDenied();
  expect(ask({ from: reviews, to: api, request: 'GET /books/v1/volumes' })).toBeDenied();
});
test('the page reads one of the news hosts', () => {
  const { web } = news.ports;
  expect(ask({ from: productpage, to: web, sni: 'edition.cnn.com' })).toBeAllowedBy(pageReadsNews);
  expect(ask({ from: productpage, to: web, sni: 'www.cnn.com' })).toBeDenied();
  expect(ask({ from: productpage, to: web, sni: 'elsewhere.example' })).toBeDenied();
});
test('only ratings reach their store', () => {
  expect(ask({ from: ratings, to: ratingsStore.ports.mongo })).toBeAllowedBy(ratingsAreStored);
  expect(ask({ from: reviews, to: ratingsStore.ports.mongo })).toBeDenied();
  expect(callersOf(ratingsStore.ports.mongo)).toEqual([ratings]);
});
