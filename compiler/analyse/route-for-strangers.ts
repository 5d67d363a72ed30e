import { analyse as messages } from '../../core/diagnostics/analyse';
import { callableByWorkload } from '../../core/ir/edges';
import type { ClaimMatch, RouteRule, UserMatch, WeightedTarget, Workload } from '../../core/ir/ir';
import type { PortKey } from '../../core/mesh/ids';
import { sortedUnique } from '../../core/lib/order';
import { claimsAfter } from '../../core/semantics/user';
import { accessByPort, allowsFor } from './finding';
import type { Analyser, AnalyserInput, Finding } from './finding';
import { meets } from './route-to-refusal';

/** A route by which no user ever gets in: it is for users whom no allow of its destination takes, or it takes their token off. */
export const routeForStrangers: Analyser = {
  name: 'route-for-strangers',
  inputs: ['access', 'needs', 'workloads', 'routes', 'hostRoutes'],
  *run(input) {
    const { ir } = input;
    const access = accessByPort(ir);
    const workloads = new Map(ir.workloads.map((workload) => [workload.key, workload]));
    const callers = new Map<PortKey, Workload[]>();
    for (const [key, ports] of callableByWorkload(ir)) {
      const workload = workloads.get(key);
      if (workload && workload.kind !== 'gateway') for (const port of ports) callers.set(port, [...(callers.get(port) ?? []), workload]);
    }
    for (const table of ir.hostRoutes)
      yield* strangers(
        input,
        access,
        table.rules,
        [workloads.get(table.gateway)].flatMap((one) => one ?? []),
      );
    for (const table of ir.routes) yield* strangers(input, access, table.rules, callers.get(table.port) ?? []);
  },
};

function* strangers(
  { spanOf }: AnalyserInput,
  access: ReturnType<typeof accessByPort>,
  rules: readonly RouteRule[],
  callers: readonly Workload[],
): Generator<Finding> {
  for (const rule of rules) {
    if (rule.action.kind !== 'forward') continue;
    const { to, rewrite, requestHeaders } = rule.action;
    const about = rule.match?.callers ?? null;
    const concerned = about === null ? callers : callers.filter((caller) => about.includes(caller.principal));
    const user = rule.match?.user ?? null;
    const told = new Set<PortKey>();
    for (const target of to) {
      if (told.has(target.port)) continue;
      const path = (target.rewrite ?? rewrite)?.path ?? null;
      const allows = concerned
        .flatMap((caller) => allowsFor(access.get(target.port) ?? [], caller.principal, target.port))
        .filter((allow) => meets(rule, path, allow));
      // who is let in by nobody at all is told so elsewhere
      if (allows.length === 0 || allows.some((allow) => allow.user === null)) continue;
      const tokenGoes = losesToken(target, requestHeaders);
      if (!tokenGoes && (user === null || allows.some((allow) => allow.user !== null && mayBeBoth(user, allow.user)))) continue;
      told.add(target.port);
      yield {
        diagnostic: messages.strangersOnly(
          { rule: rule.id, target: target.port, allows: sortedUnique(allows.map(({ id }) => id)), tokenGoes },
          {
            span: spanOf(rule.id),
            related: allows
              .flatMap(({ id }) => spanOf(id) ?? [])
              .slice(0, 1)
              .map((span) => ({ message: 'whom it takes', span })),
          },
        ),
        subjects: [rule.id],
      };
    }
  }
}

/** Whether what arrives has no token that is valid, whatever was sent. */
function losesToken(target: WeightedTarget, requestHeaders: WeightedTarget['requestHeaders']): boolean {
  const left = claimsAfter({}, [target.requestHeaders, requestHeaders]);
  return left === undefined || left === 'invalid';
}

/** Whether one token can be of both. */
function mayBeBoth(a: UserMatch, b: UserMatch): boolean {
  return a.issuer === b.issuer && a.claims.every((one) => b.claims.every((other) => one.name !== other.name || agree(one, other)));
}
const isList = ({ kind }: ClaimMatch): boolean => kind === 'includes';
/** A claim is a text or a list, never both; a list may hold whatever else. */
function agree(a: ClaimMatch, b: ClaimMatch): boolean {
  return isList(a) === isList(b) && (isList(a) || a.values.some((value) => b.values.includes(value)));
}
