import { analyse as messages } from '../../core/diagnostics/analyse';
import { targetsOfRules } from '../../core/ir/edges';
import { accessByPort } from './finding';
import type { Analyser } from './finding';

/** A host in plain HTTP whose requests are asked for tokens: whoever is on the way reads one, and is that user. */
export const tokensInClear: Analyser = {
  name: 'tokens-in-clear',
  inputs: ['gateways', 'hostRoutes', 'access'],
  *run({ ir, spanOf }) {
    const access = accessByPort(ir);
    for (const { id, gateway, listener, host, rules } of ir.hostRoutes) {
      const speaks = ir.gateways.find(({ key }) => key === gateway)?.listeners.find(({ name }) => name === listener)?.speaks.kind;
      if (speaks !== 'http') continue;
      const atTheEnd = targetsOfRules(rules).flatMap((port) => access.get(port) ?? []);
      const asks = [...rules.flatMap(({ match }) => match?.user ?? []), ...atTheEnd.flatMap(({ user }) => user ?? [])];
      if (asks.length > 0) yield { diagnostic: messages.tokensInClear({ host, listener }, { span: spanOf(id) }), subjects: [id] };
    }
  },
};
