/**
 * JSON as a signature needs it: no duplicate key, and no number that is not kept exactly. An integer beyond 2^53 becomes a `bigint`, which no
 * canonical form takes, so that it can never pass for its rounded neighbour.
 *
 * The common case costs one `JSON.parse` and one look at the bytes: a colon outside a text stands for exactly one key, so as many keys in the
 * value as colons in the text means that no key came twice.
 */

/** Why a text is refused; one line. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}
/** A value of a parsed document. Members are own properties whatever their name is (`__proto__` too): ask with `memberOf`. */
export type JsonFields = { readonly [key: string]: unknown };

export const maxDepth = 256;
/** Every number of at most 15 significant digits is told apart by a double. */
const safeDigits = 15;
/** Of one number; the API server writes at most 25. Longer ones cost more to compare than they are worth. */
const mostDigits = 100;
/** Members and entries of the whole document; two objects of 3 MiB have fewer. */
const mostValues = 1_000_000;
/** The same where numbers have to be looked at in their own spelling, which is slow. */
const mostValuesExactly = 200_000;

interface Scan {
  readonly keys: number;
  /** Whether a number does not fit a double. */
  readonly inexact: boolean;
}

/** Parses bytes that must be UTF-8 and strict JSON. Throws JsonError. */
export function parseJson(bytes: Uint8Array): unknown {
  const { keys, inexact } = scan(bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError('it is not UTF-8');
  }
  let value: unknown;
  try {
    value = inexact ? JSON.parse(text, exactly) : JSON.parse(text);
  } catch (error) {
    throw error instanceof JsonError ? error : new JsonError('it is not JSON');
  }
  if (countKeys(value) !== keys) throw new JsonError('it has a key twice in one object');
  return value;
}

/** A member by its own name; undefined where there is none. */
export function memberOf(value: unknown, name: string): unknown {
  return isFields(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export const isFields = (value: unknown): value is JsonFields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Equal as JSON: order of members does not count. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  if (!isFields(a) || !isFields(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]));
}

/** Where two values differ first: `spec.clusters[2].name`. null when they are equal. */
export function firstDifference(a: unknown, b: unknown, path: string): string | null {
  if (sameJson(a, b)) return null;
  if (Array.isArray(a) && Array.isArray(b)) {
    const index = Array.from({ length: Math.max(a.length, b.length) }, (_, at) => at).find((at) => !sameJson(a[at], b[at])) ?? 0;
    return index < a.length && index < b.length ? firstDifference(a[index], b[index], `${path}[${index}]`) : `${path}[${index}]`;
  }
  if (isFields(a) && isFields(b)) {
    const name = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().find((key) => !sameJson(memberOf(a, key), memberOf(b, key)));
    if (name !== undefined) return firstDifference(memberOf(a, name), memberOf(b, name), `${path}.${name}`);
  }
  return path;
}

/** Looks at each byte once. What is no JSON at all is found by the parser after it. */
function scan(bytes: Uint8Array): Scan {
  let keys = 0;
  let depth = 0;
  let values = 0;
  let inexact = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      const end = endOfNumber(bytes, at);
      if (!isShort(bytes, at, end) && !isExact(bytes.subarray(at, end))) inexact = true;
      at = end - 1;
    } else if (byte === 0x22) {
      at = endOfText(bytes, at + 1);
    } else if (byte === 0x3a) {
      keys += 1;
    } else if (byte === 0x2c) {
      values += 1;
    } else if (byte === 0x7b || byte === 0x5b) {
      values += 1;
      if (++depth > maxDepth) throw new JsonError(`it is nested more than ${maxDepth} deep`);
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
  }
  if (values > (inexact ? mostValuesExactly : mostValues)) throw new JsonError('it has too many values');
  return { keys, inexact };
}

/** Index after a number that begins here: digits, point, exponent. */
function endOfNumber(bytes: Uint8Array, from: number): number {
  let end = from + 1;
  for (; end < bytes.length; end++) {
    const byte = bytes[end] ?? 0;
    const goesOn = (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || byte === 0x65 || byte === 0x45 || byte === 0x2b || byte === 0x2d;
    if (!goesOn) break;
    if (end - from >= mostDigits) throw new JsonError(`it has a number of more than ${mostDigits} digits`);
  }
  return end;
}

/** Whether a number has so few digits that a double keeps it; an exponent is always looked at closely. */
function isShort(bytes: Uint8Array, from: number, end: number): boolean {
  if (end - from > safeDigits) return false;
  for (let at = from; at < end; at++) if (bytes[at] === 0x65 || bytes[at] === 0x45) return false;
  return true;
}

/** Whether a double keeps a number as it is written. */
function isExact(number: Uint8Array): boolean {
  const source = Buffer.from(number).toString('latin1');
  const value = Number(source);
  return /^\d+$/.test(source) ? Number.isSafeInteger(value) : Number.isFinite(value) && significant(source) === significant(String(value));
}

/** Index of the quote that ends a text; the end of the bytes when nothing does. */
function endOfText(bytes: Uint8Array, from: number): number {
  for (let quote = bytes.indexOf(0x22, from); quote >= 0; quote = bytes.indexOf(0x22, quote + 1)) {
    let backslashes = 0;
    while (quote - 1 - backslashes >= from && bytes[quote - 1 - backslashes] === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return quote;
  }
  return bytes.length;
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countKeys(item);
    return count;
  }
  for (const name of Object.keys(value)) {
    const member: unknown = Reflect.get(value, name);
    count += typeof member === 'object' ? 1 + countKeys(member) : 1;
  }
  return count;
}

/** A reviver that sees each number as it is written (`JSON.parse` with source text). */
function exactly(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number') return value;
  const source = context?.source;
  if (source === undefined) throw new JsonError('its numbers cannot be read exactly');
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  if (Number.isFinite(value) && significant(source) === significant(String(value))) return value;
  throw new JsonError(`it holds the number \`${source.slice(0, 40)}\`, which cannot be kept exactly`);
}

/** Digits and decimal exponent of a number's text, without what does not change its value. */
function significant(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace(/^[-+]/, '').split('.');
  const all = `${whole}${fraction}`;
  const digits = all.replace(/^0+/, '').replace(/0+$/, '');
  if (digits === '') return '0';
  const trailing = all.length - all.replace(/0+$/, '').length;
  return `${digits}e${Number(exponent) - fraction.length + trailing}`;
}
