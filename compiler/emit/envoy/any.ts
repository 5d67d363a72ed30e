import { create, type DescMessage, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { type Any, anyPack, type Duration, durationFromMs, StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { Json, JsonObject } from '../../../core/lib/json';
import { wireRegistry } from '../../../core/wire/registry';

/**
 * A message as Envoy's extension points want it, checked against its type. Until `jsonOf` it is carried as the text of its JSON: to encode each level
 * to bytes, only to decode them for the JSON around it, took much of a build.
 */
export function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(
    StringValueSchema,
    create(StringValueSchema, { value: JSON.stringify({ '@type': `type.googleapis.com/${schema.typeName}`, ...jsonOf(schema, init) }) }),
  );
}

/** A message in protobuf's JSON form, as objects hold it. */
export function jsonOf<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): JsonObject {
  const json = unpacked(toJson(schema, create(schema, init), { registry: wireRegistry }));
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw new Error(`internal: ${schema.typeName} is no JSON object`);
  return json as JsonObject; // neither null nor a list
}

const carrier = `type.googleapis.com/${StringValueSchema.typeName}`;
function unpacked(value: Json): Json {
  if (Array.isArray(value)) return value.map(unpacked);
  if (typeof value !== 'object' || value === null) return value;
  const record = value as JsonObject; // neither null nor a list
  const { value: text } = record;
  if (record['@type'] === carrier && typeof text === 'string') return JSON.parse(text) as Json; // `pack` wrote it
  const made: { [key: string]: Json } = {};
  for (const key of Object.keys(record)) made[key] = unpacked(record[key] ?? null);
  return made;
}

/** Milliseconds as a protobuf duration. */
export const ms = (milliseconds: number): Duration => durationFromMs(milliseconds);
export const seconds = (count: number): Duration => durationFromMs(count * 1000);
