import { ask, callersOf, expect, test } from 'meshwright/testing';
import { egress } from '#platform';
import { detailsAskGoogle, googleBooks, news, pageReadsNews, ratingsAreStored, ratingsStore } from './outside.policy';
import { details, productpage, ratings, reviews } from './services.policy';

test('details look up books through the gateway, and nothing else there', () => {
  const { api } = googleBooks.ports;
  expect(ask({ from: details, to: api, request: 'GET /books/v1/volumes' })).toBeAllowedBy(detailsAskGoogle);
  expect(ask({ from: details, to: api, request: 'GET /drive/v3/files' })).toBeDenied();
  expect(callersOf(api)).toEqual([details]);
});
test('the page reads one of the news hosts', () => {
  const { web } = news.ports;
  expect(ask({ from: productpage, to: web, sni: 'edition.cnn.com' })).toBeAllowedBy(pageReadsNews);
  expect(ask({ from: productpage, to: web, sni: 'www.cnn.com' })).toBeDenied();
  expect(ask({ from: productpage, to: web, sni: 'elsewhere.example' })).toBeDenied();
  expect(callersOf(web)).toEqual([productpage]);
});
test('only ratings reach their store', () => {
  expect(ask({ from: ratings, to: ratingsStore.ports.mongo })).toBeAllowedBy(ratingsAreStored);
  expect(ask({ from: reviews, to: ratingsStore.ports.mongo })).toBeDenied();
  expect(callersOf(ratingsStore.ports.mongo)).toEqual([ratings]);
});
test('nobody goes there but by the gateway', () => {
  expect(ask({ from: details, to: googleBooks.ports.api, request: 'GET /books/v1/volumes' })).toGoThrough(egress);
  expect(ask({ from: productpage, to: news.ports.web, sni: 'edition.cnn.com' })).toGoThrough(egress);
  expect(ask({ from: ratings, to: ratingsStore.ports.mongo })).toGoThrough(egress);
});
