import { per, respond } from 'meshwright/policy';
import { edge } from '#platform';
import { productpage, reviews } from './services.policy';

export const reviewsRoutes = reviews.ports.web.route({
  rules: [{ when: { headers: { 'end-user': 'jason' } }, to: 'v2' }],
  otherwise: {
    to: 'v1',
    timeout: per({ dev: '10s', staging: '2s', prod: '2s' }),
    retry: { atMost: 2, perTry: '500ms', on: ['connect-failure', '5xx'], budget: '20%' },
  },
});
export const shop = edge.listeners.web.host('shop.acme.example').route({
  rules: [{ when: { request: 'GET /productpage' }, to: productpage.ports.web }],
  otherwise: { to: respond(404, 'nothing here\n') },
});
