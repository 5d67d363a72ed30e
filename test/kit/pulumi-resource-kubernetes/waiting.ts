/** `pulumi.com/waitFor`: an update ends when the object says so, or fails when its time is up. */
import type { Json, JsonObject } from '../../../core/lib/json';
import type { Kube, Resource } from '../../../platform/kube';
import { refOf } from './api';
import { annotation, isList, isObject, textAt, toJson } from './values';

type Condition = (object: JsonObject) => boolean;
export class WaitError extends Error {
  constructor(
    message: string,
    readonly last: JsonObject,
  ) {
    super(message);
  }
}

/** What an object's annotations ask to wait for; nothing for most. Throws when they cannot be read. */
export function conditionOf(inputs: JsonObject, live: JsonObject): { readonly text: string; readonly holds: Condition } | null {
  if (annotation(inputs, 'pulumi.com/skipAwait') === 'true') return null;
  const value = annotation(live, 'pulumi.com/waitFor');
  if (value === '') return null;
  const expressions = listed(value);
  if (expressions.length === 0) throw new Error('at least one condition must be specified');
  const conditions = expressions.map(parse);
  return { text: expressions.join(' and '), holds: (object) => conditions.every((holds) => holds(object)) };
}

/** Seconds that the options of the resource give, else its annotation, else ten minutes; in milliseconds. */
export function timeoutOf(inputs: JsonObject, seconds: number): number {
  const annotated = Number(annotation(inputs, 'pulumi.com/timeoutSeconds'));
  return (seconds > 0 ? seconds : annotated > 0 ? annotated : 600) * 1000;
}

export async function awaitCondition(
  kube: Kube,
  resource: Resource,
  live: JsonObject,
  { text, holds }: { readonly text: string; readonly holds: Condition },
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly show: (line: string) => void },
): Promise<JsonObject> {
  const { name, namespace } = refOf(live);
  let last = live;
  if (holds(last)) return last;
  options.show(`Waiting for ${text}`);
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', cancelled);
      follower.close();
      act();
    };
    const cancelled = (): void => settle(() => reject(new WaitError('the operation was cancelled', last)));
    const timer = setTimeout(() => settle(() => reject(new WaitError('timed out waiting for the condition', last))), options.timeoutMs);
    const follower = kube.follow(
      resource,
      { ...(namespace === undefined ? {} : { namespace }), fieldSelector: `metadata.name=${name}` },
      () => {
        const seen = toJson([...follower.items().values()][0] ?? null);
        if (!isObject(seen)) return;
        last = seen;
        if (holds(seen)) settle(() => resolve(seen));
      },
    );
    options.signal.addEventListener('abort', cancelled, { once: true });
    if (options.signal.aborted) cancelled();
  });
}

function listed(value: string): readonly string[] {
  try {
    const list: unknown = JSON.parse(value);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    // a single expression
  }
  return [value];
}

function parse(expression: string): Condition {
  if (expression.startsWith('jsonpath=')) return parseJsonPath(expression.slice('jsonpath='.length));
  if (expression.startsWith('condition=')) return parseCondition(expression.slice('condition='.length));
  throw new Error(`expected a "jsonpath=" or "condition=" prefix, got "${expression}"`);
}

/** `{.status.a["b"][0]}=value`, or without the value: that there is one. */
function parseJsonPath(expression: string): Condition {
  const [, path = '', wanted] = /^\{\$?((?:\.[A-Za-z0-9_-]+|\[(?:\d+|"[^"]*"|'[^']*')\])+)\}(?:=(.*))?$/s.exec(expression) ?? [];
  if (path === '') throw new Error(`the stand-in does not read the JSONPath ${expression}`);
  const keys = [...path.matchAll(/\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[["']([^"']*)["']\]/g)].map(
    ([, name, index, quoted]) => name ?? quoted ?? Number(index),
  );
  return (object) => {
    if (isBehind(object)) return false;
    let here: Json | undefined = object;
    for (const key of keys) {
      if (typeof key === 'number') here = isList(here) ? here[key] : undefined;
      else here = isObject(here) ? here[key] : undefined;
    }
    if (here === undefined) return false;
    return wanted === undefined || (typeof here === 'string' ? here : JSON.stringify(here)) === wanted;
  };
}

/** `Ready` or `Ready=False`. */
function parseCondition(expression: string): Condition {
  const [type = '', status = 'True'] = expression.split('=');
  return (object) => {
    const conditions = isObject(object['status']) ? object['status']['conditions'] : undefined;
    if (isBehind(object) || !isList(conditions)) return false;
    return conditions.some((one) => textAt(one, 'type').toLowerCase() === type.toLowerCase() && textAt(one, 'status') === status);
  };
}

/** The status is about an earlier spec. */
function isBehind(object: JsonObject): boolean {
  const [metadata, status] = [object['metadata'], object['status']];
  const generation = isObject(metadata) ? metadata['generation'] : undefined;
  const observed = isObject(status) ? status['observedGeneration'] : undefined;
  return typeof generation === 'number' && typeof observed === 'number' && observed < generation;
}
