/** Binding of addresses by symbol, and its undoing: the same object with one list of places beside it, so that nothing has to be guessed back. */
import type { Json, JsonObject } from '../../core/lib/json';
import type { Address, Instance } from '../inventory';

/** The host that stands for "by symbol" in signed bytes. */
export const symbolHost = 'meshwright.bind';

/** Where a symbol stood: the path of keys and indices to the `socketAddress`. */
export interface BoundAddress {
  readonly path: readonly (string | number)[];
  readonly symbol: string;
}
export interface BoundJson {
  readonly json: JsonObject;
  readonly bound: readonly BoundAddress[];
  /** Symbols that the instance has no address for. When there are any, `json` must not be used. */
  readonly missing: readonly string[];
}

/** The address of a symbol for an instance: `inbound/<port>`, `outbound`, `outbound/<port key>`, `app/<port>`, `listener/<name>`. */
export function addressOf(instance: Instance, symbol: string): Address | undefined {
  if (symbol === 'outbound') return instance.outbound;
  const slash = symbol.indexOf('/');
  const name = symbol.slice(slash + 1);
  const own = (record: { readonly [name: string]: Address } | undefined): Address | undefined =>
    record && Object.hasOwn(record, name) ? record[name] : undefined;
  switch (symbol.slice(0, slash)) {
    case 'inbound':
      return own(instance.inbound);
    case 'app':
      return own(instance.app);
    case 'outbound':
      return own(instance.outboundPorts);
    case 'listener':
      return own(instance.listeners);
    default:
      return undefined;
  }
}

/** Replaces every symbolic address. */
export function bindAddresses(resource: JsonObject, instance: Instance): BoundJson {
  const bound: BoundAddress[] = [];
  const missing: string[] = [];
  const walk = (value: Json, path: readonly (string | number)[]): Json => {
    if (isList(value)) return value.map((entry, index) => walk(entry, [...path, index]));
    if (!isRecord(value)) return value;
    const { namedPort } = value;
    if (value['address'] === symbolHost && typeof namedPort === 'string') {
      const address = addressOf(instance, namedPort);
      if (!address) {
        missing.push(namedPort);
        return value;
      }
      bound.push({ path, symbol: namedPort });
      const { namedPort: _symbol, ...rest } = value;
      return { ...rest, address: address.host, portValue: address.port };
    }
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, walk(entry, [...path, key])]));
  };
  const json = walk(resource, []);
  if (!isRecord(json)) throw new Error('internal: a resource is an object');
  return { json, bound, missing };
}

/** The signed form back. */
export function unbindAddresses(json: JsonObject, bound: readonly BoundAddress[]): JsonObject {
  return bound.reduce<JsonObject>((made, { path, symbol }) => {
    const next = replaceAt(made, path, (address) => {
      const { portValue: _port, ...rest } = isRecord(address) ? address : {};
      return { ...rest, address: symbolHost, namedPort: symbol };
    });
    return isRecord(next) ? next : made;
  }, json);
}

function replaceAt(value: Json, path: readonly (string | number)[], make: (old: Json) => Json): Json {
  const [head, ...rest] = path;
  if (head === undefined) return make(value);
  if (isList(value)) return value.map((entry, index) => (index === head ? replaceAt(entry, rest, make) : entry));
  if (!isRecord(value)) return value;
  return { ...value, [head]: replaceAt(value[head] ?? null, rest, make) };
}

export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
export const isRecord = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
