/** The known text nearest to a mistyped one, or undefined when none is near (within a third of its length). First by distance, then by text. */
export function suggest(text: string, known: Iterable<string>): string | undefined {
  const most = Math.max(1, Math.floor(text.length / 3));
  let best: { readonly text: string; readonly distance: number } | undefined;
  for (const candidate of [...known].sort()) {
    if (Math.abs(candidate.length - text.length) > most) continue;
    const distance = editDistance(text, candidate);
    if (distance <= most && (best === undefined || distance < best.distance)) best = { text: candidate, distance };
  }
  return best?.text;
}

/** Insertions, deletions, replacements, and two neighbours that changed places, each counted as one (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const edited = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(swapped ? Math.min(edited, (before[j - 2] ?? 0) + 1) : edited);
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
