/** Matchers of values that are no answers: handles by what they stand for, lists of handles without order. */
import { isArray } from '../policy/intrinsics';
import { type Named, nameOf } from './ask';
import type { Verdict } from './described';
import { TestFailure } from './run';

type ValueMatcher = (actual: unknown, given: readonly unknown[]) => Verdict;

export const valueMatchers: { readonly [name: string]: ValueMatcher } = {
  toEqual: (actual, [wanted]) => {
    const [left, right] = [comparable(actual), comparable(wanted)];
    return { holds: left === right, wanted: `equal ${right}`, is: left === right ? 'it does' : `it is ${left}` };
  },
  toContain: (actual, [wanted]) => {
    if (!isArray(actual)) throw new TestFailure('`toContain` is about a list: write `expect(callersOf(...)).toContain(...)`');
    const member = comparable(wanted);
    const holds = actual.some((one: unknown) => comparable(one) === member);
    return { holds, wanted: `contain ${member}`, is: `it is ${comparable(actual)}` };
  },
};

const deepest = 20;

/** One text for equal values. */
function comparable(value: unknown, depth = 0): string {
  if (depth > deepest) throw new TestFailure(`what is compared is nested deeper than ${deepest} levels, or contains itself`);
  const named = nameOf(value);
  if (named) return shown(named);
  if (isArray(value)) {
    const items = value.map((one: unknown) => ({ text: comparable(one, depth + 1), handle: nameOf(one) !== undefined }));
    const texts = items.map((one) => one.text);
    return `[${(items.every((one) => one.handle) ? texts.sort() : texts).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => `${key}: ${comparable(one, depth + 1)}`)
      .join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
const shown = (named: Named): string => (named.port === undefined ? named.id : `${named.id}.${named.port}`);
