import { analyse as messages } from '../../core/diagnostics/analyse';
import { abortText } from '../../core/semantics/abort';
import type { Analyser } from './finding';

/** A fault that hits every request of its rule. */
export const abortsEverything: Analyser = {
  name: 'aborts-everything',
  inputs: ['routes', 'hostRoutes'],
  *run({ ir, spanOf }) {
    for (const { rules } of [...ir.routes, ...ir.hostRoutes]) {
      for (const { id, action } of rules) {
        if (action.kind !== 'forward' || action.fault?.abort?.percent !== 100) continue;
        yield { diagnostic: messages.abortsAll({ rule: id, status: abortText(action.fault.abort) }, { span: spanOf(id) }), subjects: [id] };
      }
    }
  },
};
