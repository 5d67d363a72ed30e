import { analyse as messages } from '../../core/diagnostics/analyse';
import { callableByWorkload } from '../../core/ir/edges';
import { accessByPort, allowsFor } from './finding';
import type { Analyser } from './finding';

/** Services that nobody may call, and workloads that are cut off both ways. */
export const unreachable: Analyser = {
  name: 'unreachable',
  inputs: ['access', 'needs', 'workloads', 'services', 'hostRoutes', 'hostConnections'],
  *run({ ir, spanOf }) {
    const access = accessByPort(ir);
    const callable = callableByWorkload(ir);
    const services = new Map(ir.services.map((service) => [service.key, service]));
    const gateways = new Set([
      ...[...ir.hostRoutes, ...ir.hostConnections].map((table) => table.gateway),
      // one that is on the way out calls the hosts
      ...ir.services.flatMap(({ outside }) => outside?.through ?? []),
    ]);
    for (const workload of ir.workloads) {
      if (workload.kind === 'east-west') continue;
      const ports = services.get(workload.key)?.ports ?? [];
      const called = ports.some((port) => {
        const rules = access.get(port.key) ?? [];
        return rules.some(
          (rule) =>
            rule.action === 'allow' &&
            rule.callers.kind === 'principals' &&
            rule.callers.principals.some(({ principal }) => allowsFor(rules, principal, port.key).includes(rule)),
        );
      });
      const calls = (callable.get(workload.key) ?? []).length > 0 || gateways.has(workload.key);
      const at = { span: spanOf(workload.id) };
      if (!called && !calls) yield { diagnostic: messages.callsNothing({ workload: workload.key }, at), subjects: [workload.id] };
      else if (!called && workload.kind === 'service' && ports.some((port) => port.layer === 'http'))
        yield { diagnostic: messages.noOneCalls({ service: workload.key }, at), subjects: [workload.id] };
    }
  },
};
