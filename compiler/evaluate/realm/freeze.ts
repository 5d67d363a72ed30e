/** Freezing in depth, with a memory, so that what was walked once is not walked again. */
const { freeze, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { ownKeys } = Reflect;
const walked = new WeakSet<object>();
// Methods found on the instance: what is done to the prototype later makes no difference.
const known = walked.has.bind(walked);
const remember = walked.add.bind(walked);

/** Freezes values and what they lead to: properties, accessors and prototypes. */
export function freezeAll(roots: readonly unknown[]): void {
  const queue = [...roots];
  while (queue.length > 0) {
    const value = queue.pop();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || known(value)) continue;
    remember(value);
    freeze(value);
    queue.push(getPrototypeOf(value) as unknown);
    for (const key of ownKeys(value)) {
      const found = getOwnPropertyDescriptor(value, key);
      if (!found) continue;
      if ('value' in found) queue.push(found.value as unknown);
      else queue.push(found.get, found.set);
    }
  }
}
