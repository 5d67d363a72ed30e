import { ratings } from './services.policy';

// So that there is something to wait for.
export const ratingsRoutes = ratings.ports.http.route({
  otherwise: { to: ratings.ports.http, fault: { delay: { for: '2s', share: '100%' } } },
});
