import { defineMesh } from 'meshwright/policy';

export const mesh = defineMesh({
  trustDomain: 'boutique.example',
  environments: ['staging', 'prod'],
  teams: {
    platform: { namespaces: ['gateways', 'load'] },
    storefront: { namespaces: ['storefront'], contact: '#storefront' },
    orders: { namespaces: ['orders'], contact: '#orders' },
    payments: { namespaces: ['payments'], contact: '#payments' },
  },
  runs: { envoy: '1.40.0' },
});

declare module 'meshwright/policy' {
  interface Register {
    mesh: typeof mesh;
  }
}
