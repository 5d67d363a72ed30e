/** RFC 6902, as the API server applies it: what our patches use of it. Throws where the RFC says that a patch fails. */
type Operation = { readonly op: string; readonly path: string; readonly value?: unknown };

/** A changed copy. */
export function applyPatch(document: unknown, patch: readonly Operation[]): unknown {
  const result: unknown = structuredClone(document);
  for (const { op, path, value } of patch) {
    const keys = path
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined), result);
    if (typeof parent !== 'object' || parent === null) throw new Error(`${path}: there is nothing to change in`);
    if (Array.isArray(parent)) {
      const index = last === '-' ? parent.length : Number(last);
      const most = op === 'add' ? parent.length : parent.length - 1;
      if (!Number.isInteger(index) || index < 0 || index > most) throw new Error(`${path}: no such index`);
      parent.splice(index, op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [structuredClone(value)]));
    } else if (op === 'add') Reflect.set(parent, last, structuredClone(value));
    else if (!Object.hasOwn(parent, last)) throw new Error(`${path}: there is no such member`);
    else if (op === 'remove') Reflect.deleteProperty(parent, last);
    else Reflect.set(parent, last, structuredClone(value));
  }
  return result;
}
