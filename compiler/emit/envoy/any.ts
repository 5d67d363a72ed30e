import { create, type DescMessage, type MessageInitShape, toJson } from '@bufbuild/protobuf';
import { type Any, anyPack, type Duration, durationFromMs } from '@bufbuild/protobuf/wkt';
import type { JsonObject } from '../../../core/lib/json';
import { wireRegistry } from '../../../core/wire/registry';

/** A message as Envoy's extension points want it. */
export function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

/** A message in protobuf's JSON form, as objects hold it. */
export function jsonOf<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): JsonObject {
  const json = toJson(schema, create(schema, init), { registry: wireRegistry });
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw new Error(`internal: ${schema.typeName} is no JSON object`);
  return json;
}

/** Milliseconds as a protobuf duration. */
export const ms = (milliseconds: number): Duration => durationFromMs(milliseconds);
export const seconds = (count: number): Duration => durationFromMs(count * 1000);
