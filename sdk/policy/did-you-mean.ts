/** The one of `words` that `typed` was most likely meant to be: at most a third of its letters differ (two neighbours swapped count as one). */
export function closest(typed: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(Math.min(typed.length, 60) / 3)) + 1;
  if (typed === '' || typed.length > 60) return undefined;
  for (const word of words) {
    if (Math.abs(word.length - typed.length) >= least) continue;
    const distance = editDistance(typed.toLowerCase(), word.toLowerCase());
    if (distance < least) {
      least = distance;
      best = word;
    }
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** `did you mean \`x\`?`, or the words there are. */
export function suggest(typed: string, words: readonly string[], what: string): string {
  const near = closest(typed, words);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  if (words.length === 0) return `there is no ${what} here`;
  const shown = words.slice(0, 12).map((word) => `\`${word}\``);
  return `write one of ${shown.join(', ')}${words.length > 12 ? ` (and ${words.length - 12} more)` : ''}`;
}
