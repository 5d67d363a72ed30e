/** What the policy modules made, in the order they made it. The only state of the SDK besides the mesh's names. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import { freeze, keysOf } from './intrinsics';
import { madeOf } from './made';
import type { Call } from './policy-error';

export interface Entry {
  readonly n: number;
  /** Its refs are `#<n>`, resolved to rule ids by the host. */
  readonly value: DeclarationValue;
  /** Frames of the call that made it. */
  readonly stack: string;
  /** Values made by calls of their own (`per(...)`, `respond(...)`), by their path in the call's arguments. */
  readonly parts?: readonly { readonly path: string; readonly stack: string }[];
}

const made: Entry[] = [];

/** Everything made so far. */
export const entries = (): readonly Entry[] => freeze([...made]);

/** How many there are so far. */
export const count = (): number => made.length;

/** Registers a declaration, deep-frozen, and answers with its number. */
export function register(value: DeclarationValue, call: Call): number {
  const n = made.length;
  made[n] = freeze({
    n,
    value: deepFreeze(value),
    stack: call.stack,
    ...(call.parts.length > 0 ? { parts: freeze([...call.parts]) } : {}),
  });
  return n;
}

/** The number of the declaration that a value stands for: the same for the owner's handle and for every shared view of it. Ports, versions and plain values have none. */
export function handleOf(value: unknown): number | undefined {
  const thing = madeOf(value);
  return thing && 'entry' in thing ? thing.entry : undefined;
}

/** Whether the SDK made it, declaration or not: such a value is never walked into. */
export const isMade = (value: unknown): boolean => madeOf(value) !== undefined;

export const refTo = (entry: number): string => `#${entry}`;

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const key of keysOf(value)) deepFreeze((value as Record<string, unknown>)[key]);
  return freeze(value);
}
