/**
 * Built-ins that do much work for one call. The engine counts loop turns and calls, not what a built-in does inside, so these charge for the
 * texts and lists they touch, and refuse huge ones. Installed before anything else runs; the SDK is charged like everybody.
 */
import { doors, refuse } from './host';

/** Characters or elements for one unit of fuel; a unit is about what 5000 loop turns take. */
const perUnit = 16_384;
/** No text or list in a policy comes near this. */
export const longest = 1 << 20;

type Method = (this: unknown, ...args: unknown[]) => unknown;
const { apply, ownKeys } = Reflect;
const { defineProperty, getOwnPropertyDescriptor } = Object;
const { isArray } = Array;
const text = String;

let pending = 0;
// No template in this file: the engine makes templates by calling `concat`, which is guarded below.
/** Adds to the fuel used. When it is used up, waits for the engine to end the evaluation: nothing can catch that. */
export function charge(size: number, what: string): void {
  if (size > longest) refuse('amplification', '`' + what + '` of ' + text(size) + ' elements');
  pending += size;
  if (pending < perUnit) return;
  const units = (pending / perUnit) | 0;
  pending -= units * perUnit;
  while (doors.charge(units));
}

function wrap(holder: object, name: string | symbol, make: (native: Method) => Method): void {
  const found = getOwnPropertyDescriptor(holder, name);
  if (typeof found?.value !== 'function') return;
  const wrapped = make(found.value as Method);
  defineProperty(wrapped, 'name', { value: typeof name === 'string' ? name : 'method', configurable: true });
  defineProperty(holder, name, { ...found, value: wrapped });
}

const lengthOf = (value: unknown): number => (typeof value === 'string' ? value.length : isArray(value) ? value.length : 0);
const whole = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

