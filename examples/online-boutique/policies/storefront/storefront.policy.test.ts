import { internet } from 'meshwright/policy';
import { ask, callersOf, expect, reachableFrom, test } from 'meshwright/testing';
import { checkout } from '#orders';
import { ingress, loadgenerator } from '#platform';
import * as may from './access.policy';
import { ads, currency, frontend, productcatalog, recommendation } from './services.policy';
import { adRoutes, catalogRoutes, shop } from './traffic.policy';

const page = frontend.ports.http;
const catalog = productcatalog.ports.grpc;

test('customers shop by the ingress, and see nothing of what is behind the pages', () => {
  const customer = internet.through(ingress);
  expect(ask({ from: customer, to: page, request: 'GET /product/OLJCESPC7Z' })).toBeAllowedBy(may.customersShop);
  expect(ask({ from: customer, to: page, request: 'GET /product/OLJCESPC7Z' })).toTakeRoute(shop, 'otherwise');
  expect(ask({ from: customer, to: page, request: 'GET /_healthz' })).toBeRefusedWith(403);
  expect(reachableFrom(customer)).toEqual([page]);
});
test('an order has ten seconds, and is sent once', () => {
  const order = ask({ from: internet.through(ingress), to: page, request: 'POST /cart/checkout' });
  expect(order).toTimeOutAfter('10s');
  expect(order).not.toRetry();
});
test('load is made in staging alone', () => {
  expect(ask({ from: loadgenerator, to: page, request: 'GET /cart', env: 'staging' })).toBeAllowedBy(may.loadShops);
  expect(callersOf(page, 'prod')).toEqual([ingress]);
  expect(callersOf(page, 'staging')).toEqual([ingress, loadgenerator]);
});
test('the catalogue is read by those who need it, each by the methods that it needs', () => {
  const list = 'hipstershop.ProductCatalogService/ListProducts';
  const get = 'hipstershop.ProductCatalogService/GetProduct';
  for (const request of [list, get] as const) expect(ask({ from: frontend, to: catalog, request })).toBeAllowedBy(may.pageReadsCatalog);
  expect(ask({ from: frontend, to: catalog, request: 'hipstershop.ProductCatalogService/SearchProducts' })).toBeDenied();
  expect(ask({ from: recommendation, to: catalog, request: list })).toBeAllowedBy(may.recommendationReadsCatalog);
  expect(ask({ from: recommendation, to: catalog, request: get })).toBeDenied();
  expect(ask({ from: checkout, to: catalog, request: get })).toBeAllowedBy(may.checkoutReadsProducts);
  expect(ask({ from: checkout, to: catalog, request: list })).toBeDenied();
  expect(callersOf(catalog)).toEqual([checkout, frontend, recommendation]);
});
test('one in ten products comes from the new catalogue, lists do not', () => {
  const product = ask({ from: frontend, to: catalog, request: 'hipstershop.ProductCatalogService/GetProduct' });
  expect(product).toTakeRoute(catalogRoutes, 0);
  expect(product).toGoTo({ v1: 90, v2: 10 });
  expect(product).toTimeOutAfter('500ms');
  expect(product).toRetry({ atMost: 1, on: ['connect-failure', 'unavailable'] });
  const list = ask({ from: frontend, to: catalog, request: 'hipstershop.ProductCatalogService/ListProducts', env: 'prod' });
  expect(list).toGoTo('v1');
  expect(list).toTimeOutAfter('1s');
});
test('an ad is waited for no longer than a tenth of a second', () => {
  const ad = ask({ from: frontend, to: ads.ports.grpc, request: 'hipstershop.AdService/GetAds' });
  expect(ad).toBeAllowedBy(may.pageShowsAds);
  expect(ad).toTakeRoute(adRoutes);
  expect(ad).toTimeOutAfter('100ms');
});
test('the page asks for recommendations and currencies, checkout converts', () => {
  const more = { to: recommendation.ports.grpc, request: 'hipstershop.RecommendationService/ListRecommendations' } as const;
  const convert = { to: currency.ports.grpc, request: 'hipstershop.CurrencyService/Convert' } as const;
  const known = { to: currency.ports.grpc, request: 'hipstershop.CurrencyService/GetSupportedCurrencies' } as const;
  expect(ask({ from: frontend, ...more })).toBeAllowedBy(may.pageAsksForMore);
  for (const one of [convert, known]) expect(ask({ from: frontend, ...one })).toBeAllowedBy(may.pageConverts);
  expect(ask({ from: checkout, ...convert })).toBeAllowedBy(may.checkoutConverts);
  expect(ask({ from: checkout, ...known })).toBeDenied();
});
test('nobody else calls them, and nobody a method that is not in the contract', () => {
  expect(callersOf(ads.ports.grpc)).toEqual([frontend]);
  expect(callersOf(recommendation.ports.grpc)).toEqual([frontend]);
  expect(callersOf(currency.ports.grpc)).toEqual([checkout, frontend]);
  const request = 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  for (const { grpc: to } of [productcatalog.ports, recommendation.ports, ads.ports, currency.ports])
    expect(ask({ from: frontend, to, request })).toBeDenied();
});
