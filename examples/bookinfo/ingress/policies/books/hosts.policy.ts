import { internet, redirect, respond } from 'meshwright/policy';
import { ingress } from '#platform';
import { details } from './services.policy';

export const moved = ingress.listeners.web.host('www.bookinfo.example').route({
  otherwise: { to: redirect({ host: 'bookinfo.example', status: 301 }) },
});
// Others may read what a book is, and nothing of what readers say.
export const api = ingress.listeners.web.host('api.bookinfo.example').route({
  rules: [{ when: { request: 'GET /details/{id}' }, to: details.ports.http, timeout: '2s' }],
  otherwise: { to: respond(404, 'no such resource\n') },
});
export const othersReadDetails = details.ports.http.allow({
  from: internet.through(ingress),
  requests: ['GET /details/{id}'],
  hosts: ['api.bookinfo.example'],
});
