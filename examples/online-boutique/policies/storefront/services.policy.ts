import { grpc, http, namespace, service } from 'meshwright/policy';
import { pages } from './pages';

export const storefront = namespace('storefront', { team: 'storefront' });
export const frontend = service(storefront, 'frontend', {
  serviceAccount: 'frontend',
  ports: { http: http(80, { requests: pages }) },
});
export const productcatalog = service(storefront, 'productcatalogservice', {
  serviceAccount: 'productcatalogservice',
  ports: {
    grpc: grpc(3550, {
      methods: [
        'hipstershop.ProductCatalogService/ListProducts',
        'hipstershop.ProductCatalogService/GetProduct',
        'hipstershop.ProductCatalogService/SearchProducts',
      ],
    }),
  },
  versions: ['v1', 'v2'],
});
export const recommendation = service(storefront, 'recommendationservice', {
  serviceAccount: 'recommendationservice',
  ports: { grpc: grpc(8080, { methods: ['hipstershop.RecommendationService/ListRecommendations'] }) },
});
export const ads = service(storefront, 'adservice', {
  serviceAccount: 'adservice',
  ports: { grpc: grpc(9555, { methods: ['hipstershop.AdService/GetAds'] }) },
});
export const currency = service(storefront, 'currencyservice', {
  serviceAccount: 'currencyservice',
  ports: { grpc: grpc(7000, { methods: ['hipstershop.CurrencyService/GetSupportedCurrencies', 'hipstershop.CurrencyService/Convert'] }) },
});
