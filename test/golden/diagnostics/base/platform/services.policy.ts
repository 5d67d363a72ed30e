import { gateway, namespace, secret } from 'meshwright/policy';

export const platform = namespace('platform', { team: 'platform' });
export const edge = gateway(platform, 'edge', {
  serviceAccount: 'edge',
  listeners: { web: { port: 443, hosts: { 'shop.acme.example': 'shop' }, certificate: secret('platform/edge-tls') } },
});
