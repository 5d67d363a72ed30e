import { http, namespace, service } from 'meshwright/policy';

export const bookinfo = namespace('bookinfo', { team: 'books' });
export const productpage = service(bookinfo, 'productpage', {
  serviceAccount: 'bookinfo-productpage',
  ports: { http: http(9080, { requests: ['GET /productpage', 'GET /static/{file...}', 'POST /login', 'GET /logout'] }) },
});
export const details = service(bookinfo, 'details', {
  serviceAccount: 'bookinfo-details',
  ports: { http: http(9080, { requests: ['GET /details/{id}'] }) },
});
export const reviews = service(bookinfo, 'reviews', {
  serviceAccount: 'bookinfo-reviews',
  ports: { http: http(9080, { requests: ['GET /reviews/{id}'], urls: 'servlet' }) },
  versions: ['v1', 'v2', 'v3'], // no stars, black stars, red stars
});
export const ratings = service(bookinfo, 'ratings', {
  serviceAccount: 'bookinfo-ratings',
  ports: { http: http(9080, { requests: ['GET /ratings/{id}'] }) },
});
