/** Versions of the products that run side by side: of a container's image, of what else runs, of the cluster itself. */
import type { Product } from '../../core/bundle/admission-rules';
import { admit } from '../../core/diagnostics/admit';
import { parseImage } from './images';
import type { PodFacts } from './pods';
import type { CompiledProductRule } from './rules-index';
import type { Finding } from './verdict';
import { parseVersion, withinSkew } from './versions';

/** Which product an image is, by the last parts of its repository: mirrors keep them. */
const repositories: readonly (readonly [string, Product])[] = [
  ['istio/pilot', 'istiod'],
  ['istio/proxyv2', 'istio-proxy'],
  ['envoyproxy/envoy', 'envoy'],
  ['envoyproxy/envoy-distroless', 'envoy'],
  ['jaegertracing/jaeger', 'jaeger'],
  ['jaegertracing/all-in-one', 'jaeger'],
  ['jaegertracing/jaeger-collector', 'jaeger'],
  ['kiali/kiali', 'kiali'],
  ['prom/prometheus', 'prometheus'],
  ['prometheus/prometheus', 'prometheus'],
];
/** What a cluster has and no workload brings: looked at whenever a product is deployed on it. */
const ofTheCluster: readonly Product[] = ['kubernetes', 'gateway-api'];

export interface ProductImage {
  readonly product: Product;
  /** null when the image has no tag that is a version. */
  readonly version: string | null;
  readonly field: string;
  readonly image: string;
}

/** The products that a pod's images are. */
export function productsIn(pod: Pick<PodFacts, 'images'>): readonly ProductImage[] {
  return pod.images.flatMap(({ field, image }) => {
    const parsed = parseImage(image);
    if (parsed.kind === 'malformed') return [];
    const path = `/${parsed.image.repository}`;
    const product = repositories.find(([repository]) => path.endsWith(`/${repository}`))?.[1];
    if (product === undefined) return [];
    const { tag } = parsed.image;
    return [{ product, version: tag === null ? null : versionOfTag(tag), field, image }];
  });
}

/** `1.24.3-distroless`, `v1.40.0`: the variant after the version is the image's, not a prerelease; `-rc.1`, `-beta1` and the like are. */
function versionOfTag(tag: string): string | null {
  const [, version = null, suffix = ''] = /^v?(\d+\.\d+\.\d+)(-.*)?$/.exec(tag) ?? [];
  if (version === null) return null;
  return /^-(?:alpha|beta|rc|pre|dev)/.test(suffix) && parseVersion(`${version}${suffix}`) !== null ? `${version}${suffix}` : version;
}

/** What the rules find about the products that a pod brings. Ranges and distances of products that it does not touch are not its affair. */
export function productFindings(
  rules: readonly CompiledProductRule[],
  pod: PodFacts,
  running: ReadonlyMap<Product, readonly string[]>,
): readonly Finding[] {
  if (rules.length === 0) return [];
  const brought = productsIn(pod);
  if (brought.length === 0) return [];
  return rules.flatMap((rule) => brought.flatMap((image) => findingsOf(rule, image, brought, running)));
}

function findingsOf(
  rule: CompiledProductRule,
  { product, version: text, field, image }: ProductImage,
  brought: readonly ProductImage[],
  running: ReadonlyMap<Product, readonly string[]>,
): readonly Finding[] {
  const skews = rule.skew.filter(({ of, behind }) => of === product || behind === product);
  const range = rule.ranges.get(product);
  if (range === undefined && skews.length === 0) return [];
  const found: Finding[] = [];
  const note = (diagnostic: Finding['diagnostic']): void => void found.push({ mode: rule.mode, field, diagnostic });
  const version = text === null ? null : parseVersion(text);
  if (version === null) {
    note(admit.productVersion({ product, image, rule: rule.id }));
    return found;
  }
  if (range !== undefined && !range.has(version))
    note(admit.productRange({ product, version: version.version, range: range.text, rule: rule.id }));
  for (const base of ofTheCluster) {
    const wanted = rule.ranges.get(base);
    for (const has of wanted === undefined ? [] : (running.get(base) ?? [])) {
      const parsed = parseVersion(has);
      if (wanted !== undefined && (parsed === null || !wanted.has(parsed)))
        note(admit.productRange({ product: base, version: has, range: wanted.text, rule: rule.id }));
    }
  }
  for (const { of, behind, minor } of skews) {
    const other = of === product ? behind : of;
    // What comes in the same pod is not running yet, and replaces what is.
    const beside = brought.flatMap((one) => (one.product === other && one.version !== null ? [one.version] : []));
    for (const has of beside.length > 0 ? beside : (running.get(other) ?? [])) {
      const parsed = parseVersion(has);
      const holds = parsed !== null && (of === product ? withinSkew(version, parsed, minor) : withinSkew(parsed, version, minor));
      if (holds) continue;
      const [older, newer] = of === product ? [version.version, has] : [has, version.version];
      note(admit.productSkew({ of, version: older, behind, other: newer, minor, rule: rule.id }));
    }
  }
  return found;
}
