import { analyse as messages } from '../../core/diagnostics/analyse';
import type { DefinedDiagnostic } from '../../core/diagnostics/diagnostic';
import type { DeployRule } from '../../core/ir/ir';
import { intersect, isEmptyRange } from '../../core/lib/version';
import type { Range } from '../../core/lib/version';
import { formatDeployer } from '../../core/mesh/deploy-time';
import type { DeployerMatch } from '../../core/mesh/deploy-time';
import { nameOf, namespaceOf } from '../../core/mesh/ids';
import type { Analyser } from './finding';

/** Rules that hold over one workload and that nothing satisfies together: all of them hold, so that nobody could deploy it. */
export const deployConflict: Analyser = {
  name: 'deploy-conflict',
  inputs: ['deploys', 'workloads'],
  *run({ ir, spanOf }) {
    const enforced = ir.deploys.filter((rule) => rule.mode === 'deny');
    const told = new Set<string>();
    for (const { key } of ir.workloads) {
      const covering = enforced.filter(
        (rule) => rule.namespace === namespaceOf(key) && (rule.workloads === null || rule.workloads.includes(nameOf(key))),
      );
      for (const { message, excludes } of dimensions) {
        if (!excludes(covering)) continue;
        const rules = smallest(covering, excludes).map((rule) => rule.id);
        const said = JSON.stringify([message.code, rules]);
        if (told.has(said)) continue;
        told.add(said);
        const related = rules.slice(0, -1).flatMap((id) => {
          const span = spanOf(id);
          return span ? [{ message: `\`${id}\``, span }] : [];
        });
        yield { diagnostic: message({ workload: key, rules }, { span: spanOf(rules.at(-1) ?? ''), related }), subjects: rules };
      }
    }
  },
};

interface Dimension {
  readonly message: DefinedDiagnostic<{ workload: string; rules: readonly string[] }>;
  /** Whether nothing satisfies all of them. One rule alone always leaves something: lower sees to it. */
  excludes(rules: readonly DeployRule[]): boolean;
}
const dimensions: readonly Dimension[] = [
  {
    message: messages.noVersionLeft,
    excludes: (rules) => isEmptyRange(rules.map((rule) => rule.version ?? anything).reduce<Range>(intersect, anything)),
  },
  { message: messages.noImageLeft, excludes: (rules) => commonPrefixes(rules).length === 0 },
  { message: messages.nobodyLeft, excludes: (rules) => !somebodyIs(rules.map((rule) => rule.by)) },
];
const anything: Range = { min: null, below: null };

/** Leaves out, one after the other, the rules without which there is a conflict still. */
function smallest(rules: readonly DeployRule[], excludes: Dimension['excludes']): readonly DeployRule[] {
  return rules.reduce<readonly DeployRule[]>((left, rule) => {
    const without = left.filter((one) => one !== rule);
    return excludes(without) ? without : left;
  }, rules);
}

/** Prefixes below which an image satisfies all rules; `['']` where none says anything about images. */
function commonPrefixes(rules: readonly DeployRule[]): readonly string[] {
  return rules.reduce<readonly string[]>(
    (common, { images }) =>
      images === null
        ? common
        : common.flatMap((one) => images.from.flatMap((other) => (other.startsWith(one) ? [other] : one.startsWith(other) ? [one] : []))),
    [''],
  );
}

/** What one request can prove: one name, one CI job, and any groups beside them. */
interface Requester {
  readonly name: string | null;
  readonly job: Extract<DeployerMatch, { readonly kind: 'github' }> | null;
}
/** So many ways to satisfy the rules need no further looking. */
const enough = 500;

/** Whether there can be a requester who is one of each list. */
function somebodyIs(lists: readonly (readonly DeployerMatch[])[]): boolean {
  let left = new Map<string, Requester>([['', { name: null, job: null }]]);
  for (const list of lists) {
    const next = new Map<string, Requester>();
    for (const requester of left.values()) {
      for (const deployer of list) {
        const both = asWell(requester, deployer);
        if (both) next.set(JSON.stringify(both), both);
      }
    }
    if (next.size > enough) return true;
    left = next;
  }
  return left.size > 0;
}
function asWell(requester: Requester, deployer: DeployerMatch): Requester | null {
  if (deployer.kind === 'group') return requester;
  if (deployer.kind !== 'github') {
    const name = deployer.kind === 'account' ? `system:serviceaccount:${deployer.namespace}:${deployer.name}` : deployer.name;
    return requester.name === null || requester.name === name ? { ...requester, name } : null;
  }
  const { job } = requester;
  if (job === null) return { ...requester, job: deployer };
  if (formatDeployer({ ...job, environment: '' }) !== formatDeployer({ ...deployer, environment: '' })) return null;
  if (job.environment === undefined) return { ...requester, job: deployer };
  return deployer.environment === undefined || deployer.environment === job.environment ? requester : null;
}
