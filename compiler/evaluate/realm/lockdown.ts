/**
 * Runs after the SDK was loaded (which keeps what it took) and before any policy: takes away what a policy may not have, each with a reason
 * of its own, and freezes what stays.
 */
import { freezeAll } from './freeze';
import { refuse } from './host';

const { defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { ownKeys, deleteProperty } = Reflect;

const absent: { readonly [kind: string]: readonly string[] } = {
  clock: ['Date', 'performance', 'Temporal'],
  randomness: ['crypto'],
  network: ['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'Request', 'Response', 'navigator'],
  machine: [
    'process',
    'Buffer',
    'global',
    'window',
    'self',
    'document',
    'Deno',
    'Bun',
    'std',
    'os',
    'module',
    'exports',
    '__dirname',
    '__filename',
    'scriptArgs',
    'localStorage',
  ],
  'code-from-text': ['eval', 'Function'],
  asynchronous: [
    'Promise',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'queueMicrotask',
    'requestAnimationFrame',
  ],
  locale: ['Intl'],
  machinery: [
    'Proxy',
    'WeakRef',
    'FinalizationRegistry',
    'SharedArrayBuffer',
    'Atomics',
    'ArrayBuffer',
    'DataView',
    'BigInt',
    'BigInt64Array',
    'BigUint64Array',
    'Int8Array',
    'Uint8Array',
    'Uint8ClampedArray',
    'Int16Array',
    'Uint16Array',
    'Int32Array',
    'Uint32Array',
    'Float16Array',
    'Float32Array',
    'Float64Array',
    'Iterator',
    'escape',
    'unescape',
    'gc',
  ],
  printing: ['console', 'print', 'alert'],
};
const localeMethods: readonly (readonly [object, string])[] = [
  [String.prototype, 'localeCompare'],
  [String.prototype, 'toLocaleLowerCase'],
  [String.prototype, 'toLocaleUpperCase'],
  [String.prototype, 'normalize'],
  [Array.prototype, 'toLocaleString'],
  [Number.prototype, 'toLocaleString'],
  [Object.prototype, 'toLocaleString'],
];

/** A property that tells the host when it is touched. */
function forbid(holder: object, name: string | symbol, kind: string, shown: string): void {
  defineProperty(holder, name, { get: () => refuse(kind, shown), set: () => refuse(kind, shown), enumerable: false, configurable: false });
}

/** Lets an object of one's own have a property of this name although the prototype is frozen (`this.name = 'MyError'`). */
function overridable(proto: object, name: string, kind: string): void {
  const found = getOwnPropertyDescriptor(proto, name);
  if (!found || !('value' in found)) return;
  const { value } = found;
  defineProperty(proto, name, {
    get: () => value,
    set(this: object, next: unknown) {
      if (this === proto) refuse(kind, name);
      defineProperty(this, name, { value: next, writable: true, enumerable: true, configurable: true });
    },
    enumerable: false,
    configurable: false,
  });
}

/** Takes away and freezes. `loaded` are the SDK's modules: what they export is fixed with the rest. */
export function lockDown(loaded: readonly unknown[]): void {
  const hidden = [async function () {}, function* () {}, async function* () {}].map((made) => getPrototypeOf(made) as object);
  const iterators = [
    [][Symbol.iterator](),
    ''[Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    ''.matchAll(/x/g),
  ].map((made) => getPrototypeOf(made) as object);
  const shared = getPrototypeOf(iterators[0] ?? {}) as object;
  // The helpers of iterators run through long ones without being counted.
  for (const key of ownKeys(shared)) if (key !== Symbol.iterator) deleteProperty(shared, key);
  for (const made of [Function.prototype, ...hidden]) forbid(made, 'constructor', 'code-from-text', 'Function');
  forbid(Math, 'random', 'randomness', 'Math.random');
  for (const [holder, name] of localeMethods) forbid(holder, name, 'locale', name);
  forbid(Error, 'prepareStackTrace', 'forged-origin', 'Error.prepareStackTrace');
  forbid(Error, 'captureStackTrace', 'forged-origin', 'Error.captureStackTrace');
  forbid(Error, 'stackTraceLimit', 'forged-origin', 'Error.stackTraceLimit');
  for (const name of ['name', 'message', 'constructor', 'toString']) overridable(Error.prototype, name, 'forged-origin');
  for (const name of ['constructor', 'toString', 'valueOf']) overridable(Object.prototype, name, 'intrinsic');
  guardNames();

  const promise = getPrototypeOf((async () => {})()) as unknown;
  const kept = ownKeys(globalThis).map((key) => getOwnPropertyDescriptor(globalThis, key)?.value as unknown);
  for (const [kind, names] of Object.entries(absent)) for (const name of names) forbid(globalThis, name, kind, name);
  const error = getOwnPropertyDescriptor(globalThis, 'Error')?.value as unknown;
  defineProperty(globalThis, 'Error', {
    get: () => error,
    set: () => refuse('forged-origin', 'Error'),
    enumerable: false,
    configurable: false,
  });
  freezeAll([
    globalThis,
    error,
    promise,
    ...kept.filter((value) => value !== globalThis),
    ...hidden,
    ...iterators,
    shared,
    ...loaded.flatMap((module) => Object.values(module as object)),
  ]);
}

/** A function's name is printed in stacks; a name with a line break would look like a frame. */
function guardNames(): void {
  const check = (target: unknown, key: unknown): void => {
    if (typeof target === 'function' && key === 'name') refuse('forged-origin', 'a new name for a function');
  };
  const one = Object.defineProperty;
  const many = Object.defineProperties;
  const reflect = Reflect.defineProperty;
  Object.defineProperty = function <T>(target: T, key: PropertyKey, found: PropertyDescriptor & ThisType<unknown>): T {
    check(target, key);
    return one(target, key, found);
  };
  Object.defineProperties = function <T>(target: T, found: PropertyDescriptorMap & ThisType<unknown>): T {
    if ('name' in found) check(target, 'name');
    return many(target, found);
  };
  Reflect.defineProperty = function (target: object, key: PropertyKey, found: PropertyDescriptor & ThisType<unknown>): boolean {
    check(target, key);
    return reflect(target, key, found);
  };
}
