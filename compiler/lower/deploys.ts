/** Who may deploy what, and which versions go together: rules that hold when something is deployed, not when a request is made. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { WireVersionRange } from '../../core/declarations/declaration';
import type { DeployRule, ProductRule } from '../../core/ir/ir';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { formatRange, isEmptyRange, isWithin, parseVersion } from '../../core/lib/version';
import type { Range } from '../../core/lib/version';
import { formatDeployer, products } from '../../core/mesh/deploy-time';
import type { Product } from '../../core/mesh/deploy-time';
import { nameOf, namespaceOf } from '../../core/mesh/ids';
import type { RuleId } from '../../core/mesh/ids';
import type { Context, Declared, Place } from './context';
import { checkOwner } from './nouns';
import type { Nouns } from './nouns';
import { wholeNumber } from './units';

export function lowerDeploys(context: Context, nouns: Nouns): readonly DeployRule[] {
  return sortedBy(
    context.all('deploy').flatMap((declared) => lowerDeploy(context, nouns, declared) ?? []),
    (rule) => rule.id,
  );
}

function lowerDeploy(context: Context, nouns: Nouns, { id, team, value }: Declared<'deploy'>): DeployRule | undefined {
  const covered = coveredBy(context, nouns, { id, team, value });
  if (value.by.length === 0) context.report(messages.empty, { what: 'the list of deployers' }, { id, path: 'by' });
  const by = sortedBy(value.by, formatDeployer);
  if (new Set(by.map(formatDeployer)).size < by.length)
    context.report(messages.badDeployRule, { why: 'a deployer is named twice' }, { id, path: 'by' });
  const images = value.images === undefined ? null : { from: sortedUnique(value.images.from), digest: value.images.digest };
  if (images?.from.length === 0) context.report(messages.empty, { what: '`images.from`' }, { id, path: 'images' });
  for (const prefix of images?.from ?? [])
    if (!/^[a-z0-9][a-z0-9._/:-]*\/$/.test(prefix))
      context.report(messages.badDeployRule, { why: `\`${prefix}\` is no prefix of images that ends with \`/\`` }, { id, path: 'images' });
  const range = value.version === undefined ? null : lowerRange(context, value.version, { id, path: 'version' });
  const version = value.version && range ? { ...range, downgrade: value.version.downgrade } : null;
  return covered && { id: id as RuleId, mode: value.mode ?? 'deny', ...covered, by, images, version };
}

/** What a rule is about, which is its author's own: who else deploys to a namespace is for its owner to say. */
function coveredBy(
  context: Context,
  nouns: Nouns,
  { id, team, value }: Declared<'deploy'>,
): Pick<DeployRule, 'namespace' | 'workloads'> | undefined {
  const found = context.resolve(value.on, ['namespace', 'service', 'workload', 'gateway', 'east-west'], { id, path: 'on' });
  const namespace = found && nouns.namespaces.get(found.id);
  const workload = found && nouns.workloads.get(found.id);
  const owner = namespace?.team ?? workload?.team;
  if (owner === undefined) return undefined;
  const subject = namespace?.name ?? workload?.key ?? '';
  checkOwner(context, { team, id }, 'say who deploys', subject, owner, false);
  if (workload) return { namespace: namespaceOf(workload.key), workloads: [nameOf(workload.key)] };
  return { namespace: subject, workloads: null };
}

export function lowerProducts(context: Context): readonly ProductRule[] {
  return sortedBy(
    context.all('versions').map((declared) => lowerProduct(context, declared)),
    (rule) => rule.id,
  );
}

function lowerProduct(context: Context, { id, team, value }: Declared<'versions'>): ProductRule {
  checkOwner(context, { team, id }, 'set the versions of', 'mesh', 'mesh', true);
  const at = { id, path: 'ranges' };
  const names = Object.keys(value.ranges).sort();
  if (names.length === 0) context.report(messages.empty, { what: '`ranges`' }, at);
  const ranges = names.flatMap((name) => {
    const product = productOf(context, name, at);
    const written = value.ranges[name];
    const range = written && lowerRange(context, written, at);
    if (!product || !range) return [];
    checkRuns(context, product, range, at);
    return [{ product, ...range }];
  });
  const skew = (value.skew ?? []).flatMap(({ of, behind, minor }) => {
    const place = { id, path: 'skew' };
    const [older, newer] = [productOf(context, of, place), productOf(context, behind, place)];
    if (of === behind) context.report(messages.badDeployRule, { why: `\`${of}\` cannot be behind itself` }, place);
    wholeNumber(context, 'skew.minor', minor, 0, 99, place);
    return older && newer ? [{ of: older, behind: newer, minor }] : [];
  });
  return {
    id: id as RuleId,
    mode: value.mode ?? 'deny',
    ranges,
    skew: sortedBy(
      skew,
      (one) => one.of,
      (one) => one.behind,
      (one) => String(one.minor).padStart(2, '0'),
    ),
  };
}

/** What the mesh says it runs is refused by no rule of its own. */
function checkRuns(context: Context, product: Product, range: Range, at: Place): void {
  const { runs } = context.mesh;
  const version =
    product === 'envoy' ? runs.envoy : product === 'kubernetes' ? runs.kubernetes : product === 'istiod' ? runs.istio : undefined;
  if (version === undefined || isWithin(version, range)) return;
  const span = context.spanOf({ id: context.meshId, path: 'runs' });
  context.report(messages.runsRefused, { product, version, range: formatRange(range) }, at, span ? [{ message: 'what runs', span }] : []);
}

function productOf(context: Context, name: string, at: Place): Product | undefined {
  const product = products.find((known) => known === name);
  if (!product) context.report(messages.badDeployRule, { why: `there is no product \`${name}\`` }, at);
  return product;
}

function lowerRange(context: Context, written: WireVersionRange, at: Place): Range | undefined {
  const range = { min: written.min ?? null, below: written.below ?? null };
  const bad = [range.min, range.below].filter((version) => version !== null && parseVersion(version) === null);
  for (const version of bad) context.report(messages.badDeployRule, { why: `\`${version}\` is no version of three numbers` }, at);
  if (bad.length > 0) return undefined;
  if (isEmptyRange(range)) context.report(messages.badDeployRule, { why: `no version is ${formatRange(range)}` }, at);
  return range;
}
