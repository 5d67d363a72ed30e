import { reviews } from './services.policy';

export const reviewsRoutes = reviews.ports.http.route({ otherwise: { to: { v1: 50, v3: 50 } } });
