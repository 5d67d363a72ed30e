import { networks as words } from '../../core/diagnostics/networks';
import { accessByPort, allowsFor } from './finding';
import type { Analyser } from './finding';

/** Exports that nobody may use, and gateways that nothing goes through. */
export const networks: Analyser = {
  name: 'networks',
  inputs: ['networks', 'access', 'workloads'],
  *run({ ir, spanOf }) {
    const access = accessByPort(ir);
    const { workloads } = ir;
    const { exports = [], gateways = [] } = ir.networks ?? {};
    for (const { id, port } of exports) {
      const rules = access.get(port) ?? [];
      if (workloads.some(({ principal }) => allowsFor(rules, principal, port).length > 0)) continue;
      yield { diagnostic: words.exportedForNobody({ port }, { span: spanOf(id) }), subjects: [id] };
    }
    for (const { id, key } of gateways) {
      if (exports.some((one) => one.gateways.includes(key))) continue;
      yield { diagnostic: words.passesNothing({ gateway: key }, { span: spanOf(id) }), subjects: [id] };
    }
  },
};
