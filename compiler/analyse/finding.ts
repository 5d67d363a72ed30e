import type { Diagnostic, Span } from '../../core/diagnostics/diagnostic';
import type { Evaluated } from '../../core/declarations/declaration';
import type { AccessRule, MeshIr } from '../../core/ir/ir';
import { coversPrincipal } from '../../core/semantics/inbound';
import type { PortKey, Principal } from '../../core/mesh/ids';

/** A diagnostic and the ids of the declarations it is about: a waiver at one of them, or around it, covers it. */
export interface Finding {
  readonly diagnostic: Diagnostic;
  readonly subjects: readonly string[];
}

export interface AnalyserInput {
  readonly ir: MeshIr;
  readonly evaluated: Evaluated;
  /** Where a declaration or a part of one (`<id>.rules.0`, `<id>.otherwise`) was written. */
  spanOf(id: string): Span | undefined;
}

/** One analyser. It reads nothing of the IR but its inputs; a test compares the two. */
export interface Analyser {
  readonly name: string;
  readonly inputs: readonly (keyof MeshIr)[];
  run(input: AnalyserInput): Iterable<Finding>;
}

export function spanLookup(evaluated: Evaluated): AnalyserInput['spanOf'] {
  const { origins } = evaluated;
  return (id) => {
    if (Object.hasOwn(origins, id)) return origins[id]?.span;
    const part = /^(.*)\.(rules\.[0-9]+|otherwise)$/.exec(id);
    const [, owner = '', path = ''] = part ?? [];
    if (!Object.hasOwn(origins, owner)) return undefined;
    return origins[owner]?.parts?.[path] ?? origins[owner]?.span;
  };
}

/** The enforced allows by which a principal may reach a port with some request; none where a denial shuts it out. */
export function allowsFor(access: readonly AccessRule[], principal: Principal, port: PortKey): readonly AccessRule[] {
  const rules = access.filter((rule) => rule.port === port && rule.mode === 'enforce' && coversPrincipal(rule.callers, principal));
  // A denial is about whole identities (lower sees to it), so one that matches leaves nothing.
  return rules.some((rule) => rule.action === 'deny') ? [] : rules;
}

/** Access rules by port, for the many questions of one run. */
export function accessByPort(ir: MeshIr): ReadonlyMap<PortKey, readonly AccessRule[]> {
  const map = new Map<PortKey, AccessRule[]>();
  for (const rule of ir.access) {
    const rules = map.get(rule.port);
    if (rules) rules.push(rule);
    else map.set(rule.port, [rule]);
  }
  return map;
}
