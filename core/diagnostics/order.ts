import { sortedBy } from '../lib/order';
import type { Diagnostic } from './diagnostic';

const digits = (value: number | undefined): string => String(value ?? 0).padStart(9, '0');

/** By file, line, column, code, message; without repetitions. What a stage reports does not depend on the order it looked in. */
export function inOrder(diagnostics: Iterable<Diagnostic>): readonly Diagnostic[] {
  const seen = new Map<string, Diagnostic>();
  for (const diagnostic of diagnostics) seen.set(JSON.stringify(diagnostic), diagnostic);
  return sortedBy(
    seen.values(),
    (d) => d.span?.file ?? '',
    (d) => digits(d.span?.line),
    (d) => digits(d.span?.column),
    (d) => d.code,
    (d) => d.message,
  );
}

/** One list out of one for each environment: what holds in all of them is said once, the rest names its environments. */
export function mergeEnvironments(byEnvironment: ReadonlyMap<string, readonly Diagnostic[]>): readonly Diagnostic[] {
  const merged = new Map<string, { readonly diagnostic: Diagnostic; readonly environments: Set<string> }>();
  for (const [environment, diagnostics] of byEnvironment) {
    for (const diagnostic of diagnostics) {
      const key = JSON.stringify(diagnostic);
      const entry = merged.get(key) ?? { diagnostic, environments: new Set(diagnostic.environments ?? []) };
      entry.environments.add(environment);
      merged.set(key, entry);
    }
  }
  return inOrder(
    [...merged.values()].map(({ diagnostic, environments }) =>
      environments.size === byEnvironment.size && diagnostic.environments === undefined
        ? diagnostic
        : { ...diagnostic, environments: [...environments].sort() },
    ),
  );
}
