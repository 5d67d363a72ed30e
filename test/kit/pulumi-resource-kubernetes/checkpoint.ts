/** What Pulumi's state holds of an object: the live object with the inputs beside it, and how a change is told from the two. */
import type { Json, JsonObject } from '../../../core/lib/json';
import { isList, isObject, textAt } from './values';

const kept = ['__inputs', '__initialApiVersion', '__fieldManager'] as const;

export const checkpoint = (inputs: JsonObject, live: JsonObject, fieldManager: string): JsonObject => ({
  ...live,
  __inputs: inputs,
  __initialApiVersion: textAt(inputs, 'apiVersion'),
  __fieldManager: fieldManager,
});

export function parseCheckpoint(state: JsonObject): {
  readonly inputs: JsonObject;
  readonly live: JsonObject;
  readonly fieldManager: string;
} {
  const inputs = state['__inputs'];
  const live = Object.fromEntries(Object.entries(state).filter(([key]) => !kept.some((name) => name === key)));
  return { inputs: isObject(inputs) ? inputs : {}, live, fieldManager: textAt(state, '__fieldManager') };
}

/** Of the live object, what the inputs speak of. */
export function pruned(live: Json, inputs: Json): Json {
  if (isObject(live) && isObject(inputs)) {
    return Object.fromEntries(
      Object.entries(live).flatMap(([key, value]): [string, Json][] => {
        const input = inputs[key];
        return input === undefined ? [] : [[key, pruned(value, input)]];
      }),
    );
  }
  if (isList(live) && isList(inputs)) {
    return inputs.slice(0, live.length).map((input, index) => pruned(live[index] ?? null, input));
  }
  return live;
}

const serverSet = [
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'uid',
];
/** Without what only the server sets. */
export function withoutServerFields(object: JsonObject): JsonObject {
  const { metadata } = object;
  if (!isObject(metadata)) return object;
  return { ...object, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !serverSet.includes(key))) };
}

export interface Change {
  /** A Pulumi property path. */
  readonly path: string;
  readonly kind: 'add' | 'delete' | 'update';
}

/** From what the state says to what the program wants. Lists are compared by position. */
export function changesBetween(old: JsonObject, wanted: JsonObject): readonly Change[] {
  const changes: Change[] = [];
  compare('', old, wanted, changes);
  return changes.filter(({ path }) => path !== '');
}
function compare(path: string, old: Json | undefined, wanted: Json | undefined, changes: Change[]): void {
  if (old === undefined) {
    // Null asks for nothing and yet is asked for: the server never gives it back, so it shows for ever.
    if (wanted !== undefined) changes.push({ path, kind: wanted === null ? 'delete' : 'add' });
  } else if (wanted === undefined) changes.push({ path, kind: 'delete' });
  else if (isObject(old) && isObject(wanted)) {
    for (const key of new Set([...Object.keys(old), ...Object.keys(wanted)])) compare(childOf(path, key), old[key], wanted[key], changes);
  } else if (isList(old) && isList(wanted)) {
    for (let index = 0; index < Math.max(old.length, wanted.length); index++)
      compare(`${path}[${index}]`, old[index], wanted[index], changes);
  } else if (old !== wanted) changes.push({ path, kind: 'update' });
}
function childOf(path: string, key: string): string {
  if (/[."[\]]/.test(key)) return `${path}["${key.replaceAll('"', '\\"')}"]`;
  return path === '' ? key : `${path}.${key}`;
}
