/** Which rules, routes and guarantees the policy tests decided, and which none of them did. */
import type { MeshIr } from '../core/ir/ir';

export type CoverageKind = 'access' | 'route' | 'guarantee';
export const coverageKinds: readonly CoverageKind[] = ['access', 'route', 'guarantee'];

export interface CoverageCount {
  readonly rules: number;
  readonly decided: number;
}
export interface CoverageReport extends CoverageCount {
  /** Percent of all rules; 100 where there is none. */
  readonly percent: number;
  readonly kinds: Readonly<Record<CoverageKind, CoverageCount>>;
  /** By kind, then id. */
  readonly undecided: readonly { readonly id: string; readonly kind: CoverageKind }[];
}

/** What a word of a listener stands for (`redirect`) is no rule that somebody wrote. */
const isOfListener = (table: string, rule: string): boolean => rule.startsWith(`${table}.listeners.`);

/**
 * Counts, over all environments and once each: access rules that are enforced, route rules that somebody wrote (`otherwise` among them), and
 * guarantees. A rule in shadow decides nothing and cannot be covered; a route table that nobody wrote has no line.
 * @param decided ids that an answer in a passing test named (`decidedBy` of the answers).
 */
export function coverageOf(irs: ReadonlyMap<string, MeshIr>, decided: ReadonlySet<string>): CoverageReport {
  const all = new Map<string, CoverageKind>();
  for (const ir of irs.values()) {
    for (const rule of ir.access) if (rule.mode === 'enforce') all.set(rule.id, 'access');
    for (const table of [...ir.routes, ...ir.connectionRoutes, ...ir.hostRoutes, ...ir.hostConnections])
      if (table.id !== null) for (const rule of table.rules) if (!isOfListener(table.id, rule.id)) all.set(rule.id, 'route');
    for (const guarantee of ir.guarantees) all.set(guarantee.id, 'guarantee');
  }
  const count = (kind: CoverageKind): CoverageCount => {
    const ids = [...all].filter(([, of]) => of === kind).map(([id]) => id);
    return { rules: ids.length, decided: ids.filter((id) => decided.has(id)).length };
  };
  const known = [...all.keys()].filter((id) => decided.has(id)).length;
  return {
    rules: all.size,
    decided: known,
    percent: all.size === 0 ? 100 : (100 * known) / all.size,
    kinds: { access: count('access'), route: count('route'), guarantee: count('guarantee') },
    undecided: coverageKinds.flatMap((kind) =>
      [...all]
        .filter(([id, of]) => of === kind && !decided.has(id))
        .map(([id]) => ({ id, kind }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    ),
  };
}
