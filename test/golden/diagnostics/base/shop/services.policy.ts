import { http, namespace, service } from 'meshwright/policy';

export const shop = namespace('shop', { team: 'shop' });
export const front = service(shop, 'front', { serviceAccount: 'shop-front', ports: { web: http(8080) } });
export const cart = service(shop, 'cart', {
  serviceAccount: 'shop-cart',
  ports: { web: http(8080, { requests: ['GET /cart/{id}', 'POST /cart'] }) },
  versions: ['v1', 'v2'],
});
