import { defineMesh } from 'meshwright/policy';

export const mesh = defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'staging', 'prod'],
  teams: {
    platform: { namespaces: ['platform'], contact: '#mesh' },
    books: { namespaces: ['bookinfo'], contact: '#books' },
    orders: { namespaces: ['orders'] },
  },
  tags: { tier: ['gold', 'silver'] },
  runs: { envoy: '1.40.0' },
});

declare module 'meshwright/policy' {
  interface Register {
    mesh: typeof mesh;
  }
}
