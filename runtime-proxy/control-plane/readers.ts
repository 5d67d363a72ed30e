/** What of a listener its routes read: the filter that finds out whose token a request has, and the routes that ask. Remembered by resource. */
import type { Json, JsonObject } from '../../core/lib/json';
import { isList, isRecord } from '../bind/addresses';
import type { Encoded } from './resources';

/** Under this name the filter leaves what it read of a token, by issuer. */
const found = 'envoy.filters.http.jwt_authn';
const reading = new WeakMap<Encoded, ReadonlySet<string>>();
const issuers = new WeakMap<Encoded, ReadonlySet<string>>();

/** The issuers of whose users a route configuration speaks, in its matches or in the rules of access that travel with them. */
export function issuersAsked(routes: Encoded): ReadonlySet<string> {
  let known = reading.get(routes);
  if (known === undefined) {
    const into = new Set<string>();
    collectAsked(routes.json, into);
    reading.set(routes, (known = into));
  }
  return known;
}
function collectAsked(value: Json, into: Set<string>): void {
  if (isList(value)) for (const one of value) collectAsked(one, into);
  if (!isRecord(value)) return;
  const issuer = value['filter'] === found ? records(value['path'])[0]?.['key'] : undefined;
  if (typeof issuer === 'string') into.add(issuer);
  else for (const one of Object.values(value)) collectAsked(one, into);
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
