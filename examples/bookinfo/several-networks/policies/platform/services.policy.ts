import { eastWestGateway, gateway, namespace, secret } from 'meshwright/policy';

export const gateways = namespace('gateways', { team: 'platform' });
export const ingress = gateway(gateways, 'ingress', {
  serviceAccount: 'ingress',
  listeners: { web: { port: 443, hosts: { 'bookinfo.example': 'books' }, certificate: secret('gateways/bookinfo-tls') } },
});
// Stands before each network that an instance of it is in. What it passes on, the owners of ports say.
export const crossing = eastWestGateway(gateways, 'crossing', { serviceAccount: 'crossing', port: 15443 });
