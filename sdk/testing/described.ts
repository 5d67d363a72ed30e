/** Decisions in words. */
import type { Decision } from '../../core/semantics/decision';

/** Whether a matcher holds, and the words of its failure: `expected it to <wanted>, and <is>`. */
export interface Verdict {
  readonly holds: boolean;
  /** Infinitive: `be allowed`. */
  readonly wanted: string;
  /** Clause: `it is denied with 403`. */
  readonly is: string;
}

const outcomes = { allow: 'allowed', deny: 'denied', mixed: 'let in by some destinations and not by others' } as const;

/** `denied with 403: no rule of bookinfo/ratings.web allows ...`. */
export function describe({ outcome, status, says }: Decision): string {
  return `${outcomes[outcome]}${status === null ? '' : ` with ${status}`}: ${says}`;
}

export const quoted = (names: readonly string[]): string => names.map((one) => `\`${one}\``).join(', ');

const units: readonly (readonly [unit: string, milliseconds: number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

/** `2s`, `1500ms`: as a policy would write it. */
export function durationText(milliseconds: number): string {
  const [unit, size] = units.find(([, one]) => milliseconds >= one && milliseconds % one === 0) ?? ['ms', 1];
  return `${milliseconds / size}${unit}`;
}

/** Milliseconds of `2s`; undefined for what is no duration. */
export function millisecondsOf(text: unknown): number | undefined {
  if (typeof text !== 'string') return undefined;
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const size = units.find(([unit]) => unit === parts?.[2])?.[1];
  return parts && size !== undefined ? Number(parts[1]) * size : undefined;
}
