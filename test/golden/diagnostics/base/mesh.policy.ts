import { defineMesh } from 'meshwright/policy';

export const mesh = defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { platform: { namespaces: ['platform'] }, shop: { namespaces: ['shop'] }, pay: { namespaces: ['pay'] } },
  tags: { tier: ['gold', 'silver'] },
  runs: { envoy: '1.40.0' },
});

declare module 'meshwright/policy' {
  interface Register {
    mesh: typeof mesh;
  }
}
