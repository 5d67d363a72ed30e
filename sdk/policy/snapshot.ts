/** Takes a stranger's value apart once, into plain data that nothing can change behind our back, or refuses it. */
import {
  arrayPrototype,
  create,
  defineProperty,
  freeze,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  isArray,
  isFinite,
  objectPrototype,
  ownKeys,
} from './intrinsics';
import { madeOf } from './made';
import type { Plain } from './plain';
import { type Place, PolicyError, refuse, under } from './policy-error';

/** No honest declaration comes near these: they bound the work a single call can ask for. */
const limits = { depth: 16, values: 20_000, text: 65_536, list: 10_000 };

/** @throws PolicyError MW2104 (`undefined` under a key), MW2105 (getter, symbol, class instance, cycle, too large, unreadable), MW2101 (function, bigint, NaN). */
export function snapshot(value: unknown, at: Place): Plain {
  const budget = { left: limits.values };
  try {
    return copy(value, at, budget, []);
  } catch (error) {
    if (error instanceof PolicyError) throw error;
    return refuse(at, 'MW2105', 'a value that cannot be read', 'write plain data: text, numbers, lists and records');
  }
}

function copy(value: unknown, at: Place, budget: { left: number }, above: object[]): Plain {
  budget.left -= 1;
  if (budget.left < 0) return refuse(at, 'MW2105', `more than ${limits.values} values in one call`, 'split it into several declarations');
  switch (typeof value) {
    case 'string':
      if (value.length > limits.text)
        return refuse(at, 'MW2105', `a text of ${value.length} characters`, `keep a text under ${limits.text} characters`);
      return value;
    case 'boolean':
      return value;
    case 'number':
      if (!isFinite(value)) return refuse(at, 'MW2101', `the number \`${value}\``, 'write a finite number');
      return value === 0 ? 0 : value;
    case 'undefined':
      return refuse(
        at,
        'MW2104',
        '`undefined`',
        'leave the key out, or give it a value; if it is an imported name, two modules may import each other, and the name was used before its module ran',
      );
    case 'object':
      return value === null ? null : copyObject(value, at, budget, above);
    default:
      return refuse(at, 'MW2101', `a ${typeof value}`, 'write plain data: a policy is read, not called');
  }
}

function copyObject(value: object, at: Place, budget: { left: number }, above: object[]): Plain {
  if (madeOf(value)) return value;
  if (above.length >= limits.depth) return refuse(at, 'MW2105', `a value nested more than ${limits.depth} deep`, 'write it flatter');
  for (const outer of above)
    if (outer === value) return refuse(at, 'MW2105', 'a value that contains itself', 'write plain data without cycles');
  above.push(value);
  const copied = copyInside(value, at, budget, above);
  above.pop();
  return copied;
}

function copyInside(value: object, at: Place, budget: { left: number }, inside: object[]): Plain {
  const prototype = getPrototypeOf(value);
  if (isArray(value)) {
    if (prototype !== arrayPrototype) return refuse(at, 'MW2105', 'an instance of a class', 'write a plain list');
    return copyList(value, at, budget, inside);
  }
  if (prototype !== objectPrototype && prototype !== null) {
    return refuse(
      at,
      'MW2105',
      'an instance of a class, or a record with a prototype of its own',
      'write a plain record, or what the SDK made',
    );
  }
  const copied: Record<string, Plain> = create(null);
  for (const key of ownKeys(value)) {
    if (typeof key === 'symbol') return refuse(at, 'MW2105', 'a key that is a symbol', 'write keys as plain names');
    if (key === '__proto__') return refuse(at, 'MW2105', 'the key `__proto__`', 'choose another name');
    const inner = under(at, key);
    copied[key] = copy(dataOf(value, key, inner), inner, budget, inside); // it has no prototype, so no setter either
  }
  return freeze(copied);
}

function copyList(value: readonly unknown[], at: Place, budget: { left: number }, inside: object[]): Plain {
  const length = value.length;
  if (length > limits.list) return refuse(at, 'MW2105', `a list of ${length}`, `keep a list under ${limits.list}`);
  for (const key of ownKeys(value)) {
    if (key === 'length') continue;
    if (typeof key === 'symbol' || !(Number(key) < length))
      return refuse(at, 'MW2105', 'a list with keys of its own', 'write a plain list');
  }
  const copied: Plain[] = [];
  for (let i = 0; i < length; i++) {
    const inner = under(at, i);
    put(copied, `${i}`, copy(dataOf(value, `${i}`, inner), inner, budget, inside));
  }
  return freeze(copied);
}

/** The value of an own data property; a getter is refused without being called. An absent index of a list reads as `undefined`. */
function dataOf(value: object, key: string, at: Place): unknown {
  const property = getOwnPropertyDescriptor(value, key);
  if (!property) return undefined;
  if (!('value' in property)) return refuse(at, 'MW2105', 'a getter', 'write the value itself');
  return property.value;
}

function put(target: object, key: string, value: Plain): void {
  defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
