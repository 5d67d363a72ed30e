/** Pulumi's property values as plain JSON and back. Secrets are not asked for, so none come; what is not known yet is a marker text. */
import { Struct, type JavaScriptValue } from 'google-protobuf/google/protobuf/struct_pb';
import type { Json, JsonObject } from '../../../core/lib/json';

const unknownMarker = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

export function fromStruct(struct: Struct | undefined): JsonObject {
  const value = toJson(struct?.toJavaScript() ?? {});
  return isObject(value) ? value : {};
}
export const toStruct = (value: JsonObject): Struct =>
  Struct.fromJavaScript(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toValue(item)])));

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

/** Whether any value is not known before an update. */
export function hasUnknown(value: Json): boolean {
  if (value === unknownMarker) return true;
  if (isList(value)) return value.some(hasUnknown);
  return isObject(value) && Object.values(value).some(hasUnknown);
}

export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  let here: Json | undefined = value;
  for (const key of path) here = isObject(here) ? here[key] : undefined;
  return typeof here === 'string' ? here : '';
}
export const annotation = (object: JsonObject, name: string): string => textAt(object, 'metadata', 'annotations', name);

/** Anything from JSON.parse. */
export function toJson(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(toJson);
  return typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)])) : null;
}
function toValue(value: Json): JavaScriptValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(toValue);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toValue(item)]));
}
