import { analyse as messages } from '../../core/diagnostics/analyse';
import { callableByWorkload } from '../../core/ir/edges';
import type { ConnectionMatch, ConnectionRule, Workload } from '../../core/ir/ir';
import { type PortKey, serviceOfPort } from '../../core/mesh/ids';
import { hostCovers } from '../../core/semantics/match';
import { accessByPort, allowsFor } from './finding';
import { isFromWithin } from './shadowed-route';
import type { Analyser, AnalyserInput, Finding } from './finding';

/** Routes of connections: a rule that an earlier one leaves nothing, and one that sends a caller to where it is not let in. */
export const connections: Analyser = {
  name: 'connections',
  inputs: ['access', 'needs', 'workloads', 'connectionRoutes', 'hostConnections', 'services'],
  *run(input) {
    const facts = factsOf(input);
    for (const table of input.ir.connectionRoutes) {
      if (table.id !== null) yield* shadowed(input, table.rules, table.id);
      const callers = facts.workloads.filter((workload) => (facts.callable.get(workload.key) ?? []).includes(table.port));
      yield* refused(input, facts, table.rules, callers, table.port);
    }
    for (const { id, gateway, rules } of input.ir.hostConnections) {
      yield* shadowed(input, rules, id);
      yield* refused(
        input,
        facts,
        rules,
        facts.workloads.filter(({ key }) => key === gateway),
        null,
      );
    }
  },
};

function* shadowed({ spanOf }: AnalyserInput, rules: readonly ConnectionRule[], table: string): Generator<Finding> {
  for (const [index, rule] of rules.entries()) {
    const { match } = rule;
    const taker = match && rules.slice(0, index).find((before) => before.match !== null && takesAll(before.match, match));
    if (!taker) continue;
    const span = spanOf(taker.id);
    const related = span ? [{ message: 'this rule takes them', span }] : [];
    yield { diagnostic: messages.neverMatches({ rule: rule.id, by: taker.id }, { span: spanOf(rule.id), related }), subjects: [table] };
  }
}

/** Whether `before` takes every connection that `match` takes. */
function takesAll(before: ConnectionMatch, match: ConnectionMatch): boolean {
  const callers = before.from.length === 0 || (match.from.length > 0 && match.from.every((one) => before.from.includes(one)));
  const covered = (name: string): boolean =>
    before.sni.some((wide) => wide === name || (wide.startsWith('*.') && hostCovers(wide, name.replace(/^\*/, 'x'))));
  return (
    callers &&
    isFromWithin(match.sources, before.sources) &&
    (before.sni.length === 0 || (match.sni.length > 0 && match.sni.every(covered)))
  );
}

const factsOf = ({ ir }: AnalyserInput) => ({
  access: accessByPort(ir),
  callable: callableByWorkload(ir),
  workloads: ir.workloads,
  services: new Map(ir.services.map((service) => [service.key, service])),
});

function* refused(
  { spanOf }: AnalyserInput,
  { access, services }: ReturnType<typeof factsOf>,
  rules: readonly ConnectionRule[],
  callers: readonly Workload[],
  own: PortKey | null,
): Generator<Finding> {
  const elsewhere = rules.filter((rule) => rule.to.some((target) => target.port !== own));
  if (elsewhere.length === 0) return;
  for (const rule of elsewhere) {
    const from = rule.match?.from ?? [];
    for (const port of new Set(rule.to.map((target) => target.port))) {
      if (port === own) continue;
      for (const caller of callers) {
        if (from.length > 0 && !from.includes(caller.principal)) continue;
        if (allowsFor(access.get(port) ?? [], caller.principal, port).length > 0) continue;
        const owner = services.get(serviceOfPort(port));
        const span = owner && spanOf(owner.id);
        const related = span ? [{ message: 'the destination', span }] : [];
        const where = { rule: rule.id, caller: caller.key, target: port };
        yield { diagnostic: messages.mayNotGo(where, { span: spanOf(rule.id), related }), subjects: [rule.id] };
      }
    }
  }
}
