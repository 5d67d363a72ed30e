import { ratings } from './services.policy';

// What do reviews do when ratings are slow, and what when they fail? Two readers find out, everybody else is served.
export const ratingsRoutes = ratings.ports.http.route({
  rules: [
    { when: { headers: { 'end-user': 'jason' } }, to: ratings.ports.http, fault: { delay: { for: '7s', share: '100%' } } },
    { when: { headers: { 'end-user': 'jane' } }, to: ratings.ports.http, fault: { abort: { status: 500, share: '50%' } } },
  ],
  otherwise: { to: ratings.ports.http },
});
