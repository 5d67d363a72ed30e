import { reviews } from './services.policy';

// The product page says who is signed in; whoever is jason sees the black stars.
export const reviewsRoutes = reviews.ports.http.route({
  rules: [{ when: { headers: { 'end-user': 'jason' } }, to: 'v2' }],
  otherwise: { to: 'v1' },
});
