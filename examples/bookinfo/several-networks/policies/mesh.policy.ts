import { defineMesh } from 'meshwright/policy';

export const mesh = defineMesh({
  trustDomain: 'bookinfo.example',
  environments: ['prod'],
  teams: { platform: { namespaces: ['gateways'] }, books: { namespaces: ['bookinfo'] } },
  runs: { envoy: '1.40.0' },
});

declare module 'meshwright/policy' {
  interface Register {
    mesh: typeof mesh;
  }
}
