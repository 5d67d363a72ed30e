/**
 * What a generator has to say about a type, by the type alone: a sentence for each thing that can be said in it. A member, kind or literal that the IR gains
 * does not compile before somebody has said how it is generated, or why not.
 */

/** Not generated, and why. Stands for all that is inside. */
export interface NotGenerated {
  readonly notGenerated: string;
}
/** How it is generated. */
type Words = string;

export type CoverageOf<T> = NotGenerated | Inside<NonNullable<T>>;

type Inside<T> = [T] extends [boolean]
  ? Words
  : [T] extends [string | number]
    ? Literals<T>
    : [T] extends [readonly (infer E)[]]
      ? CoverageOf<E>
      : [T] extends [object]
        ? Objects<T>
        : // several of these: each by what it is
          ([Extract<T, string | number>] extends [never] ? unknown : { readonly words: CoverageOf<Extract<T, string | number>> }) &
            ([Extract<T, readonly unknown[]>] extends [never] ? unknown : { readonly list: CoverageOf<Extract<T, readonly unknown[]>> }) &
            ([Things<T>] extends [never] ? unknown : { readonly thing: CoverageOf<Things<T>> });
type Things<T> = Exclude<Extract<T, object>, readonly unknown[]>;

/** A closed list of literals: each; anything else, a name or a number: one sentence. */
type Literals<T extends string | number> = string extends T
  ? Words
  : number extends T
    ? Words
    : [T] extends [{ readonly __brand: unknown }]
      ? Words
      : { readonly [K in T]: Words | NotGenerated };

type Objects<T extends object> =
  IsUnion<T> extends true
    ? [T] extends [{ readonly kind: string }]
      ? { readonly [K in T['kind']]: Members<Omit<Extract<T, { readonly kind: K }>, 'kind'>> }
      : never
    : Members<T>;
type Members<T> = [keyof T] extends [never]
  ? Words | NotGenerated
  : string extends keyof T
    ? CoverageOf<T[keyof T]>
    : NotGenerated | { readonly [K in keyof T]-?: CoverageOf<T[K]> };
type IsUnion<T, U = T> = [T] extends [never] ? false : T extends unknown ? ([U] extends [T] ? false : true) : false;
