import { gateway, namespace, secret } from 'meshwright/policy';

export const gateways = namespace('gateways', { team: 'platform' });
export const ingress = gateway(gateways, 'ingress', {
  serviceAccount: 'ingress',
  listeners: { web: { port: 443, hosts: { 'bookinfo.example': 'books' }, certificate: secret('gateways/bookinfo-tls') } },
});
// Nothing comes in by it: it is the one way out, of those whom its owner names.
export const egress = gateway(gateways, 'egress', { serviceAccount: 'egress', wayOutOf: ['books'] });
