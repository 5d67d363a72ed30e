/**
 * What the language gave when the SDK was loaded, before any policy module ran. Everything that reads a stranger's value or decides what a
 * value is goes through these: a module that replaces `WeakMap.prototype.get` or `Array.isArray` changes nothing here. Evaluate freezes the
 * realm as well; the two together are the defence.
 */
const { bind, call } = Function.prototype;

/** `String.prototype.slice` as a function of its subject. */
const uncurried = <T, A extends readonly unknown[], R>(method: (this: T, ...args: A) => R): ((self: T, ...args: A) => R) =>
  bind.call(call, method);

export const { freeze, getPrototypeOf, getOwnPropertyDescriptor, defineProperty, create, keys: keysOf, hasOwn } = Object;
export const { ownKeys, get: getProperty } = Reflect;
export const { isArray } = Array;
export const { isFinite, isInteger } = Number;
export const { stringify, parse } = JSON;
export const objectPrototype: object = Object.prototype;
export const arrayPrototype: object = Array.prototype;
export const RawError = Error;
export const RawProxy = Proxy;

export const sliceText = uncurried(String.prototype.slice);
export const splitText = uncurried<string, [by: string], string[]>(String.prototype.split);
export const indexOfText = uncurried(String.prototype.indexOf);
const exec = uncurried(RegExp.prototype.exec);
export const matches = (pattern: RegExp, text: string): boolean => exec(pattern, text) !== null;
export const groupsOf = (pattern: RegExp, text: string): RegExpExecArray | null => exec(pattern, text);
export const toNumber = Number;
export const percentDecoded = decodeURIComponent;

/** A WeakMap whose methods cannot be swapped from outside. */
export interface Secrets<K extends object, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
}
const mapGet = uncurried(WeakMap.prototype.get);
const mapSet = uncurried(WeakMap.prototype.set);
export function secrets<K extends object, V>(): Secrets<K, V> {
  const map = new WeakMap<object, unknown>();
  return freeze({
    get: (key: K) => mapGet(map, key) as V | undefined,
    set: (key: K, value: V) => {
      mapSet(map, key, value);
    },
  });
}
