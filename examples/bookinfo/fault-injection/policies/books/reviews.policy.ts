import { reviews } from './services.policy';

export const reviewsRoutes = reviews.ports.http.route({
  rules: [
    { when: { headers: { 'end-user': 'jason' } }, to: 'v2' },
    { when: { headers: { 'end-user': 'jane' } }, to: 'v2' },
  ],
  otherwise: { to: 'v1' },
});
