import { analyse as messages } from '../../core/diagnostics/analyse';
import type { CallerRef } from '../../core/declarations/declaration';
import type { MeshIr, Workload } from '../../core/ir/ir';
import { namespaceOf } from '../../core/mesh/ids';
import type { Principal } from '../../core/mesh/ids';
import { sortedUnique } from '../../core/lib/order';
import type { Analyser } from './finding';

/** A rule or guarantee that is about one of two workloads under one account, and so about both. */
export const sharedAccount: Analyser = {
  name: 'shared-account',
  inputs: ['workloads', 'namespaces', 'access', 'guarantees'],
  *run({ ir, evaluated, spanOf }) {
    const sharers = new Map<Principal, Workload[]>();
    for (const workload of ir.workloads) sharers.set(workload.principal, [...(sharers.get(workload.principal) ?? []), workload]);
    if ([...sharers.values()].every((workloads) => workloads.length === 1)) return;
    const inForce = new Set<string>([...ir.access, ...ir.guarantees].map((rule) => rule.id));
    for (const { id, value } of evaluated.declarations) {
      if (!inForce.has(id) || (value.kind !== 'access' && value.kind !== 'guarantee')) continue;
      const excepted = value.from.flatMap((caller) => (caller.kind === 'anyone' ? caller.except : []));
      for (const callers of [value.from, excepted]) {
        const meant = new Set(callers.flatMap((caller) => selected(ir, caller)));
        for (const principal of sortedUnique([...meant].map((workload) => workload.principal))) {
          const all = sharers.get(principal) ?? [];
          const others = all.filter((workload) => !meant.has(workload));
          if (others.length === 0) continue;
          const related = others.flatMap((other) => {
            const span = spanOf(other.id);
            return span ? [{ message: `\`${other.key}\` runs under this account too`, span }] : [];
          });
          yield {
            diagnostic: messages.sharedAccount(
              { rule: id, others: others.map((other) => other.key), account: others[0]?.serviceAccount ?? '' },
              { span: spanOf(id), related },
            ),
            subjects: [id, ...all.map((workload) => workload.id)],
          };
        }
      }
    }
  },
};

/** The workloads that a caller reference means, by name, namespace, tag or gateway. */
export function selected(ir: Pick<MeshIr, 'workloads' | 'namespaces'>, caller: CallerRef): readonly Workload[] {
  switch (caller.kind) {
    case 'anyone':
      return [];
    case 'outside':
      return ir.workloads.filter((workload) => workload.id === caller.through.ref);
    case 'tagged': {
      const tags = Object.entries(caller.tags);
      return ir.workloads.filter(
        (workload) => tags.length > 0 && tags.every(([tag, value]) => Object.hasOwn(workload.tags, tag) && workload.tags[tag] === value),
      );
    }
    case 'ref': {
      const namespace = ir.namespaces.find((known) => known.id === caller.to.ref);
      return ir.workloads.filter(
        (workload) => workload.id === caller.to.ref || (namespace !== undefined && namespaceOf(workload.key) === namespace.name),
      );
    }
  }
}
