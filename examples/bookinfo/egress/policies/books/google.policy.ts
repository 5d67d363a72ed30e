import { external, https } from 'meshwright/policy';
import { details } from './services.policy';

// The books team answers for calling it. `https`: details speak HTTP to their proxy, which makes the TLS and verifies whom it reaches.
export const googleBooks = external('google-books', {
  team: 'books',
  hosts: ['www.googleapis.com'],
  ports: { api: https(443, { requests: ['GET /books/v1/volumes'] }) },
});
export const detailsAskGoogle = googleBooks.ports.api.allow({ from: details, requests: ['GET /books/v1/volumes'] });
export const googleBooksRoutes = googleBooks.ports.api.route({
  rules: [],
  otherwise: { to: googleBooks.ports.api, timeout: '4s', retry: { atMost: 2, perTry: '1s', on: ['5xx', 'reset'] } },
});
