/** The time the API server gives: `?timeout=10s`, a duration as Go writes it. */
const units: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
]);
/** What the answer needs for its way back. */
const reserveMs = 150;
const leastMs = 50;

/** Milliseconds within which an answer has to leave, at most `most`. What cannot be read counts as absent. */
export function deadlineOf(timeout: unknown, most: number): number {
  if (typeof timeout !== 'string' || timeout.length > 32) return most;
  let given = 0;
  let rest = timeout;
  while (rest !== '') {
    const [whole = '', count = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m)/.exec(rest) ?? [];
    if (whole === '') return most;
    given += Number(count) * (units.get(unit) ?? 0);
    rest = rest.slice(whole.length);
  }
  return given <= 0 ? most : Math.min(most, Math.max(leastMs, given - reserveMs));
}
