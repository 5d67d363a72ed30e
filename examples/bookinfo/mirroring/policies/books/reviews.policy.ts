import { reviews } from './services.policy';

// The second version reads what the first one answers: its own answers are thrown away.
export const reviewsRoutes = reviews.ports.http.route({
  otherwise: { to: 'v1', mirror: { to: reviews.ports.http.version('v2'), share: '50%' } },
});
