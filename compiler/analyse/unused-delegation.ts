import { analyse as messages } from '../../core/diagnostics/analyse';
import type { Analyser } from './finding';

/** Paths that were given to a team which routes nothing there: until it does, their owner's own rules take them. */
export const unusedDelegation: Analyser = {
  name: 'unused-delegation',
  inputs: [],
  *run({ evaluated, spanOf }) {
    const used = new Set(evaluated.declarations.flatMap(({ value }) => (value.kind === 'route' ? [value.on.ref] : [])));
    for (const { id, value } of evaluated.declarations) {
      if (value.kind !== 'delegation' || used.has(id)) continue;
      const params = { delegation: id, team: value.to, path: value.path };
      yield { diagnostic: messages.unusedDelegation(params, { span: spanOf(id) }), subjects: [id] };
    }
  },
};
