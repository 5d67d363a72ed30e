/** Rules about deployment, each part of them used once, over the meshes of this kit. */
import type { DeployRule, MeshIr, ProductRule } from '../../core/ir/ir';
import type { RuleId } from '../../core/mesh/ids';

const id = (text: string): RuleId => text as RuleId; // a fixture's own ids

export const deployRules: readonly DeployRule[] = [
  {
    id: id('books/booksDeploy'),
    mode: 'deny',
    namespace: 'bookinfo',
    workloads: null,
    by: [
      { kind: 'account', namespace: 'ci', name: 'deployer' },
      { kind: 'github', repository: 'acme/books', branch: 'main', environment: 'production' },
      { kind: 'github', repository: 'acme/reviews', branch: 'release/2.0' },
      { kind: 'group', name: 'sre-oncall' },
      { kind: 'user', name: 'ada@acme.example' },
    ],
    images: { from: ['docker.io/library/', 'ghcr.io/acme/'], digest: 'required' },
    version: null,
  },
  {
    id: id('books/detailsNext'),
    mode: 'audit',
    namespace: 'bookinfo',
    workloads: ['details'],
    by: [{ kind: 'group', name: 'sre-oncall' }],
    images: { from: ['localhost:5000/'], digest: 'optional' },
    version: { min: null, below: '3.0.0', downgrade: 'warn' },
  },
  {
    id: id('books/reviewsForward'),
    mode: 'warn',
    namespace: 'bookinfo',
    workloads: ['ratings', 'reviews'],
    by: [{ kind: 'group', name: 'sre-oncall' }],
    images: null,
    version: { min: '1.4.0', below: '2.0.0', downgrade: 'deny' },
  },
];

export const productRules: readonly ProductRule[] = [
  {
    id: id('platform/stack'),
    mode: 'deny',
    ranges: [
      { product: 'envoy', min: '1.36.0', below: '1.41.0' },
      { product: 'istiod', min: null, below: '1.30.0' },
      { product: 'kubernetes', min: '1.30.0', below: null },
    ],
    skew: [
      { of: 'istio-proxy', behind: 'istiod', minor: 1 },
      { of: 'kiali', behind: 'istiod', minor: 0 },
    ],
  },
];

export const withDeployRules = (ir: MeshIr): MeshIr => ({ ...ir, deploys: deployRules, products: productRules });
