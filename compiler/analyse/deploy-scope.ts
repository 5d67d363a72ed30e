import { analyse as messages } from '../../core/diagnostics/analyse';
import type { DeployRule } from '../../core/ir/ir';
import { formatDeployer } from '../../core/mesh/deploy-time';
import type { DeployerMatch } from '../../core/mesh/deploy-time';
import { namespaceOf } from '../../core/mesh/ids';
import type { Analyser } from './finding';

/** A rule about deployment that is about nothing, that nobody can satisfy, or of which a part changes nothing. */
export const deployScope: Analyser = {
  name: 'deploy-scope',
  inputs: ['deploys', 'workloads'],
  *run({ ir, spanOf }) {
    const populated = new Set(ir.workloads.map((workload) => namespaceOf(workload.key)));
    for (const rule of ir.deploys) {
      const where = { span: spanOf(rule.id) };
      const { id, namespace } = rule;
      const subjects = [id];
      if (!populated.has(namespace)) yield { diagnostic: messages.deploysNothing({ rule: id, namespace }, where), subjects };
      if (rule.mode === 'deny' && rule.by.length > 0 && rule.by.every((one) => one.kind === 'github'))
        yield { diagnostic: messages.jobsAlone({ rule: id }, where), subjects };
      for (const { what, by } of [...deployersTakenIn(rule), ...prefixesTakenIn(rule)])
        yield { diagnostic: messages.takenInAnyway({ rule: id, what, by }, where), subjects };
    }
  },
};

interface TakenIn {
  readonly what: string;
  readonly by: string;
}
/** A job in one environment, beside the same job in any. */
function deployersTakenIn({ by }: DeployRule): readonly TakenIn[] {
  return by.flatMap((one) => {
    const wider = by.find((other) => other !== one && takesIn(other, one));
    return wider ? [{ what: formatDeployer(one), by: formatDeployer(wider) }] : [];
  });
}
function takesIn(wide: DeployerMatch, one: DeployerMatch): boolean {
  if (wide.kind !== 'github' || one.kind !== 'github') return false;
  return (
    wide.repository === one.repository && wide.branch === one.branch && wide.environment === undefined && one.environment !== undefined
  );
}
function prefixesTakenIn({ images }: DeployRule): readonly TakenIn[] {
  const from = images?.from ?? [];
  return from.flatMap((what) => {
    const by = from.find((other) => other !== what && what.startsWith(other));
    return by === undefined ? [] : [{ what, by }];
  });
}
