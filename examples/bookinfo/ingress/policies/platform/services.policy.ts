import { gateway, namespace, secret } from 'meshwright/policy';

export const gateways = namespace('gateways', { team: 'platform' });
// Each host belongs to one team: nobody else routes it.
export const ingress = gateway(gateways, 'ingress', {
  serviceAccount: 'ingress',
  listeners: {
    web: {
      port: 443,
      hosts: { 'bookinfo.example': 'books', 'www.bookinfo.example': 'books', 'api.bookinfo.example': 'books' },
      certificate: secret('gateways/bookinfo-tls'),
    },
    // Who comes in the open is sent to the same address under https.
    open: {
      protocol: 'http',
      port: 80,
      hosts: { 'bookinfo.example': 'books', 'www.bookinfo.example': 'books', 'api.bookinfo.example': 'books' },
      redirect: 'https',
    },
  },
});
