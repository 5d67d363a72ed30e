/**
 * The whole standard library of a policy module: what is not here is red while one types (`Date`, `Math.random`, `fetch`, `process`, `eval`, `Intl`,
 * `Promise`, `Proxy`, `globalThis.constructor`), instead of failing later in the sandbox. Used with `"noLib": true`.
 */
interface IArguments {}
interface CallableFunction {}
interface NewableFunction {}
interface Function {
  readonly name: string;
}
interface Boolean {}
interface Symbol {}
interface Object {}
interface RegExp {
  test(text: string): boolean;
}
interface Number {
  toString(): string;
  toFixed(digits?: number): string;
}
interface String {
  readonly length: number;
  readonly [index: number]: string;
  startsWith(s: string): boolean;
  endsWith(s: string): boolean;
  includes(s: string): boolean;
  slice(from?: number, to?: number): string;
  split(by: string): string[];
  replaceAll(from: string, to: string): string;
  trim(): string;
  toLowerCase(): string;
  toUpperCase(): string;
  padStart(n: number, by?: string): string;
}
interface IteratorResult<T> {
  readonly done?: boolean;
  readonly value: T;
}
interface Iterator<T> {
  next(): IteratorResult<T>;
}
interface Iterable<T> {
  [Symbol.iterator](): Iterator<T>;
}
interface IterableIterator<T> extends Iterator<T> {
  [Symbol.iterator](): IterableIterator<T>;
}
declare const Symbol: { readonly iterator: unique symbol };
interface ReadonlyArray<T> {
  readonly length: number;
  readonly [n: number]: T;
  [Symbol.iterator](): IterableIterator<T>;
  map<U>(f: (value: T, index: number) => U): U[];
  filter<S extends T>(f: (value: T) => value is S): S[];
  filter(f: (value: T, index: number) => boolean): T[];
  flatMap<U>(f: (value: T, index: number) => U | readonly U[]): U[];
  forEach(f: (value: T, index: number) => void): void;
  find(f: (value: T) => boolean): T | undefined;
  some(f: (value: T) => boolean): boolean;
  every(f: (value: T) => boolean): boolean;
  includes(value: T): boolean;
  join(by?: string): string;
  slice(from?: number, to?: number): T[];
  concat(...more: (T | readonly T[])[]): T[];
  reduce<U>(f: (sum: U, value: T) => U, start: U): U;
  toSorted(by?: (a: T, b: T) => number): T[];
}
interface Array<T> extends ReadonlyArray<T> {
  push(...values: T[]): number;
  length: number;
  [n: number]: T;
}
interface ConcatArray<T> extends ReadonlyArray<T> {}
interface TemplateStringsArray extends ReadonlyArray<string> {
  readonly raw: readonly string[];
}
declare const Object: {
  keys(o: object): string[];
  values<T>(o: { readonly [s: string]: T }): T[];
  entries<T>(o: { readonly [s: string]: T }): [string, T][];
  fromEntries<K extends string, T>(entries: Iterable<readonly [K, T]>): { readonly [P in K]: T };
};
declare const Math: {
  min(...n: number[]): number;
  max(...n: number[]): number;
  round(n: number): number;
  floor(n: number): number;
  ceil(n: number): number;
};
type Partial<T> = { [P in keyof T]?: T[P] };
type Required<T> = { [P in keyof T]-?: T[P] };
type Readonly<T> = { readonly [P in keyof T]: T[P] };
type Pick<T, K extends keyof T> = { [P in K]: T[P] };
type Record<K extends keyof any, T> = { [P in K]: T };
type Exclude<T, U> = T extends U ? never : T;
type Extract<T, U> = T extends U ? T : never;
type Omit<T, K extends keyof any> = Pick<T, Exclude<keyof T, K>>;
type NonNullable<T> = T & {};
type NoInfer<T> = intrinsic;
type Uppercase<S extends string> = intrinsic;
type Lowercase<S extends string> = intrinsic;
