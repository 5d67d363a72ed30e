import { internet } from 'meshwright/policy';
import { checkout } from '#orders';
import { ingress, loadgenerator } from '#platform';
import { pages } from './pages';
import { ads, currency, frontend, productcatalog, recommendation } from './services.policy';

export const customersShop = frontend.ports.http.allow({ from: internet.through(ingress), requests: pages });
export const loadShops = frontend.ports.http.allow({ from: loadgenerator, requests: pages, only: ['staging'] });
export const pageReadsCatalog = productcatalog.ports.grpc.allow({
  from: frontend,
  methods: ['hipstershop.ProductCatalogService/ListProducts', 'hipstershop.ProductCatalogService/GetProduct'],
});
export const recommendationReadsCatalog = productcatalog.ports.grpc.allow({
  from: recommendation,
  methods: ['hipstershop.ProductCatalogService/ListProducts'],
});
export const checkoutReadsProducts = productcatalog.ports.grpc.allow({
  from: checkout,
  methods: ['hipstershop.ProductCatalogService/GetProduct'],
});
export const pageAsksForMore = recommendation.ports.grpc.allow({
  from: frontend,
  methods: ['hipstershop.RecommendationService/ListRecommendations'],
});
export const pageShowsAds = ads.ports.grpc.allow({ from: frontend, methods: ['hipstershop.AdService/GetAds'] });
export const pageConverts = currency.ports.grpc.allow({
  from: frontend,
  methods: ['hipstershop.CurrencyService/GetSupportedCurrencies', 'hipstershop.CurrencyService/Convert'],
});
export const checkoutConverts = currency.ports.grpc.allow({ from: checkout, methods: ['hipstershop.CurrencyService/Convert'] });
