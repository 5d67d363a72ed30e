/** Versions of three numbers and ranges of them: `min` included, `below` not, null where a side is open. */
export interface Range {
  readonly min: string | null;
  readonly below: string | null;
}
export const anyVersion: Range = { min: null, below: null };

/** `1.4.0` to its numbers; null when it is none. Numbers have at most nine digits, so that they stay exact. */
export function parseVersion(version: string): readonly [number, number, number] | null {
  const match = /^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$/.exec(version);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : null;
}

/** Below 0, 0 or above 0. What is no version counts as 0.0.0: whoever reads one refuses it first. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a) ?? [0, 0, 0], parseVersion(b) ?? [0, 0, 0]];
  for (let i = 0; i < 3; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether any version lies in the range: nothing does below `0.0.0`. */
export function isEmptyRange({ min, below }: Range): boolean {
  return below !== null && compareVersions(min ?? '0.0.0', below) >= 0;
}
export function isWithin(version: string, { min, below }: Range): boolean {
  return (min === null || compareVersions(version, min) >= 0) && (below === null || compareVersions(version, below) < 0);
}
/** What lies in both. */
export function intersect(a: Range, b: Range): Range {
  return {
    min: a.min === null ? b.min : b.min === null || compareVersions(a.min, b.min) >= 0 ? a.min : b.min,
    below: a.below === null ? b.below : b.below === null || compareVersions(a.below, b.below) <= 0 ? a.below : b.below,
  };
}

/** A range in words: `from 1.4.0, below 2.0.0`. */
export function formatRange({ min, below }: Range): string {
  return [min === null ? '' : `from ${min}`, below === null ? '' : `below ${below}`].filter((part) => part !== '').join(', ') || 'any';
}
