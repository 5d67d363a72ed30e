/** Readers: each takes plain data at a place and answers with a wire value, or refuses in words that teach. */
import { freeze, hasOwn, isArray, isInteger, keysOf } from './intrinsics';
import { suggest } from './did-you-mean';
import { describeMade, madeOf } from './made';
import { type Place, refuse, under } from './policy-error';
import type { Plain, PlainRecord } from './plain';

export type Reader<T> = (value: Plain, at: Place) => T;

/** What a value is, in a message: short, and never the whole of it. */
export function show(value: Plain): string {
  if (typeof value === 'string') return value.length > 80 ? `\`${value.slice(0, 77)}...\`` : `\`${value.replaceAll('\n', ' ')}\``;
  if (value === null || typeof value !== 'object') return `\`${value}\``;
  const made = madeOf(value);
  if (made) return describeMade(made);
  return isArray(value) ? (value.length === 0 ? 'an empty list' : 'a list') : 'a record';
}

export const text: Reader<string> = (value, at) => {
  if (typeof value !== 'string') return refuse(at, 'MW2101', `${show(value)} where a text is meant`, 'write a text in quotes');
  return value;
};
/** A text that says something: a reason, a ticket. */
export const saying: Reader<string> = (value, at) => {
  const said = text(value, at);
  if (said.trim() === '') return refuse(at, 'MW2106', 'an empty text', 'say it in a few words');
  if (said.length > 1000) return refuse(at, 'MW2101', 'a text of more than 1000 characters', 'say it in fewer words');
  return said;
};
export const word =
  <const W extends string>(...words: readonly W[]): Reader<W> =>
  (value, at) => {
    for (const known of words) if (known === value) return known;
    return refuse(
      at,
      'MW2101',
      `${show(value)} is not one of the words here`,
      suggest(typeof value === 'string' ? value : '', words, 'word'),
    );
  };
export const whole =
  (least: number, most: number, what: string): Reader<number> =>
  (value, at) => {
    if (typeof value !== 'number')
      return refuse(at, 'MW2101', `${show(value)} where a number is meant`, `write a whole number from ${least} to ${most}`);
    if (!isInteger(value) || value < least || value > most)
      return refuse(at, 'MW2125', `\`${value}\` is no ${what}`, `write a whole number from ${least} to ${most}`);
    return value;
  };

export interface ListRules {
  readonly empty?: 'allowed';
  /** Words for a list whose items must differ. */
  readonly unique?: string;
}
export const list =
  <T>(item: Reader<T>, rules: ListRules = {}): Reader<readonly T[]> =>
  (value, at) => {
    if (!isArray(value)) return refuse(at, 'MW2101', `${show(value)} where a list is meant`, 'write it in brackets: `[...]`');
    if (value.length === 0 && rules.empty !== 'allowed') {
      return refuse(
        at,
        'MW2106',
        'an empty list',
        'nothing may not mean everything: name at least one, or leave the key out where it may be left out',
      );
    }
    const read: T[] = [];
    for (let i = 0; i < value.length; i++) {
      const one = item(value[i] ?? null, under(at, i));
      if (rules.unique !== undefined && read.includes(one))
        return refuse(under(at, i), 'MW2126', `${show(value[i] ?? null)} is written twice`, `name each ${rules.unique} once`);
      read.push(one);
    }
    return freeze(read);
  };
/** One, or a list of at least one; always answers with a list. */
export const oneOrMore =
  <T>(item: Reader<T>): Reader<readonly T[]> =>
  (value, at) =>
    isArray(value) ? list(item)(value, at) : freeze([item(value, at)]);

type Readers = { readonly [key: string]: Reader<unknown> };
type Answers<R extends Readers> = { readonly [K in keyof R]: R[K] extends Reader<infer T> ? T : never };

export function recordOf(value: Plain, at: Place): PlainRecord {
  if (typeof value !== 'object' || value === null || isArray(value) || madeOf(value)) {
    return refuse(at, 'MW2101', `${show(value)} where a record is meant`, 'write it in braces: `{ ... }`');
  }
  return value as PlainRecord; // a record of the snapshot: not a list, not made
}

/** A record with these keys and no others. `teach` says more about a key that belongs to something else. */
export const record = <R extends Readers, O extends Readers>(
  required: R,
  optional: O,
  teach: { readonly [key: string]: string } = {},
): Reader<Answers<R> & Partial<Answers<O>>> => {
  const [mandatory, voluntary] = [keysOf(required), keysOf(optional)];
  const keys = [...mandatory, ...voluntary];
  return (value, at) => {
    const given = recordOf(value, at);
    for (const key of keysOf(given)) {
      if (keys.includes(key)) continue;
      const said = hasOwn(teach, key) ? teach[key] : undefined;
      return refuse(at, 'MW2103', `unknown key \`${key.slice(0, 80)}\``, said ?? suggest(key, keys, 'key'));
    }
    const read: Record<string, unknown> = {};
    for (const key of mandatory) {
      const one = given[key];
      if (one === undefined) return refuse(at, 'MW2102', `\`${key}\` is missing`, `say \`${key}\`: it is never assumed`);
      read[key] = required[key]?.(one, under(at, key));
    }
    for (const key of voluntary) {
      const one = given[key];
      if (one !== undefined) read[key] = optional[key]?.(one, under(at, key));
    }
    return freeze(read) as Answers<R> & Partial<Answers<O>>; // each key was read by its own reader
  };
};

/** The same, where at least one key must be given: an empty one would mean everything, or nothing. */
export const atLeastOne =
  <T>(reader: Reader<T>, what: string): Reader<T> =>
  (value, at) => {
    const given = recordOf(value, at);
    if (keysOf(given).length === 0)
      return refuse(at, 'MW2106', `${what} that says nothing`, 'nothing may not mean everything: give at least one key');
    return reader(value, at);
  };

/** A record with names of the author's choosing. */
export const named =
  <T>(name: Reader<string>, item: Reader<T>, empty: 'allowed' | 'refused' = 'refused'): Reader<{ readonly [name: string]: T }> =>
  (value, at) => {
    const given = recordOf(value, at);
    const keys = keysOf(given);
    if (keys.length === 0 && empty === 'refused')
      return refuse(at, 'MW2106', 'an empty record', 'nothing may not mean everything: name at least one');
    const read: Record<string, T> = {};
    for (const key of keys) read[name(key, under(at, key))] = item(given[key] ?? null, under(at, key));
    return freeze(read);
  };
