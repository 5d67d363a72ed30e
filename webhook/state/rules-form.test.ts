import { admissionRulesSpec } from './rules-form';

const good = {
  environment: 'prod',
  trustDomain: 'mesh.test',
  namespaces: ['shop'],
  deploys: [
    {
      id: 'a/b',
      mode: 'deny',
      namespace: 'shop',
      workloads: ['cart'],
      by: [
        { kind: 'group', name: 'g' },
        { kind: 'user', name: 'u' },
        { kind: 'account', namespace: 'n', name: 'a' },
        { kind: 'github', repository: 'r', branch: 'b', environment: 'e' },
      ],
      images: { from: ['ghcr.io/'], digest: 'required' },
      version: { min: '1.0.0', below: '2.0.0', downgrade: 'warn' },
    },
  ],
  workloads: [{ workload: 'shop/cart', principal: 'p', serviceAccount: 'cart', versions: ['v1'], injected: true }],
  products: [{ id: 'a/c', mode: 'warn', ranges: { istiod: { min: '1.0.0' } }, skew: [{ of: 'envoy', behind: 'istiod', minor: 1 }] }],
};
const [deploy] = good.deploys;
const [workload] = good.workloads;
const [product] = good.products;

describe('the form of admission rules', () => {
  it('is taken whole, and without what may be absent', () => {
    expect(admissionRulesSpec(good)).toBe(good);
    expect(admissionRulesSpec({ environment: 'prod', trustDomain: 'mesh.test' })).toEqual({
      environment: 'prod',
      trustDomain: 'mesh.test',
    });
  });
  it.each<[string, object]>([
    ['spec.later', { ...good, later: [] }],
    ['spec.environment', { trustDomain: 'x' }],
    ['spec.deploys', { ...good, deploys: {} }],
    ['spec.deploys[0].mode', { ...good, deploys: [{ ...deploy, mode: 'dryrun' }] }],
    ['spec.deploys[0].by', { ...good, deploys: [{ ...deploy, by: undefined }] }],
    ['spec.deploys[0].by[0].kind', { ...good, deploys: [{ ...deploy, by: [{ kind: 'anyone' }] }] }],
    ['spec.deploys[0].by[0].kind', { ...good, deploys: [{ ...deploy, by: [{ kind: 'constructor' }] }] }],
    ['spec.deploys[0].by[0].prefix', { ...good, deploys: [{ ...deploy, by: [{ kind: 'user', name: 'u', prefix: true }] }] }],
    ['spec.deploys[0].images.digest', { ...good, deploys: [{ ...deploy, images: { from: [], digest: 'maybe' } }] }],
    ['spec.deploys[0].images.from[0]', { ...good, deploys: [{ ...deploy, images: { from: [1], digest: 'required' } }] }],
    ['spec.deploys[0].version.downgrade', { ...good, deploys: [{ ...deploy, version: { min: '1.0.0' } }] }],
    ['spec.workloads[0].injected', { ...good, workloads: [{ ...workload, injected: 'true' }] }],
    ['spec.products[0].ranges.linkerd', { ...good, products: [{ ...product, ranges: { linkerd: {} } }] }],
    ['spec.products[0].skew[0].minor', { ...good, products: [{ ...product, skew: [{ of: 'envoy', behind: 'istiod', minor: -1 }] }] }],
  ])('what is not known is refused by name: %s', (name, spec) => {
    expect(() => admissionRulesSpec(JSON.parse(JSON.stringify(spec)))).toThrow(`\`${name}\``);
  });
});
