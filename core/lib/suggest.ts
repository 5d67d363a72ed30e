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

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
