import { reviews } from './services.policy';

// The second version asks ratings; half a second is all that the page waits for its stars.
export const reviewsRoutes = reviews.ports.http.route({ otherwise: { to: 'v2', timeout: '500ms' } });
