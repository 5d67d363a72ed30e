/** What changes for who deploys, not for who calls: rule by rule, since every rule over a workload holds by itself. */
import type { DeployRule, MeshIr, ProductRule } from '../../core/ir/ir';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { formatRange } from '../../core/lib/version';
import { formatDeployer } from '../../core/mesh/deploy-time';
import type { RuleId } from '../../core/mesh/ids';

export type DeployField = 'deployers' | 'images' | 'digest' | 'version' | 'downgrade' | 'range' | 'skew' | 'mode';
export interface DeployChange {
  /** A namespace, a workload's key, a product, or `envoy behind kubernetes`. */
  readonly subject: string;
  readonly field: DeployField;
  /** In words; `anybody`, `any` and `no rule` where the rule says nothing or is not there. */
  readonly before: string;
  readonly after: string;
  /** Deployers and prefixes of images that this rule takes and did not take before, or no longer takes. `anybody` and `any` are words of theirs too. */
  readonly gained: readonly string[];
  readonly lost: readonly string[];
  readonly because: RuleId;
}

/** By subject, rule, field. A rule that moves to another subject is one that goes and one that comes. */
export function deployChanges(before: MeshIr | null, after: MeshIr): readonly DeployChange[] {
  const [was, is] = [factsOf(before), factsOf(after)];
  const keys = sortedUnique([...was.keys(), ...is.keys()]);
  const changes = keys.flatMap((key): DeployChange[] => {
    const [from, to] = [was.get(key), is.get(key)];
    const known = to ?? from;
    if (!known) return [];
    const [old, fresh] = [from?.values ?? [known.otherwise], to?.values ?? [known.otherwise]];
    if (old.join('\n') === fresh.join('\n')) return [];
    const missing = (list: readonly string[], other: readonly string[]): readonly string[] =>
      list.filter((value) => !other.includes(value));
    const { subject, field, because } = known;
    return [
      { subject, field, before: old.join(', '), after: fresh.join(', '), gained: missing(fresh, old), lost: missing(old, fresh), because },
    ];
  });
  return sortedBy(
    changes,
    (change) => change.subject,
    (change) => change.because,
    (change) => change.field,
  );
}

/** One field of one rule, and what it is where the rule is not there. */
interface Fact {
  readonly subject: string;
  readonly field: DeployField;
  readonly because: RuleId;
  readonly values: readonly string[];
  readonly otherwise: string;
}

function factsOf(ir: MeshIr | null): ReadonlyMap<string, Fact> {
  const facts = [...(ir?.deploys ?? []).flatMap(deployFacts), ...(ir?.products ?? []).flatMap(productFacts)];
  return new Map(facts.map((fact) => [JSON.stringify([fact.because, fact.subject, fact.field]), fact]));
}

function deployFacts({ id, mode, namespace, workloads, by, images, version }: DeployRule): readonly Fact[] {
  const subjects = workloads === null ? [namespace] : workloads.map((name) => `${namespace}/${name}`);
  return subjects.flatMap((subject): Fact[] => {
    const fact = (field: DeployField, values: readonly string[], otherwise: string): Fact => ({
      subject,
      field,
      because: id,
      values,
      otherwise,
    });
    return [
      fact('deployers', by.map(formatDeployer), 'anybody'),
      ...(images ? [fact('images', images.from, 'any'), fact('digest', [images.digest], 'optional')] : []),
      ...(version ? [fact('version', [formatRange(version)], 'any'), fact('downgrade', [version.downgrade], 'allow')] : []),
      fact('mode', [mode], 'no rule'),
    ];
  });
}

function productFacts({ id, mode, ranges, skew }: ProductRule): readonly Fact[] {
  return [
    ...ranges.flatMap(({ product, ...range }): Fact[] => [
      { subject: product, field: 'range', because: id, values: [formatRange(range)], otherwise: 'any' },
      { subject: product, field: 'mode', because: id, values: [mode], otherwise: 'no rule' },
    ]),
    ...skew.map(({ of, behind, minor }): Fact => ({
      subject: `${of} behind ${behind}`,
      field: 'skew',
      because: id,
      values: [`at most ${minor} minor ${minor === 1 ? 'version' : 'versions'}`],
      otherwise: 'any',
    })),
  ];
}
