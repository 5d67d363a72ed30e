/** Rules about deployment from the compiler to the verdict: what policy lowers and emits is what the webhook reads, and rules only ever narrow. */
import fc from 'fast-check';
import { analyse } from '../../compiler/analyse';
import { emitAdmission } from '../../compiler/emit/admission';
import type { DeployRule, MeshIr, ProductRule } from '../../core/ir/ir';
import { products, type DeployerMatch } from '../../core/mesh/deploy-time';
import { nameOf, type RuleId } from '../../core/mesh/ids';
import { isEmptyRange } from '../../core/lib/version';
import type { AdmitContext } from '../../webhook/admit/context';
import { rulesIndex } from '../../webhook/admit/rules-index';
import { versionLabel } from '../../webhook/admit/pods';
import { adjudicateWorkload } from '../../webhook/admit/workloads';
import type { Review } from '../../webhook/review/review';
import { admissionRulesSpec } from '../../webhook/state/rules-form';
import { bookinfo } from '../kit/bookinfo-ir';

const mesh = bookinfo();
const names = mesh.workloads.filter((workload) => workload.key.startsWith('bookinfo/')).map((workload) => nameOf(workload.key));
const users = ['ada', 'bob', 'system:serviceaccount:ci:deployer'];
const groups = ['sre', 'books'];
const registries = ['ghcr.io/acme/', 'ghcr.io/acme/books/', 'docker.io/library/'];
const images = [
  'ghcr.io/acme/shop:1',
  'ghcr.io/acme/books/reviews:1',
  'ghcr.io/acme-evil/shop:1',
  'nginx',
  'ghcr.io/acme/envoyproxy/envoy:v2.0.0',
];
const versionTexts = ['1.0.0', '1.4.0', '1.9.9', '2.0.0', '3.1.0'];
const digest = `@sha256:${'0'.repeat(64)}`;

const deployer: fc.Arbitrary<DeployerMatch> = fc.oneof(
  fc.constantFrom('ada', 'bob').map((name): DeployerMatch => ({ kind: 'user', name })),
  fc.constantFrom(...groups).map((name): DeployerMatch => ({ kind: 'group', name })),
  fc.constant<DeployerMatch>({ kind: 'account', namespace: 'ci', name: 'deployer' }),
);
const bound = fc.option(fc.constantFrom(...versionTexts));
const range = fc.record({ min: bound, below: bound }).filter((one) => !isEmptyRange(one));
const mode = fc.constantFrom('deny' as const, 'deny' as const, 'warn' as const, 'audit' as const);
const deployRule: fc.Arbitrary<Omit<DeployRule, 'id'>> = fc.record({
  mode,
  namespace: fc.constantFrom('bookinfo', 'platform'),
  workloads: fc.option(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 })),
  by: fc.array(deployer, { minLength: 1, maxLength: 3 }),
  images: fc.option(
    fc.record({
      from: fc.uniqueArray(fc.constantFrom(...registries), { minLength: 1 }),
      digest: fc.constantFrom('required' as const, 'optional' as const),
    }),
  ),
  version: fc.option(fc.tuple(range, fc.constantFrom('deny' as const, 'warn' as const)).map(([r, downgrade]) => ({ ...r, downgrade }))),
});
const productRule: fc.Arbitrary<Omit<ProductRule, 'id'>> = fc.record({
  mode,
  ranges: fc
    .uniqueArray(fc.constantFrom(...products), { minLength: 1, maxLength: 3 })
    .chain((some) => fc.tuple(...some.map((product) => range.map((one) => ({ product, ...one }))))),
  skew: fc.constant([]),
});
const withIds = <T extends object>(rules: readonly T[], team: string): (T & { readonly id: RuleId })[] =>
  rules.map((rule, index) => ({ ...rule, id: `${team}/rule${index}` as RuleId })); // a fixture's own ids

/** A pod of a workload that may be declared or not, as it is now and, perhaps, as it was. */
interface Deployment {
  readonly user: string;
  readonly groups: readonly string[];
  readonly workload: string;
  readonly account: string | null;
  readonly images: readonly string[];
  readonly version: string | null;
  readonly before: string | null;
}
const deployment: fc.Arbitrary<Deployment> = fc.record({
  user: fc.constantFrom(...users),
  groups: fc.subarray(groups),
  workload: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.constant('stranger') }),
  account: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constant('other') }),
  images: fc.array(
    fc.tuple(fc.constantFrom(...images), fc.boolean()).map(([image, pinned]) => (pinned ? `${image}${digest}` : image)),
    { minLength: 1, maxLength: 2 },
  ),
  version: fc.option(fc.constantFrom(...versionTexts)),
  before: fc.option(fc.constantFrom(...versionTexts)),
});

