import { analyse as messages } from '../../core/diagnostics/analyse';
import type { MeshIr } from '../../core/ir/ir';
import { anyVersion, formatRange, intersect, isEmptyRange, parseVersion } from '../../core/lib/version';
import type { Range } from '../../core/lib/version';
import { products } from '../../core/mesh/deploy-time';
import type { Product } from '../../core/mesh/deploy-time';
import type { Analyser } from './finding';

/** Rules about products that no versions satisfy together. */
export const productVersions: Analyser = {
  name: 'product-versions',
  inputs: ['products'],
  *run({ ir, spanOf }) {
    const enforced = ir.products.filter((rule) => rule.mode === 'deny');
    const ranges = new Map<Product, Range>();
    for (const product of products) {
      const rules = enforced.filter((rule) => rule.ranges.some((range) => range.product === product));
      const left = rules.map((rule) => rangeOf(rule, product)).reduce(intersect, anyVersion);
      ranges.set(product, left);
      if (!isEmptyRange(left)) continue;
      const ids = rules.map((rule) => rule.id);
      yield { diagnostic: messages.noProductVersion({ product, rules: ids }, { span: spanOf(ids.at(-1) ?? '') }), subjects: ids };
    }
    for (const { id, skew } of enforced) {
      for (const { of, behind, minor } of skew) {
        const [older, newer] = [ranges.get(of) ?? anyVersion, ranges.get(behind) ?? anyVersion];
        if (isEmptyRange(older) || isEmptyRange(newer) || canBeClose(older, newer, minor)) continue;
        const params = { rule: id, of, behind, minor, ranges: [formatRange(older), formatRange(newer)] as const };
        yield { diagnostic: messages.impossibleSkew(params, { span: spanOf(id) }), subjects: [id] };
      }
    }
  },
};

function rangeOf(rule: MeshIr['products'][number], product: Product): Range {
  const found = rule.ranges.find((range) => range.product === product);
  return found ? { min: found.min, below: found.below } : anyVersion;
}

/**
 * Whether some version of one range is at most so many minor versions behind some version of the other, in one major version, and not ahead. The first
 * major version that both can have decides: what goes on beyond it has all of its minor versions.
 */
function canBeClose(older: Range, newer: Range, minor: number): boolean {
  const [a, b] = [minorsOf(older), minorsOf(newer)];
  const major = Math.max(a.first.major, b.first.major);
  if (major > Math.min(a.last.major, b.last.major)) return false;
  const [lowA, highA] = within(a, major);
  const [lowB, highB] = within(b, major);
  return highB >= lowA && lowB - highA <= minor;
}

interface Minor {
  readonly major: number;
  readonly minor: number;
}
/** The first and the last minor version of a range, both included. */
function minorsOf({ min, below }: Range): { readonly first: Minor; readonly last: Minor } {
  const [major, minor] = parseVersion(min ?? '0.0.0') ?? [0, 0];
  const end = below === null ? null : parseVersion(below);
  return { first: { major, minor }, last: end ? lastBelow(end) : { major: Infinity, minor: Infinity } };
}
function lastBelow([major, minor, patch]: readonly [number, number, number]): Minor {
  if (patch > 0) return { major, minor };
  return minor > 0 ? { major, minor: minor - 1 } : { major: major - 1, minor: Infinity };
}
const within = ({ first, last }: ReturnType<typeof minorsOf>, major: number): readonly [number, number] => [
  major === first.major ? first.minor : 0,
  major === last.major ? last.minor : Infinity,
];
