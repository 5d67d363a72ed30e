/** Decoding of untrusted JSON, field by field. A refusal is a `DecodeError` whose message names the field, so that it can be sent back as it is. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

export type Fields = { readonly [key: string]: unknown };

/** A plain JSON object. */
export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new DecodeError(`${what} must be an object`);
  return { ...value };
}

/** A non-empty text of at most `max` characters (1,024 unless told). */
export function textOf(fields: Fields, key: string, max = 1024): string {
  const value = fields[key];
  if (typeof value !== 'string' || value.length === 0) throw new DecodeError(`\`${key}\` must be a text`);
  if (value.length > max) throw new DecodeError(`\`${key}\` is longer than ${max} characters`);
  return value;
}

/** The same, or undefined where the key is absent. */
export function optionalTextOf(fields: Fields, key: string, max = 1024): string | undefined {
  return fields[key] === undefined ? undefined : textOf(fields, key, max);
}

/** A finite number within bounds. */
export function numberOf(fields: Fields, key: string, min: number, max: number): number {
  const value = fields[key];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max)
    throw new DecodeError(`\`${key}\` must be a number from ${min} to ${max}`);
  return value;
}

export function optionalNumberOf(fields: Fields, key: string, min: number, max: number): number | undefined {
  return fields[key] === undefined ? undefined : numberOf(fields, key, min, max);
}

export function booleanOf(fields: Fields, key: string): boolean {
  const value = fields[key];
  if (typeof value !== 'boolean') throw new DecodeError(`\`${key}\` must be true or false`);
  return value;
}

/** A list of at most `max` values. */
export function listOf(fields: Fields, key: string, max = 10_000): readonly unknown[] {
  const value: unknown = fields[key];
  if (!Array.isArray(value)) throw new DecodeError(`\`${key}\` must be a list`);
  if (value.length > max) throw new DecodeError(`\`${key}\` has more than ${max} entries`);
  return value;
}

/** A record of texts, numbers and so on, each read by `read`. */
export function recordOf<T>(
  fields: Fields,
  key: string,
  read: (value: unknown, name: string) => T,
  max = 10_000,
): { readonly [name: string]: T } {
  const record = fieldsOf(fields[key], `\`${key}\``);
  const names = Object.keys(record);
  if (names.length > max) throw new DecodeError(`\`${key}\` has more than ${max} entries`);
  return Object.fromEntries(names.map((name) => [name, read(record[name], name)]));
}
