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

  const holdsMade = (value: unknown, depth: number): boolean => {
    if (typeof value !== 'object' || value === null || depth > deepest) return false;
    if (sdk.handleOf(value) !== undefined || sdk.isMade?.(value) === true) return true;
    return ownKeys(value).some((key) => holdsMade(getOwnPropertyDescriptor(value, key)?.value, depth + 1));
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
      if (path.length === 1 || holdsMade(value, 0)) say('array', path);
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
  for (const name of ownKeys(namespace).filter((key) => typeof key === 'string').sort()) walk((namespace as { [name: string]: unknown })[name], [name]);
}
