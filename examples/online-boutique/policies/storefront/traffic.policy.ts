import { per } from 'meshwright/policy';
import { ingress } from '#platform';
import { ads, frontend, productcatalog } from './services.policy';

export const shop = ingress.listeners.web.host('boutique.example').route({
  rules: [{ when: { request: 'POST /cart/checkout' }, to: frontend.ports.http, timeout: '10s', retry: 'none' }],
  otherwise: { to: frontend.ports.http, timeout: '5s' },
});
// A catalogue that is slow to list is still worth waiting for; one product is not.
export const catalogRoutes = productcatalog.ports.grpc.route({
  rules: [{ when: { method: 'hipstershop.ProductCatalogService/GetProduct' }, to: { v1: 90, v2: 10 }, timeout: '500ms' }],
  otherwise: { to: 'v1', timeout: per({ staging: '3s', prod: '1s' }) },
});
// A page without an ad is a page: it is not waited for.
export const adRoutes = ads.ports.grpc.route({
  otherwise: { to: ads.ports.grpc, timeout: '100ms', retry: 'none' },
});
