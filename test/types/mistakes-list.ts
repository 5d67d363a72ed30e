/** The mistakes of organisation/mistakes/mistakes.ts: number, what is wrong, the words that tsc must say, and the line that has them. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { organisation } from './policy-compiler';

export const mistakesFile = path.join(organisation, 'mistakes', 'mistakes.ts');
export interface Mistake {
  readonly number: string;
  readonly what: string;
  readonly says: string;
  /** Counted from 1. */
  readonly line: number;
  readonly code: string;
}

export const mistakesText = readFileSync(mistakesFile, 'utf8');
export const mistakes: readonly Mistake[] = mistakesText.split('\n').flatMap((text, index, lines) => {
  const found = /^\/\/ @ts-expect-error (\d{2,3}) (.*?) \| says: (.*)$/.exec(text);
  return found
    ? [{ number: found[1] ?? '', what: found[2] ?? '', says: found[3] ?? '', line: index + 2, code: lines[index + 1] ?? '' }]
    : [];
});
