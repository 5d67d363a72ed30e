/** Whether a declaration is plain data, looked at without running any of it. */
const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { ownKeys } = Reflect;
const { isArray } = Array;
const { isFinite } = Number;
const objectPrototype = Object.prototype;
const arrayPrototype = Array.prototype;

export interface NotPlain {
  readonly n: number;
  readonly at: string;
  readonly what: string;
}

/** The first place that JSON would drop, change or call; null when there is none. */
export function notPlain(n: number, root: unknown): NotPlain | null {
  const look = (value: unknown, at: string, depth: number): NotPlain | null => {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return null;
    if (typeof value === 'number') return isFinite(value) ? null : { n, at, what: 'no finite number' };
    if (typeof value !== 'object') return { n, at, what: typeof value === 'undefined' ? 'undefined' : `a ${typeof value}` };
    if (depth > 64) return { n, at, what: 'nested too deeply' };
    const list = isArray(value);
    const proto = getPrototypeOf(value) as unknown;
    if (list ? proto !== arrayPrototype : proto !== objectPrototype && proto !== null) return { n, at, what: 'no plain record' };
    if (list) {
      for (let i = 0; i < value.length; i += 1) {
        const found = look(value[i], `${at}.${i}`, depth + 1);
        if (found) return found;
      }
      return null;
    }
    for (const key of ownKeys(value)) {
      const descriptor = getOwnPropertyDescriptor(value, key);
      if (typeof key === 'symbol' || !descriptor || !('value' in descriptor))
        return { n, at: `${at}.${String(key)}`, what: 'an accessor or symbol' };
      const found = look(descriptor.value, at === '' ? key : `${at}.${key}`, depth + 1);
      if (found) return found;
    }
    return null;
  };
  return look(root, '', 0);
}
