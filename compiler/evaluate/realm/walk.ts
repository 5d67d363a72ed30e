/** Finds the declarations that a module exports: values, and plain records of them. */
const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { ownKeys } = Reflect;
const { isArray } = Array;
const PromisePrototype = getPrototypeOf((async () => {})()) as unknown;
const plain = Object.prototype;

export interface Found {
  readonly file: string;
  /** Export name, then record keys. */
  readonly path: readonly string[];
  readonly n: number;
}
export interface Problem {
  readonly kind: 'array' | 'undefined' | 'accessor' | 'too-deep' | 'promise';
  readonly file: string;
  readonly path: readonly string[];
  /** Declarations inside, which are not to be told a second time as unreachable. */
  readonly held?: readonly number[];
}
export interface Sdk {
  handleOf(value: unknown): number | undefined;
  isMade?(value: unknown): boolean;
}

const deepest = 16;

/** Walks one module namespace; `found` and `problems` are added to. */
export function walkExports(sdk: Sdk, file: string, namespace: object, found: Found[], problems: Problem[]): void {
  const open: unknown[] = [];
  const say = (kind: Problem['kind'], path: readonly string[]): void => void problems.push({ kind, file, path });

  /** Whether the SDK's things lie in a value; declarations among them are added to `held`. */
  const holdsMade = (value: unknown, held: number[], depth: number): boolean => {
    if (typeof value !== 'object' || value === null || depth > deepest) return false;
    const n = sdk.handleOf(value);
    if (n !== undefined) held.push(n);
    if (n !== undefined || sdk.isMade?.(value) === true) return true;
    let some = false;
    for (const key of ownKeys(value)) some = holdsMade(getOwnPropertyDescriptor(value, key)?.value, held, depth + 1) || some;
    return some;
  };
  const walk = (value: unknown, path: readonly string[]): void => {
    if (value === undefined) return say('undefined', path);
    if (typeof value !== 'object' || value === null) return;
    const n = sdk.handleOf(value);
    if (n !== undefined) return void found.push({ file, path, n });
    if (sdk.isMade?.(value) === true) return;
    const proto = getPrototypeOf(value) as unknown;
    if (proto === PromisePrototype) return say('promise', path);
    if (isArray(value)) {
      const held: number[] = [];
      if (holdsMade(value, held, 0) || path.length === 1) problems.push({ kind: 'array', file, path, held });
      return;
    }
    if (proto !== plain && proto !== null) return;
    if (path.length > deepest || open.includes(value)) return say('too-deep', path);
    open.push(value);
    for (const key of ownKeys(value)) {
      const descriptor = getOwnPropertyDescriptor(value, key);
      if (typeof key === 'symbol' || !descriptor || !('value' in descriptor)) say('accessor', [...path, String(key)]);
      else walk(descriptor.value, [...path, key]);
    }
    open.pop();
  };
  for (const name of ownKeys(namespace)
    .filter((key): key is string => typeof key === 'string' && key !== '__esModule')
    .sort())
    walk((namespace as { [name: string]: unknown })[name], [name]);
}
