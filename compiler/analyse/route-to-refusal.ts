import { analyse as messages } from '../../core/diagnostics/analyse';
import { callableByWorkload } from '../../core/ir/edges';
import type { AccessRule, PathTemplate, RouteRule, Workload } from '../../core/ir/ir';
import type { PortKey } from '../../core/mesh/ids';
import { serviceOfPort } from '../../core/mesh/ids';
import { canonicalJson } from '../../core/lib/json';
import { rewriteFor } from '../../core/semantics/forwarded';
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
    const { to, mirrors, rewrite } = rule.action;
    const about = rule.match?.callers ?? null;
    const concerned = about === null ? callers : callers.filter((caller) => about.includes(caller.principal));
    const { action } = rule;
    const sent = to.map((target) => ({ port: target.port, path: rewriteFor(action, target)?.path ?? null }));
    const leads = [
      ...new Map(sent.map((lead) => [canonicalJson([lead.port, lead.path]), { ...lead, finding: messages.mayNotGo }])).values(),
      ...[...new Set(mirrors.map((mirror) => mirror.port))].map((port) => ({
        port,
        path: rewrite?.path ?? null,
        finding: messages.mayNotCopy,
      })),
    ];
    for (const { port, path, finding } of leads) {
      // Who may call a port at all was settled before, and what he may ask there: what remains is where its routes lead elsewhere, or with another path.
      if (port === own && path === null) continue;
      for (const caller of concerned) {
        const allows = allowsFor(access.get(port) ?? [], caller.principal, port);
        if (allows.some((allow) => allow.action === 'allow' && meets(rule, path, allow))) continue;
        const owner = ir.services.find((service) => service.key === serviceOfPort(port));
        const span = owner && spanOf(owner.id);
        yield {
          diagnostic: finding(
            { rule: rule.id, caller: caller.key, target: port },
            { span: spanOf(rule.id), related: span ? [{ message: 'the destination', span }] : [] },
          ),
          subjects: [rule.id],
        };
      }
    }
  }
}

/** Whether some request is taken by both, by method and path: the path that the destination reads. */
export function meets(rule: RouteRule, rewritten: PathTemplate | null, allow: AccessRule): boolean {
  const { requests } = allow;
  const routed = rule.match?.requests ?? [];
  if (requests === 'any' || (routed.length === 0 && rewritten === null)) return true;
  const sent = routed.length === 0 ? [{ method: '*', path: rewritten ?? [] }] : routed;
  return sent.some((a) =>
    requests.some((b) => (a.method === '*' || b.method === '*' || a.method === b.method) && meet(rewritten ?? a.path, b.path) !== null),
  );
}
