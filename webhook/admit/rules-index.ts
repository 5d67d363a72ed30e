/** AdmissionRules, made ready once when they change: a review looks up its namespace and workload, however many rules there are. */
import type { AdmissionRulesSpec, DeclaredWorkload, DeployRule, Product, ProductRules, RuleMode } from '../../core/bundle/admission-rules';
import { nameOf, namespaceOf } from '../../core/mesh/ids';
import { deployersOf, type Deployers } from './deployers';
import { compileRange, type CompiledRange } from './versions';

export interface CompiledDeployRule {
  readonly id: string;
  readonly mode: RuleMode;
  readonly deployers: Deployers;
  readonly images: NonNullable<DeployRule['images']> | null;
  readonly version: { readonly range: CompiledRange; readonly downgrade: 'deny' | 'warn' } | null;
}
export interface CompiledProductRule {
  readonly id: string;
  readonly mode: RuleMode;
  readonly ranges: ReadonlyMap<Product, CompiledRange>;
  readonly skew: NonNullable<ProductRules['skew']>;
}
export interface NamespaceRules {
  /** How strictly pods have to be of a declared workload; null: they need not be. */
  readonly declared: RuleMode | null;
  readonly workloads: ReadonlyMap<string, DeclaredWorkload>;
  /** Rules over the namespace as a whole. */
  readonly whole: readonly CompiledDeployRule[];
  readonly byWorkload: ReadonlyMap<string, readonly CompiledDeployRule[]>;
}
export interface RulesIndex {
  /** null: no rule is about it. */
  namespace(name: string): NamespaceRules | null;
  readonly products: readonly CompiledProductRule[];
  /** How many rules there are. */
  readonly size: number;
  /** Whether it has rules at all that read pods. */
  readonly isEmpty: boolean;
}

interface Building {
  declared: RuleMode | null;
  readonly workloads: Map<string, DeclaredWorkload>;
  readonly whole: CompiledDeployRule[];
  readonly byWorkload: Map<string, CompiledDeployRule[]>;
}

const strictness: readonly RuleMode[] = ['audit', 'warn', 'deny'];
export const strictest = (a: RuleMode | null, b: RuleMode): RuleMode =>
  a !== null && strictness.indexOf(a) > strictness.indexOf(b) ? a : b;

/** The index of rules whose form was checked (`admissionRulesSpec`). */
export function rulesIndex(spec: AdmissionRulesSpec): RulesIndex {
  const namespaces = new Map<string, Building>();
  const of = (name: string): Building => {
    const found = namespaces.get(name) ?? { declared: null, workloads: new Map(), whole: [], byWorkload: new Map() };
    namespaces.set(name, found);
    return found;
  };
  const owned = new Set(spec.namespaces ?? []);
  const require = (name: string, mode: RuleMode): void => {
    if (owned.has(name)) of(name).declared = strictest(of(name).declared, mode);
  };
  for (const workload of spec.workloads ?? []) {
    const namespace = namespaceOf(workload.workload);
    of(namespace).workloads.set(nameOf(workload.workload), workload);
    if (workload.injected) require(namespace, 'deny');
  }
  for (const rule of spec.deploys ?? []) {
    require(rule.namespace, rule.mode);
    const compiled: CompiledDeployRule = {
      id: rule.id,
      mode: rule.mode,
      deployers: deployersOf(rule.by),
      images: rule.images ?? null,
      version: rule.version === undefined ? null : { range: compileRange(rule.version), downgrade: rule.version.downgrade },
    };
    const entry = of(rule.namespace);
    if (rule.workloads === undefined) entry.whole.push(compiled);
    for (const name of new Set(rule.workloads ?? [])) {
      const rules = entry.byWorkload.get(name) ?? [];
      rules.push(compiled);
      entry.byWorkload.set(name, rules);
    }
  }
  const products = (spec.products ?? []).map((rule): CompiledProductRule => ({
    id: rule.id,
    mode: rule.mode,
    ranges: new Map(productEntries(rule.ranges).map(([product, range]) => [product, compileRange(range)])),
    skew: rule.skew ?? [],
  }));
  return {
    namespace: (name) => namespaces.get(name) ?? null,
    products,
    size: (spec.deploys?.length ?? 0) + products.length,
    isEmpty: namespaces.size === 0 && products.length === 0,
  };
}

export const productNames: readonly Product[] = [
  'istiod',
  'istio-proxy',
  'envoy',
  'kubernetes',
  'gateway-api',
  'jaeger',
  'kiali',
  'prometheus',
];
const productEntries = (ranges: ProductRules['ranges']): readonly (readonly [Product, NonNullable<ProductRules['ranges'][Product]>])[] =>
  productNames.flatMap((product) => {
    const range = Object.hasOwn(ranges, product) ? ranges[product] : undefined;
    return range === undefined ? [] : [[product, range] as const];
  });
