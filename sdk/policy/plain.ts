/** Text, numbers, booleans, null, lists and records of these; and what the SDK made, kept as it is. Records have no prototype. */
export type Plain = null | boolean | number | string | readonly Plain[] | PlainRecord | object;
export interface PlainRecord {
  readonly [key: string]: Plain;
}
