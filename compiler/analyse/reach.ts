import { analyse as messages } from '../../core/diagnostics/analyse';
import type { Analyser } from './finding';

/** Settings of how endpoints are reached that take each other's effect away. */
export const reach: Analyser = {
  name: 'reach',
  inputs: ['services'],
  *run({ ir, spanOf }) {
    for (const service of ir.services) {
      const span = spanOf(service.id);
      for (const { key: port, resilience } of service.ports) {
        const { eject, health, locality, panicBelowPercent } = resilience;
        if (locality.kind === 'prefer' && !eject && !health)
          yield { diagnostic: messages.nearWithoutEyes({ port }, { span }), subjects: [service.id] };
        if (eject && eject.atMostPercent + panicBelowPercent > 100) {
          const [atMost, panic] = [`${eject.atMostPercent}%`, `${panicBelowPercent}%`];
          yield { diagnostic: messages.ejectedIntoPanic({ port, atMost, panic }, { span }), subjects: [service.id] };
        }
      }
    }
  },
};
