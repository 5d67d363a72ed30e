import { analyse as messages } from '../../core/diagnostics/analyse';
import { coversPrincipal } from '../../core/semantics/inbound';
import { sortedUnique } from '../../core/lib/order';
import { accessByPort } from './finding';
import type { Analyser } from './finding';

/** An allow all of whose callers some denial shuts out. */
export const deniedAnyway: Analyser = {
  name: 'denied-anyway',
  inputs: ['access'],
  *run({ ir, spanOf }) {
    for (const rules of accessByPort(ir).values()) {
      const denials = rules.filter((rule) => rule.action === 'deny' && rule.mode === 'enforce');
      if (denials.length === 0) continue;
      for (const rule of rules) {
        if (rule.action !== 'allow' || rule.mode !== 'enforce' || rule.callers.kind !== 'principals') continue;
        const by = rule.callers.principals.map((caller) => denials.find((denial) => coversPrincipal(denial.callers, caller.principal)));
        if (by.includes(undefined)) continue;
        const ids = sortedUnique(by.flatMap((denial) => (denial ? [denial.id] : [])));
        const related = ids.flatMap((id) => {
          const span = spanOf(id);
          return span ? [{ message: 'the denial', span }] : [];
        });
        yield { diagnostic: messages.deniedAnyway({ rule: rule.id, by: ids }, { span: spanOf(rule.id), related }), subjects: [rule.id] };
      }
    }
  },
};
