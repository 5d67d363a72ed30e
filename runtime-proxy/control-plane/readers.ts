/** What of a listener its routes read: the filter that finds out whose token a request has, and the routes that ask. Remembered by resource. */
import type { Json, JsonObject } from '../../core/lib/json';
import { isList, isRecord } from '../bind/addresses';
import type { Encoded } from './resources';

const filter = 'meshwright.authentication';
const reading = new WeakMap<Encoded, boolean>();
const issuers = new WeakMap<Encoded, ReadonlySet<string>>();

/** Whether some virtual host of a route configuration asks who the user is. */
export function readsUsers(routes: Encoded): boolean {
  let known = reading.get(routes);
  if (known === undefined) {
    known = records(routes.json['virtualHosts']).some((host) => record(host['typedPerFilterConfig'])[filter] !== undefined);
    reading.set(routes, known);
  }
  return known;
}

/** The issuers by whose keys a listener reads tokens. */
export function issuersRead(listener: Encoded): ReadonlySet<string> {
  let known = issuers.get(listener);
  if (known === undefined) {
    const providers = httpFiltersOf(listener.json).flatMap((one) => Object.keys(record(record(one['typedConfig'])['providers'])));
    issuers.set(listener, (known = new Set(providers)));
  }
  return known;
}

/** The filters of requests in a listener, of all its chains. */
export function httpFiltersOf(listener: JsonObject): readonly JsonObject[] {
  const chains = [...records(listener['filterChains']), ...records([listener['defaultFilterChain'] ?? null])];
  return chains.flatMap((chain) => records(chain['filters'])).flatMap((one) => records(record(one['typedConfig'])['httpFilters']));
}
export const records = (value: Json | undefined): readonly JsonObject[] => (isList(value) ? value.filter(isRecord) : []);
export const record = (value: Json | undefined): JsonObject => (isRecord(value) ? value : {});
