import type { Product, ProductRules } from '../../core/bundle/admission-rules';
import type { RuleId } from '../../core/mesh/ids';
import { contextWith, reviewOf } from '../../test/kit/admit';
import { adjudicate } from './adjudicate';
import { productsIn } from './products';

const rules = (change: Partial<ProductRules>): ProductRules => ({
  id: 'mesh/products' as RuleId, // a fixture's own id
  mode: 'deny',
  ranges: {},
  ...change,
});
const pod = (...images: readonly string[]): Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'x', namespace: 'istio-system' },
  spec: { containers: images.map((image, index) => ({ name: `c${index}`, image })) },
});
const found = async (
  rule: ProductRules,
  running: readonly (readonly [Product, readonly string[]])[] | null,
  ...images: readonly string[]
) => {
  const context = contextWith({ products: [rule] }, { products: running === null ? null : new Map(running) });
  const verdict = await adjudicate(reviewOf(pod(...images), 'pods'), context);
  return verdict.undecided ? ['undecided'] : verdict.causes.map(({ code }) => code);
};
const pilot = (tag: string): string => `docker.io/istio/pilot:${tag}`;
const proxy = (tag: string): string => `mirror.acme.example:5000/hub/istio/proxyv2:${tag}`;

describe('products', () => {
  it('are known by the end of their repository; a variant is no prerelease', () => {
    const of = (image: string) => productsIn({ images: [{ field: 'f', image }] }).map(({ product, version }) => [product, version]);
    expect(of(pilot('1.24.3'))).toEqual([['istiod', '1.24.3']]);
    expect(of(proxy('1.24.3-distroless'))).toEqual([['istio-proxy', '1.24.3']]);
    expect(of('envoyproxy/envoy:v1.40.0')).toEqual([['envoy', '1.40.0']]);
    expect(of('envoyproxy/envoy:v1.40.0-rc.1')).toEqual([['envoy', '1.40.0-rc.1']]);
    expect(of('prom/prometheus:latest')).toEqual([['prometheus', null]]);
    expect(of('quay.io/kiali/kiali:v2.1.0')).toEqual([['kiali', '2.1.0']]);
    expect(of('jaegertracing/all-in-one:1.60.0')).toEqual([['jaeger', '1.60.0']]);
    expect(of('acme/notistio/pilotx:1.0.0')).toEqual([]);
  });
  it('have to lie in their range, with a version that can be told', async () => {
    const rule = rules({ ranges: { istiod: { min: '1.24.0', below: '1.27.0' } } });
    expect(await found(rule, [], pilot('1.24.0'))).toEqual([]);
    expect(await found(rule, [], pilot('1.23.9'))).toEqual(['MW8030']);
    expect(await found(rule, [], pilot('1.27.0'))).toEqual(['MW8030']);
    expect(await found(rule, [], pilot('latest'))).toEqual(['MW8032']);
    expect(await found(rule, [], 'nginx')).toEqual([]);
    expect(await found(rules({}), [], pilot('latest'))).toEqual([]);
  });
  it('keep their distance from what runs: at most that much older, never newer', async () => {
    const rule = rules({ ranges: {}, skew: [{ of: 'istio-proxy', behind: 'istiod', minor: 2 }] });
    const istiod = (version: string) => [['istiod', [version]]] as const;
    expect(await found(rule, istiod('1.26.1'), proxy('1.24.0'))).toEqual([]);
    expect(await found(rule, istiod('1.26.1'), proxy('1.23.9'))).toEqual(['MW8031']);
    expect(await found(rule, istiod('1.26.1'), proxy('1.27.0'))).toEqual(['MW8031']);
    expect(await found(rule, [], proxy('1.27.0'))).toEqual([]);
    // Seen from the other side: a control plane must not leave its proxies behind.
    expect(await found(rule, [['istio-proxy', ['1.24.0', '1.26.0']]], pilot('1.26.0'))).toEqual([]);
    expect(await found(rule, [['istio-proxy', ['1.24.0', '1.26.0']]], pilot('1.27.0'))).toEqual(['MW8031']);
    expect(await found(rule, [['istio-proxy', ['1.26.0']]], pilot('1.25.0'))).toEqual(['MW8031']);
  });
  it('that come together are compared with each other, not with what they replace', async () => {
    const rule = rules({ skew: [{ of: 'istio-proxy', behind: 'istiod', minor: 1 }] });
    expect(await found(rule, [['istiod', ['1.20.0']]], pilot('1.26.0'), proxy('1.26.0'))).toEqual([]);
    expect(await found(rule, [], pilot('1.26.0'), proxy('1.24.0'))).toContain('MW8031');
  });
  it('ask for a cluster of their range', async () => {
    const rule = rules({ ranges: { istiod: {}, kubernetes: { min: '1.30.0' } } });
    expect(await found(rule, [['kubernetes', ['1.34.4']]], pilot('1.26.0'))).toEqual([]);
    expect(await found(rule, [['kubernetes', ['1.29.9']]], pilot('1.26.0'))).toEqual(['MW8030']);
    expect(await found(rule, [['kubernetes', ['1.29.9']]], 'nginx')).toEqual([]);
  });
  it('are not decided about before it is known what runs', async () => {
    const rule = rules({ ranges: { istiod: {} } });
    expect(await found(rule, null, pilot('1.26.0'))).toEqual(['undecided']);
    expect(await found(rule, null, 'nginx')).toEqual([]);
  });
  it('only warn where the rule only warns', async () => {
    const context = contextWith({ products: [rules({ mode: 'warn', ranges: { istiod: { min: '2.0.0' } } })] }, { products: new Map() });
    expect(await adjudicate(reviewOf(pod(pilot('1.0.0')), 'pods'), context)).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining('MW8030')],
    });
  });
});
