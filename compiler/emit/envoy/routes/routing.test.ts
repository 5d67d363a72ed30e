import type { MeshIr } from '../../../../core/ir/ir';
import { canonicalJson } from '../../../../core/lib/json';
import { key } from '../../../../test/kit/bookinfo-ir';
import { routing } from '../../../../test/kit/routing-ir';
import { emitEnvoy } from '../index';

const emitted = (ir: MeshIr) => {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((one) => one.message).join('\n'));
  return value;
};

test('a proxy holds the rules about its own caller and about nobody in particular, and no others', () => {
  const { services, proxies } = emitted(routing());
  const held = (name: string): string => {
    const called = proxies.find((proxy) => proxy.spec.workload === key(name))?.spec.outbound.services ?? [];
    return canonicalJson(services.filter(({ metadata }) => called.includes(`${metadata.namespace}/${metadata.name}`)));
  };
  // rules 15 and 16 are asked the same; the first is about `reviews` alone
  expect(held('reviews')).toContain('"books/reviewsRoutes.rules.15"');
  expect(held('productpage')).not.toContain('"books/reviewsRoutes.rules.15"');
  expect(held('productpage')).toContain('"books/reviewsRoutes.rules.16"');
});

test('what a route says changes no listener', () => {
  const plain: MeshIr = { ...routing(), routes: routing().routes.map((table) => ({ ...table, cors: null, rules: table.rules.slice(-1) })) };
  const listeners = (ir: MeshIr): string =>
    canonicalJson(emitted(ir).proxies.map(({ spec }) => [spec.inbound.listeners, spec.outbound.listeners]));
  expect(listeners(plain)).toBe(listeners(routing()));
});
