import { reviews } from './services.policy';

// Without it, requests go to all three versions in turn, and the stars come and go.
export const reviewsRoutes = reviews.ports.http.route({ otherwise: { to: 'v1' } });
