/** A string (or number) that only its parser makes: `Brand<string, 'PortKey'>` is not assignable from a plain string. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Closes a switch over a discriminated union: adding a kind makes every open switch a compile error. */
export function assertNever(value: never, what = 'kind'): never {
  throw new Error(`internal: unhandled ${what} ${JSON.stringify(value)}`);
}
