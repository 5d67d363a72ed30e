/**
 * Versions by npm's `semver`. A prerelease is in a range only where a bound names a prerelease of the same major, minor and patch; build metadata does
 * not count; one leading `v` is taken off.
 */
import { compare, parse, Range, satisfies, type SemVer } from 'semver';
import type { VersionRange } from '../../core/bundle/admission-rules';

/** A version, exactly; null when it is none. */
export const parseVersion = (text: string): SemVer | null => (text.length <= 128 && text === text.trim() ? parse(text) : null);

/** A range, ready to ask. `text`: `>=1.24.0 <1.27.0`, as messages show it. */
export interface CompiledRange {
  readonly text: string;
  /** false for everything when the range itself cannot be read. */
  has(version: SemVer): boolean;
}

export function compileRange({ min, below }: VersionRange): CompiledRange {
  const text = [...(min === undefined ? [] : [`>=${min}`]), ...(below === undefined ? [] : [`<${below}`])].join(' ');
  let range: Range | null;
  try {
    range = new Range(text === '' ? '*' : text);
  } catch {
    range = null;
  }
  return { text: text === '' ? 'any version' : text, has: (version) => range !== null && satisfies(version, range) };
}

export const isOlder = (a: SemVer, b: SemVer): boolean => compare(a, b) < 0;

/** Whether `of` is at most `minor` minor versions older than `behind` and not newer. Patches do not count; another major is too far. */
export const withinSkew = (of: SemVer, behind: SemVer, minor: number): boolean =>
  of.major === behind.major && of.minor <= behind.minor && behind.minor - of.minor <= minor;
