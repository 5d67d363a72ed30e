/** Draws of a split, of a fault or of a mirror: as many as are asked for, and whether they are the share that was said. */

/** Asks so often, not all at once. */
export async function manyTimes<T>(count: number, ask: (index: number) => Promise<T>): Promise<readonly T[]> {
  const answers: T[] = [];
  for (let from = 0; from < count; from += atOnce) {
    const next = Array.from({ length: Math.min(atOnce, count - from) }, (_, index) => ask(from + index));
    answers.push(...(await Promise.all(next)));
  }
  return answers;
}
const atOnce = 50;

/** That `got` of `draws` are so many in a hundred: no further from it than seven standard deviations, which in 200 draws and more chance is once in 1e10. */
export function expectShare(got: number, draws: number, percent: number): void {
  const mean = (draws * percent) / 100;
  const most = 7 * Math.sqrt(mean * (1 - percent / 100));
  const isShare = Math.abs(got - mean) < most;
  expect({ got, draws, percent, isShare }).toEqual({ got, draws, percent, isShare: true });
}
