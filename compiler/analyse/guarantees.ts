import { analyse as messages } from '../../core/diagnostics/analyse';
import type { AccessRule } from '../../core/ir/ir';
import { serviceOfPort } from '../../core/mesh/ids';
import { coversPrincipal } from '../../core/semantics/inbound';
import { examplePath } from '../../core/semantics/probes';
import { accessByPort, allowsFor } from './finding';
import type { Analyser } from './finding';

/** `never`, proved over all workloads and rules, or refuted with a caller, a rule and a request. */
export const guarantees: Analyser = {
  name: 'guarantees',
  inputs: ['access', 'guarantees', 'workloads', 'services'],
  *run({ ir, spanOf }) {
    const access = accessByPort(ir);
    for (const guarantee of ir.guarantees) {
      for (const port of guarantee.to) {
        const rules = access.get(port) ?? [];
        if (rules.length === 0) continue;
        const owner = ir.services.find((service) => service.key === serviceOfPort(port));
        const binds = guarantee.team === 'mesh' || guarantee.team === 'platform' || guarantee.team === owner?.team;
        for (const caller of ir.workloads) {
          if (!coversPrincipal(guarantee.from, caller.principal)) continue;
          const [rule] = allowsFor(rules, caller.principal, port);
          if (!rule) continue;
          const span = spanOf(rule.id);
          const params = { guarantee: guarantee.id, caller: caller.key, target: port, rule: rule.id, request: requestOf(rule) };
          const where = { span: spanOf(guarantee.id), related: span ? [{ message: 'the rule that lets it in', span }] : [] };
          yield {
            diagnostic: binds ? messages.refuted(params, where) : messages.watchRefuted(params, where),
            subjects: [guarantee.id, ...(owner ? [owner.id] : [])],
          };
        }
      }
    }
  },
};

/** A request that the rule takes, as one would type it. */
export function requestOf(rule: AccessRule): string {
  const cls = rule.requests === 'any' ? undefined : rule.requests[0];
  const line = cls ? `${cls.method === '*' ? 'GET' : cls.method} ${examplePath(cls.path)}` : 'GET /';
  const headers = rule.headers.map((field) => field.name);
  return headers.length > 0 ? `${line} with ${headers.join(', ')}` : line;
}
