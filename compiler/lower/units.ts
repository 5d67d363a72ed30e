import { ir as messages } from '../../core/diagnostics/ir';
import type { Context, Place } from './context';

const milliseconds: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const mostMilliseconds = 24 * 3_600_000;

/** `1.5s` in milliseconds; a whole number above 0 and at most a day, or `most`. Reported and undefined otherwise. */
export function durationMs(context: Context, text: string, at: Place, most = mostMilliseconds): number | undefined {
  const fail = (why: string): undefined => void context.report(messages.badDuration, { text, why }, at);
  const parts = /^([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)$/.exec(text);
  if (!parts) return fail('only a plain decimal number with `ms`, `s`, `m` or `h` is read');
  // Rounded where binary fractions stand in the way: 1.1 s is 1100 ms.
  const exact = Number(parts[1]) * (milliseconds[parts[2] ?? ''] ?? Number.NaN);
  const whole = Math.round(exact);
  if (Math.abs(exact - whole) > 1e-6) return fail('it is not a whole number of milliseconds');
  if (whole === 0) return fail('nothing takes no time');
  if (whole > most) return fail(`it is longer than ${most === mostMilliseconds ? 'a day' : `${most / mostMilliseconds} days`}`);
  return whole;
}

/** `20%` as 20, from 0 to 100. Reported and undefined otherwise. */
export function percent(context: Context, text: string, at: Place): number | undefined {
  const parts = /^([0-9]{1,3}(?:\.[0-9]{1,4})?)%$/.exec(text);
  const value = Number(parts?.[1] ?? Number.NaN);
  if (value >= 0 && value <= 100) return value;
  context.report(messages.badPercent, { text, why: parts ? 'it is above 100' : 'only a plain decimal number with `%` is read' }, at);
  return undefined;
}

export function wholeNumber(context: Context, what: string, value: number, least: number, most: number, at: Place): number | undefined {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  context.report(messages.badNumber, { what, value, least, most }, at);
  return undefined;
}

/** `1500` -> `1.5s`, for messages. */
export function formatMs(ms: number): string {
  return ms % 1000 === 0 || ms > 1000 ? `${ms / 1000}s` : `${ms}ms`;
}