// Texts: a cost for what is read, a cost for what is made before it is made.
const made: { readonly [name: string]: (subject: string, args: readonly unknown[]) => number } = {
  repeat: (subject, [count]) => subject.length * whole(count),
  padStart: (_, [target]) => whole(target),
  padEnd: (_, [target]) => whole(target),
  replace: (subject, [, by]) => subject.length + lengthOf(by),
  replaceAll: (subject, [by, to]) => subject.length + lengthOf(to) * (subject.length / Math.max(1, lengthOf(by)) + 1),
};
for (const key of ownKeys(String.prototype)) {
  if (
    key === 'constructor' ||
    key === 'length' ||
    key === 'toString' ||
    key === 'valueOf' ||
    key === 'charCodeAt' ||
    key === 'charAt' ||
    key === 'at' ||
    key === 'codePointAt' ||
    key === 'concat'
  )
    continue;
  const size = typeof key === 'string' ? made[key] : undefined;
  const name = text(key);
  const counted = name === 'repeat' || name === 'padStart' || name === 'padEnd';
  wrap(String.prototype, key, (native) =>
    size
      ? function (this: unknown, ...args) {
          // Read once: an object that changes its mind between the reckoning and the work gets nothing by it.
          const subject = typeof this === 'string' ? this : text(this);
          const plain = args.map((arg, i) =>
            i === 0 && counted ? Number(arg) : typeof arg === 'object' && arg !== null && !(arg instanceof RegExp) ? text(arg) : arg,
          );
          charge(size(subject, plain), name);
          return apply(native, subject, plain);
        }
      : function (this: unknown, ...args) {
          const subject = typeof this === 'string' ? this : text(this);
          if (subject.length > 256) charge(subject.length, name);
          return apply(native, subject, args);
        },
  );
}
// Templates come here too, so this one counts and does no more.
wrap(
  String.prototype,
  'concat',
  (native) =>
    function (this: unknown, ...args) {
      const subject = typeof this === 'string' ? this : text(this);
      let size = subject.length;
      for (let i = 0; i < args.length; i += 1) {
        if (typeof args[i] === 'object') args[i] = text(args[i]);
        size += lengthOf(args[i]);
      }
      if (size > 256) charge(size, 'concat');
      return apply(native, subject, args);
    },
);
// Lists: real arrays only (a made-up `length` could be read anew by the built-in), and none that is long or full of holes.
for (const key of ownKeys(Array.prototype)) {
  if (typeof key !== 'string' || key === 'constructor' || key === 'length' || key === 'push' || key === 'pop' || key === 'at') continue;
  wrap(
    Array.prototype,
    key,
    (native) =>
      function (this: unknown, ...args) {
        if (!isArray(this)) refuse('amplification', '`' + key + '` on something that is no list');
        if (this.length > 64) charge(this.length, key);
        if (key === 'join' || key === 'toString' || key === 'concat') {
          let size = 0;
          for (let i = 0; i < this.length; i += 1) size += lengthOf(this[i]) + lengthOf(args[0]);
          for (let i = 0; i < args.length; i += 1) {
            const arg = args[i];
            if (typeof arg === 'object' && arg !== null && !isArray(arg) && Symbol.isConcatSpreadable in arg)
              refuse('amplification', '`concat` of something that is no list');
            size += lengthOf(arg);
          }
          if (size > 256) charge(size, key);
        }
        if (key === 'flat') charge(weight(this, 0), key);
        return apply(native, this, args);
      },
  );
}
// `flatMap` and `from` in the open: each element is a loop turn that the engine counts.
defineProperty(Array.prototype, 'flatMap', {
  value: function flatMap(this: unknown[], make: (value: unknown, index: number, list: unknown[]) => unknown, self?: unknown): unknown[] {
    if (!isArray(this)) refuse('amplification', '`flatMap` on something that is no list');
    const out: unknown[] = [];
    for (let i = 0; i < this.length; i += 1) {
      const value = apply(make, self, [this[i], i, this]);
      if (isArray(value)) for (let j = 0; j < value.length; j += 1) out[out.length] = value[j] as unknown;
      else out[out.length] = value;
    }
    return out;
  },
  writable: true,
  configurable: true,
});
/** Elements in a list and the lists in it. */
function weight(list: readonly unknown[], depth: number): number {
  let sum = list.length;
  if (sum > longest || depth > 8) return sum;
  for (let i = 0; i < list.length; i += 1) if (isArray(list[i])) sum += weight(list[i] as readonly unknown[], depth + 1);
  return sum;
}
defineProperty(Array, 'from', {
  value: function from(source: ArrayLike<unknown> | Iterable<unknown>, map?: (value: unknown, index: number) => unknown): unknown[] {
    const out: unknown[] = [];
    const add = (value: unknown): void => void (out[out.length] = map ? map(value, out.length) : value);
    if (typeof source === 'string' || Symbol.iterator in Object(source)) for (const value of source as Iterable<unknown>) add(value);
    else {
      const list = source as ArrayLike<unknown>;
      const length = whole(list.length);
      if (length > longest) refuse('amplification', '`from` of ' + text(length) + ' elements');
      for (let i = 0; i < length; i += 1) add(list[i]);
    }
    return out;
  },
  writable: true,
  configurable: true,
});
const reads = (holder: object, names: readonly string[]): void => {
  for (const name of names) {
    wrap(
      holder,
      name,
      (native) =>
        function (this: unknown, ...args) {
          const size = lengthOf(args[0]);
          if (size > 256) charge(size, name);
          const result = apply(native, this, args);
          const out = lengthOf(result);
          if (out > 256) charge(out, name);
          return result;
        },
    );
  }
};
reads(Object, ['keys', 'values', 'entries', 'fromEntries', 'getOwnPropertyNames', 'getOwnPropertySymbols']);
reads(Reflect, ['ownKeys']);
reads(JSON, ['parse', 'stringify']);
reads(globalThis, ['encodeURIComponent', 'decodeURIComponent', 'encodeURI', 'decodeURI', 'parseInt', 'parseFloat']);
reads(Number, ['parseInt', 'parseFloat']);
reads(String, ['raw']);
for (const name of ['exec', 'test']) {
  wrap(
    RegExp.prototype,
    name,
    (native) =>
      function (this: unknown, subject) {
        const read = text(subject);
        if (read.length > 64) charge(read.length, 'a regular expression');
        return apply(native, this, [read]);
      },
  );
}
