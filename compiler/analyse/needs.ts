import { analyse as messages } from '../../core/diagnostics/analyse';
import { nameOf, nameOfPort, serviceOfPort } from '../../core/mesh/ids';
import { accessByPort, allowsFor } from './finding';
import type { Analyser } from './finding';

/** A need that no rule of the owner answers. */
export const needs: Analyser = {
  name: 'needs',
  inputs: ['access', 'needs', 'workloads', 'services'],
  *run({ ir, spanOf }) {
    const access = accessByPort(ir);
    for (const need of ir.needs) {
      const caller = ir.workloads.find((workload) => workload.key === need.caller);
      if (!caller) continue;
      for (const target of need.targets) {
        if (allowsFor(access.get(target) ?? [], caller.principal, target).length > 0) continue;
        const service = ir.services.find((known) => known.key === serviceOfPort(target));
        const contract = service?.ports.find((port) => port.key === target)?.requests?.[0]?.text;
        const callerName = identifier(nameOf(caller.key));
        const serviceName = service?.id.split('/')[1] ?? identifier(nameOf(serviceOfPort(target)));
        const requests = contract === undefined ? 'anyRequest' : `['${contract}']`;
        const line = `export const ${callerName}Calls${serviceName[0]?.toUpperCase() ?? ''}${serviceName.slice(1)} = ${serviceName}.ports.${nameOfPort(target)}.allow({ from: ${callerName}, requests: ${requests} });`;
        const span = service && spanOf(service.id);
        yield {
          diagnostic: messages.needWithoutAllow(
            { caller: caller.key, target, line },
            { span: spanOf(need.id), related: span ? [{ message: 'the service that would have to allow it', span }] : [] },
          ),
          subjects: [need.id, ...(service ? [service.id] : [])],
        };
      }
    }
  },
};

const identifier = (name: string): string => name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
