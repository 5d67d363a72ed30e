import { respond } from 'meshwright/policy';
import { ingress } from '#platform';
import { productpage } from './services.policy';

export const site = ingress.listeners.web.host('bookinfo.example').route({
  rules: [{ when: { request: ['GET /productpage', 'GET /static/{file...}', 'POST /login', 'GET /logout'] }, to: productpage.ports.http }],
  otherwise: { to: respond(404, 'no such page\n') },
});
