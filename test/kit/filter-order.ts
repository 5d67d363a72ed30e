/** Whether what was emitted keeps the order of filters: a sentence for each place where it does not. */
import { httpOrder, listenerOrder, networkOrder, upstreamOrder } from '../../compiler/emit/envoy/filter-order';
import { canonicalJson, type Json, type JsonObject } from '../../core/lib/json';
import { isList, isRecord } from '../../runtime-proxy/bind/addresses';

interface Named {
  readonly name: string;
}
const [guard] = httpOrder;
const [anonymous, codec] = upstreamOrder;
const router = httpOrder[httpOrder.length - 1]?.name;
const ends: ReadonlySet<string> = new Set(networkOrder.filter((filter) => filter.ends).map((filter) => filter.name));

/** Every listener, connection manager and per-route configuration inside `json`. */
export function orderFaults(json: Json | undefined, place = ''): readonly string[] {
  if (isList(json)) return json.flatMap((inner, index) => orderFaults(inner, `${place}[${index}]`));
  if (!isRecord(json)) return [];
  return [
    ...(json['httpFilters'] === undefined
      ? []
      : isOfCluster(json)
        ? upstreamFaults(names(json['httpFilters']), `${place}.httpFilters`)
        : httpFaults(names(json['httpFilters']), `${place}.httpFilters`)),
    ...(json['listenerFilters'] === undefined ? [] : outOfOrder(listenerOrder, names(json['listenerFilters']), `${place}.listenerFilters`)),
    ...chainsOf(json).flatMap(([at, chain]) => (isNobodys(chain) ? [] : chainFaults(names(chain['filters']), `${place}.${at}.filters`))),
    ...(isRecord(json['typedPerFilterConfig']) ? perRouteFaults(json['typedPerFilterConfig'], `${place}.typedPerFilterConfig`) : []),
    ...Object.entries(json).flatMap(([key, inner]) => orderFaults(inner, `${place}.${key}`)),
  ];
}
/** A chain of which no connection is: one without a filter, for who comes from the limited broadcast address. */
const isNobodys = ({ filters, filterChainMatch }: JsonObject): boolean =>
  filters === undefined &&
  isRecord(filterChainMatch) &&
  canonicalJson(filterChainMatch['sourcePrefixRanges'] ?? []) === '[{"addressPrefix":"255.255.255.255","prefixLen":32}]';
/** The chains of a listener, with where they stand. */
function chainsOf(json: JsonObject): readonly (readonly [string, JsonObject])[] {
  const { filterChains, defaultFilterChain } = json;
  return [
    ...(isList(filterChains) ? filterChains : []).flatMap((chain, index) =>
      isRecord(chain) ? [[`filterChains[${index}]`, chain] as const] : [],
    ),
    ...(isRecord(defaultFilterChain) ? [['defaultFilterChain', defaultFilterChain] as const] : []),
  ];
}

const isOfCluster = (json: JsonObject): boolean => String(json['@type']).endsWith('.HttpProtocolOptions');
function upstreamFaults(found: readonly string[], place: string): readonly string[] {
  return [
    ...outOfOrder(upstreamOrder, found, place),
    ...(found.at(-1) === codec.name ? [] : [`${place} ends with ${found.at(-1)}, not with the codec`]),
  ];
}

function httpFaults(found: readonly string[], place: string): readonly string[] {
  return [
    ...outOfOrder(httpOrder, found, place),
    ...(found[0] === guard.name ? [] : [`${place} begins with ${found[0]}, not with the guard`]),
    ...(found.at(-1) === router ? [] : [`${place} ends with ${found.at(-1)}, not with the router`]),
  ];
}

function chainFaults(found: readonly string[], place: string): readonly string[] {
  const last = found.at(-1) ?? 'nothing';
  return [
    ...outOfOrder(networkOrder, found, place),
    // one without any closes what comes
    ...(found.length === 0 || (found.filter((name) => ends.has(name)).length === 1 && ends.has(last))
      ? []
      : [`${place} does not end with the one that ends it`]),
  ];
}

/** What travels with routes is read by filters that are there, and none of it lets anything past the guard. */
function perRouteFaults(configs: { readonly [name: string]: Json }, place: string): readonly string[] {
  const known = new Set<string>([...httpOrder.map((filter) => filter.name), anonymous.name]);
  return Object.entries(configs).flatMap(([name, config]) => [
    ...(known.has(name) && name !== router ? [] : [`${place} is for ${name}, which has no slot`]),
    ...(name === guard.name && !JSON.stringify(config).includes('"meshwright.not-canonical"') ? [`${place} takes the guard away`] : []),
  ]);
}

function outOfOrder(order: readonly Named[], found: readonly string[], place: string): readonly string[] {
  const places = found.map((name) => order.findIndex((known) => known.name === name));
  return found.flatMap((name, index) => {
    const [here = -1, before = -1] = [places[index], places[index - 1]];
    if (here < 0) return [`${place} has ${name}, which has no slot`];
    return index > 0 && here <= before ? [`${place} has ${name} after ${found[index - 1]}`] : [];
  });
}

const names = (filters: Json | undefined): readonly string[] =>
  isList(filters) ? filters.map((filter) => (isRecord(filter) ? String(filter['name']) : '')) : [];