function pod(of: Deployment, version: string | null): Record<string, unknown> {
  const declared = mesh.workloads.find((workload) => nameOf(workload.key) === of.workload)?.serviceAccount;
  const labels = { app: of.workload, version: 'v1', ...(version === null ? {} : { [versionLabel]: version }) };
  const containers = of.images.map((image, index) => ({ name: `c${index}`, image }));
  const template = { metadata: { labels }, spec: { serviceAccountName: of.account ?? declared ?? 'default', containers } };
  return { metadata: { name: of.workload, namespace: 'bookinfo' }, spec: { template } };
}
function admitted(ir: MeshIr, of: Deployment): boolean {
  const { value } = emitAdmission(ir);
  if (!value) throw new Error('nothing is emitted');
  const review: Review = {
    uid: 'u',
    operation: of.before === null ? 'CREATE' : 'UPDATE',
    kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    subresource: '',
    name: of.workload,
    namespace: 'bookinfo',
    user: { username: of.user, groups: of.groups },
    dryRun: false,
    object: pod(of, of.version),
    oldObject: of.before === null ? null : pod({ ...of, images: ['ghcr.io/acme/old:1'] }, of.before),
  };
  const state = { synced: true, stale: false, live: null, terminating: new Set<string>(), products: new Map() };
  const context = {
    state: { ...state, rules: { kind: 'known', index: rulesIndex(admissionRulesSpec(value.spec)) } },
    meshImages: new Set(),
  };
  return adjudicateWorkload(review, 'deployment', context as unknown as AdmitContext).allowed; // the rest of the context is about releases
}
const over = (deploys: readonly DeployRule[], some: readonly ProductRule[] = []): MeshIr => ({ ...mesh, deploys, products: some });

const rules = fc.array(deployRule, { maxLength: 4 }).map((some) => withIds(some, 'books'));
const productRules = fc.array(productRule, { maxLength: 2 });

test('adding a rule never admits what was denied before', () => {
  let denied = 0;
  fc.assert(
    fc.property(rules, deployRule, productRules, productRule, deployment, (some, another, products, oneMore, of) => {
      const before = over(some, withIds(products, 'platform'));
      if (admitted(before, of)) return;
      denied += 1;
      expect(admitted(over(withIds([...some, another], 'books'), before.products), of)).toBe(false);
      expect(admitted(over(some, withIds([...products, oneMore], 'platform')), of)).toBe(false);
    }),
    { numRuns: 400, seed: 4 },
  );
  expect(denied).toBeGreaterThan(20);
});

test('a rule that is enforced admits nothing that it would only warn of', () => {
  fc.assert(
    fc.property(rules, deployment, (all, of) => {
      const enforced = all.map((rule) => ({ ...rule, mode: 'deny' as const }));
      if (admitted(over(enforced), of)) expect(admitted(over(all), of)).toBe(true);
    }),
    { numRuns: 400, seed: 4 },
  );
});

test('who and what every rule over a workload takes is admitted, and what one of them does not take is denied', () => {
  let seen = 0;
  const all = fc.array(deployRule, { minLength: 1, maxLength: 2 }).map((some) => withIds(some, 'books'));
  fc.assert(
    fc.property(all, deployment, (some, of) => {
      const covering = some.filter(({ namespace, workloads }) => namespace === 'bookinfo' && (workloads?.includes(of.workload) ?? true));
      const strict = covering.map((rule) => ({ ...rule, mode: 'deny' as const }));
      const fits = names.includes(of.workload) && of.account === null && strict.every((rule) => takes(rule, of));
      if (fits && strict.length > 0) seen += 1;
      expect(admitted(over(strict), of)).toBe(fits);
    }),
    { numRuns: 1500, seed: 4 },
  );
  expect(seen).toBeGreaterThan(20);
});

/** The meaning of one rule, said again in the fewest words. */
function takes({ by, images: places, version }: DeployRule, of: Deployment): boolean {
  const named = by.some((one) => {
    if (one.kind === 'group') return of.groups.includes(one.name);
    if (one.kind === 'account') return of.user === `system:serviceaccount:${one.namespace}:${one.name}`;
    return one.kind === 'user' && of.user === one.name;
  });
  const placed = of.images.every((image) => {
    const whole = image.startsWith('nginx') ? `docker.io/library/${image}` : image;
    return (
      places === null || (places.from.some((prefix) => whole.startsWith(prefix)) && (places.digest === 'optional' || image.includes('@')))
    );
  });
  const number = (text: string): number => text.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
  const ranged =
    version === null ||
    (of.version !== null &&
      (version.min === null || number(of.version) >= number(version.min)) &&
      (version.below === null || number(of.version) < number(version.below)) &&
      (of.before === null || version.downgrade === 'warn' || number(of.version) >= number(of.before)));
  return named && placed && ranged;
}

test('where the analyser finds rules that nothing satisfies together, nobody deploys', () => {
  const strict = deployRule.map((rule) => ({ ...rule, mode: 'deny' as const, namespace: 'bookinfo', workloads: null }));
  const many = fc.array(strict, { minLength: 2, maxLength: 4 }).map((some) => withIds(some, 'books'));
  let impossible = 0;
  fc.assert(
    fc.property(many, deployment, (all, of) => {
      const ir = over(all);
      const evaluated = { declarations: [], origins: {}, fuel: 0 };
      const said = analyse({ evaluated, irs: new Map([['test', ir]]), asOf: '2026-11-22' });
      if (!said.some((one) => ['MW4102', 'MW4103', 'MW4104'].includes(one.code))) return;
      impossible += 1;
      expect(admitted(ir, of)).toBe(false);
    }),
    { numRuns: 400, seed: 4 },
  );
  expect(impossible).toBeGreaterThan(10);
});
