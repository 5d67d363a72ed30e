import { gateway, namespace, secret, workload } from 'meshwright/policy';

export const gateways = namespace('gateways', { team: 'platform' });
export const ingress = gateway(gateways, 'ingress', {
  serviceAccount: 'ingress',
  listeners: { web: { port: 443, hosts: { 'boutique.example': 'storefront' }, certificate: secret('gateways/boutique-tls') } },
});
export const load = namespace('load', { team: 'platform' });
export const loadgenerator = workload(load, 'loadgenerator', { serviceAccount: 'loadgenerator', only: ['staging'] });
