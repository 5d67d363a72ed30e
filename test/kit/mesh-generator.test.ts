import { canonicalJson } from '../../core/lib/json';
import { serviceOfPort } from '../../core/mesh/ids';
import { decide } from '../../core/semantics/decide';
import { upgradeOf } from '../../core/semantics/upgrade';
import { generateMesh, generateRequests } from './mesh-generator';
import { isWild } from './mesh-generator-outside';
import { generatePolicies } from './policy-generator';

test('equal seeds make equal meshes and requests', () => {
  for (const seed of [1, 2, 3]) {
    const ir = generateMesh(seed, 8);
    expect(canonicalJson(generateMesh(seed, 8))).toBe(canonicalJson(ir));
    expect(generateRequests(ir, seed, 20)).toEqual(generateRequests(ir, seed, 20));
  }
  expect(canonicalJson(generateMesh(1, 8))).not.toBe(canonicalJson(generateMesh(2, 8)));
});

test('200 meshes lower, and their requests meet every outcome and stage', () => {
  const seen = new Map<string, number>();
  for (let seed = 0; seed < 200; seed++) {
    const ir = generateMesh(seed, 3 + (seed % 8));
    for (const request of generateRequests(ir, seed, 25)) {
      const decision = decide(ir, request);
      const key = `${decision.stage} ${decision.outcome} ${decision.status}`;
      const about = [
        ...(upgradeOf(request.headers) === null ? [] : [`upgrade ${key}`]),
        ...(request.to !== null && isWild(serviceOfPort(request.to)) ? [`under a wildcard ${key}`] : []),
      ];
      for (const one of [key, ...about]) seen.set(one, (seen.get(one) ?? 0) + 1);
    }
  }
  for (const key of [
    'canonical deny 400',
    'outbound deny 403',
    'route deny 421',
    'route allow 404',
    'route allow 302',
    'inbound allow null',
    'inbound deny 403',
    'inbound mixed null',
    'upgrade route deny 403',
    'upgrade outbound deny 403',
    'upgrade inbound deny 403',
    'upgrade inbound allow null',
    'under a wildcard outbound deny 403',
    'under a wildcard inbound allow null',
  ]) {
    expect([key, (seen.get(key) ?? 0) > 10]).toEqual([key, true]);
  }
});

test('policies of 40 services at fan-out 5 are modules of their teams', () => {
  const files = generatePolicies(40, 5);
  expect([...files.keys()].filter((path) => path.endsWith('services.policy.ts'))).toHaveLength(2);
  expect([...files.values()].join('').match(/\.allow\(/g)).toHaveLength(200);
});
