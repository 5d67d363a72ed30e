/** Rule ids as places in the sources. */
import type { SourceMap } from '../core/bundle/objects';

export type Place = SourceMap[string];

/** The place of a rule, or of the nearest thing it is a part of: `books/routes.rules.0` falls back to `books/routes`. */
export function placeOf(sources: SourceMap, id: string): Place | undefined {
  for (let name = id; name.includes('/'); name = name.slice(0, Math.max(name.lastIndexOf('.'), 0))) {
    const place = Object.hasOwn(sources, name) ? sources[name] : undefined;
    if (place) return place;
    if (!name.includes('.')) return undefined;
  }
  return undefined;
}

/** `policies/books/access.policy.ts:4:14`, or null where nothing is known. */
export function shownPlace(sources: SourceMap, id: string, show: (file: string) => string): string | null {
  const place = placeOf(sources, id);
  return place ? `${show(place.file)}:${place.line}:${place.column}` : null;
}

/** The line and its neighbours, with a caret below the column. */
export function excerpt(text: string, line: number, column: number, around = 1): string {
  const lines = text.split('\n');
  const first = Math.max(1, line - around);
  const last = Math.min(lines.length, line + around);
  const width = String(last).length;
  const shown: string[] = [];
  for (let number = first; number <= last; number += 1) {
    shown.push(`${String(number).padStart(width)} | ${lines[number - 1] ?? ''}`);
    if (number === line) shown.push(`${' '.repeat(width)} | ${' '.repeat(Math.max(0, column - 1))}^`);
  }
  return shown.join('\n');
}
