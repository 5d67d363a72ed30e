import type { Span } from '../diagnostics/diagnostic';

/** An import that runs, from file to file. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly span: Span;
}

/** One shortest circle of imports for each group of modules that import each other; in order of path. */
export function importCycles(edges: readonly Edge[]): readonly (readonly Edge[])[] {
  const out = new Map<string, Edge[]>();
  for (const edge of edges) out.set(edge.from, [...(out.get(edge.from) ?? []), edge]);
  const done = new Set<string>();
  const cycles: (readonly Edge[])[] = [];
  for (const start of inCircles(edges, out)) {
    if (done.has(start)) continue;
    const cycle = shortestCircle(start, out);
    if (!cycle) continue;
    for (const edge of cycle) done.add(edge.from);
    cycles.push(cycle);
  }
  return cycles;
}

/** What is left when files that nothing imports are taken away again and again; almost always nothing, and found in linear time. */
function inCircles(edges: readonly Edge[], out: ReadonlyMap<string, readonly Edge[]>): readonly string[] {
  const importers = new Map<string, number>();
  for (const edge of edges) importers.set(edge.to, (importers.get(edge.to) ?? 0) + 1);
  const left = new Set(out.keys());
  const free = [...left].filter((file) => !importers.has(file));
  for (let file = free.pop(); file !== undefined; file = free.pop()) {
    left.delete(file);
    for (const edge of out.get(file) ?? []) {
      const count = (importers.get(edge.to) ?? 0) - 1;
      importers.set(edge.to, count);
      if (count === 0 && left.has(edge.to)) free.push(edge.to);
    }
  }
  return [...left].sort();
}

/** Breadth first from `start` back to itself. */
function shortestCircle(start: string, out: ReadonlyMap<string, readonly Edge[]>): readonly Edge[] | null {
  const cameBy = new Map<string, Edge>();
  const queue = [start];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    for (const edge of out.get(file) ?? []) {
      if (edge.to === start) {
        const path = [edge];
        for (let at = edge.from; at !== start;) {
          const step = cameBy.get(at);
          if (!step) break;
          path.unshift(step);
          at = step.from;
        }
        return path;
      }
      if (!cameBy.has(edge.to)) {
        cameBy.set(edge.to, edge);
        queue.push(edge.to);
      }
    }
  }
  return null;
}
