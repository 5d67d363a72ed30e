import { analyse as messages } from '../../core/diagnostics/analyse';
import { callableByWorkload } from '../../core/ir/edges';
import type { AccessRule, RouteRule, Workload } from '../../core/ir/ir';
import type { PortKey } from '../../core/mesh/ids';
import { serviceOfPort } from '../../core/mesh/ids';
import { meet } from '../../core/semantics/probes';
import { accessByPort, allowsFor } from './finding';
import type { Analyser, AnalyserInput, Finding } from './finding';

/** A route that sends a caller to a port where nothing it sends there is let in. */
export const routeToRefusal: Analyser = {
  name: 'route-to-refusal',
  inputs: ['access', 'needs', 'workloads', 'routes', 'hostRoutes', 'services'],
  *run(input) {
    const { ir } = input;
    const access = accessByPort(ir);
    const workloads = new Map(ir.workloads.map((workload) => [workload.key, workload]));
    for (const table of ir.hostRoutes) {
      const caller = workloads.get(table.gateway);
      if (caller) yield* refusals(input, access, table.rules, [caller], null);
    }
    const callers = new Map<PortKey, Workload[]>();
    for (const [key, ports] of callableByWorkload(ir)) {
      const workload = workloads.get(key);
      if (workload && workload.kind !== 'gateway') for (const port of ports) callers.set(port, [...(callers.get(port) ?? []), workload]);
    }
    for (const table of ir.routes) yield* refusals(input, access, table.rules, callers.get(table.port) ?? [], table.port);
  },
};

function* refusals(
  { ir, spanOf }: AnalyserInput,
  access: ReadonlyMap<PortKey, readonly AccessRule[]>,
  rules: readonly RouteRule[],
  callers: readonly Workload[],
  own: PortKey | null,
): Generator<Finding> {
  for (const rule of rules) {
    if (rule.action.kind !== 'forward') continue;
    for (const port of new Set(rule.action.to.map((target) => target.port))) {
      // Who may call a port at all was settled before: what remains is where its routes lead elsewhere.
      if (port === own) continue;
      for (const caller of callers) {
        const allows = allowsFor(access.get(port) ?? [], caller.principal, port);
        if (allows.some((allow) => allow.action === 'allow' && meets(rule, allow))) continue;
        const owner = ir.services.find((service) => service.key === serviceOfPort(port));
        const span = owner && spanOf(owner.id);
        yield {
          diagnostic: messages.mayNotGo(
            { rule: rule.id, caller: caller.key, target: port },
            { span: spanOf(rule.id), related: span ? [{ message: 'the destination', span }] : [] },
          ),
          subjects: [rule.id],
        };
      }
    }
  }
}

/** Whether some request is taken by both, by method and path. */
function meets(rule: RouteRule, allow: AccessRule): boolean {
  const routed = rule.match?.requests ?? [];
  const { requests } = allow;
  if (requests === 'any' || routed.length === 0) return true;
  return routed.some((a) =>
    requests.some((b) => (a.method === '*' || b.method === '*' || a.method === b.method) && meet(a.path, b.path) !== null),
  );
}
