import { http, namespace, service } from 'meshwright/policy';

export const bookinfo = namespace('bookinfo', { team: 'books' });
export const productpage = service(bookinfo, 'productpage', {
  serviceAccount: 'bookinfo-productpage',
  ports: { web: http(9080, { requests: ['GET /productpage', 'GET /health'] }) },
});
export const details = service(bookinfo, 'details', {
  serviceAccount: 'bookinfo-details',
  ports: { web: http(9080, { requests: ['GET /details/{id}', 'GET /health'] }) },
});
export const ratings = service(bookinfo, 'ratings', {
  serviceAccount: 'bookinfo-ratings',
  ports: { web: http(9080, { requests: ['GET /ratings/{id}', 'GET /health'] }) },
});
export const reviews = service(bookinfo, 'reviews', {
  serviceAccount: 'bookinfo-reviews',
  ports: { web: http(9080, { requests: ['GET /reviews/{id}', 'GET /health'] }) }, // the contract: rules may speak of these only
  versions: ['v1', 'v2', 'v3'],
  tags: { tier: 'gold' },
});
