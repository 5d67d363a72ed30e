/**
 * The order of filters, said once. A filter is put into a listener by the name of its slot and by nothing else, so no piece of the emitter can put one in
 * front of another by accident. A new filter is a new line in one of these tables, with the reason for its place; test/property/filter-order.test.ts
 * holds every emitted object to them.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import type { FilterSchema, ListenerFilterSchema } from '../../../core/wire/gen/envoy/config/listener/v3/listener_components_pb';
import type { HttpFilterSchema } from '../../../core/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb';
import { allowFilter, denyFilter, guardFilter } from './names';

interface Slot {
  readonly slot: string;
  /** On the wire: also what per-route configuration, statistics and patches call it. */
  readonly name: string;
  /** Why here, and not one place further out or in. */
  readonly because: string;
}

/** HTTP filters, from the client inwards. One slot holds one filter. */
export const httpOrder = [
  {
    slot: 'guard',
    name: guardFilter,
    because: 'all that follow read one spelling of a path; what has another is answered 400 by nobody else',
  },
  {
    slot: 'cors',
    name: 'meshwright.cors',
    because: 'a preflight request never carries credentials, so it is answered before they are asked for',
  },
  {
    slot: 'authentication',
    name: 'meshwright.authentication',
    because: 'routes and rules may be about the user, so who it is comes before both',
  },
  {
    slot: 'reselection',
    name: 'meshwright.reselection',
    because: 'a route chosen by claims is chosen again once they are known, and before access, whose rules travel with the route',
  },
  { slot: 'deny', name: denyFilter, because: 'a denial names itself, also where some rule would allow' },
  { slot: 'allow', name: allowFilter, because: 'what nobody allows goes no further: it takes no quota, meets no fault, is not mirrored' },
  { slot: 'size', name: 'meshwright.limits.size', because: 'what is too large is refused before it is counted' },
  { slot: 'rate', name: 'meshwright.limits.rate', because: 'only requests that may be made are counted' },
  { slot: 'bandwidth', name: 'meshwright.limits.bandwidth', because: 'slows what is let through; refuses nothing' },
  { slot: 'fault', name: 'meshwright.fault', because: 'a fault stands for the destination, so it hits only what would have reached it' },
  { slot: 'affinity', name: 'meshwright.affinity', because: 'chooses among endpoints, of the route that is final by now' },
  { slot: 'router', name: 'envoy.filters.http.router', because: 'ends the chain; mirrors, retries and time-outs are in it' },
] as const satisfies readonly Slot[];

/** Filters of a cluster of a host outside: what requests and copies pass after the router. */
export const upstreamOrder = [
  { slot: 'anonymous', name: 'envoy.filters.http.header_mutation', because: 'the router writes on copies what nobody outside is told' },
  { slot: 'codec', name: 'envoy.filters.http.upstream_codec', because: 'ends the chain' },
] as const satisfies readonly Slot[];

/** Filters of connections, from the client inwards. A chain ends with exactly one of those that `ends`. */
export const networkOrder = [
  { slot: 'deny', name: denyFilter, because: 'as with requests: a denial names itself', ends: false },
  { slot: 'allow', name: allowFilter, because: 'what nobody allows takes no place among the connections that are counted', ends: false },
  {
    slot: 'connections',
    name: 'meshwright.limits.connections',
    because: 'counts the connections of callers that may connect',
    ends: false,
  },
  { slot: 'rate', name: 'meshwright.limits.rate', because: 'as with requests', ends: false },
  { slot: 'protocol', name: 'meshwright.protocol', because: 'reads along, for metrics, what is let through', ends: false },
  {
    slot: 'http',
    name: 'envoy.filters.network.http_connection_manager',
    because: 'ends the chain: requests have the order above',
    ends: true,
  },
  { slot: 'tcp', name: 'envoy.filters.network.tcp_proxy', because: 'ends the chain', ends: true },
] as const satisfies readonly (Slot & { readonly ends: boolean })[];

/** Filters of a listener: they find out which chain a connection gets. */
export const listenerOrder = [
  {
    slot: 'proxy',
    name: 'envoy.filters.listener.proxy_protocol',
    because: 'who dialled stands before the first byte that a client says',
  },
  {
    slot: 'destination',
    name: 'envoy.filters.listener.original_dst',
    because: 'where the connection was going decides what else is asked of it',
  },
  { slot: 'tls', name: 'envoy.filters.listener.tls_inspector', because: 'sees whether there is TLS, and for which name' },
  { slot: 'http', name: 'envoy.filters.listener.http_inspector', because: 'looks at plaintext only, so after what tells it apart' },
] as const satisfies readonly Slot[];

export type HttpSlot = (typeof httpOrder)[number]['slot'];
type NetworkSlot = (typeof networkOrder)[number]['slot'];
type ListenerSlot = (typeof listenerOrder)[number]['slot'];

/** What goes into the slots; those that are not named stay out. The guard and the router are in every chain, and no caller's to leave out. */
export type InHttpSlots = { readonly [slot in Exclude<HttpSlot, 'guard' | 'router'>]?: Any };
type InNetworkSlots = { readonly [slot in NetworkSlot]?: Any };
type InListenerSlots = { readonly [slot in ListenerSlot]?: Any };

export const httpFilters = (
  filters: InHttpSlots & { readonly guard: Any; readonly router: Any },
): MessageInitShape<typeof HttpFilterSchema>[] => inOrder(httpOrder, filters);
export const networkFilters = (filters: InNetworkSlots): MessageInitShape<typeof FilterSchema>[] => inOrder(networkOrder, filters);
export const listenerFilters = (filters: InListenerSlots): MessageInitShape<typeof ListenerFilterSchema>[] =>
  inOrder(listenerOrder, filters);

/** The name that per-route configuration of a slot goes by. */
export function httpFilterName(slot: HttpSlot): string {
  return httpOrder.find((known) => known.slot === slot)?.name ?? slot;
}

function inOrder<Name extends string>(
  order: readonly (Slot & { readonly slot: Name })[],
  filters: { readonly [slot in Name]?: Any },
): { readonly name: string; readonly configType: { readonly case: 'typedConfig'; readonly value: Any } }[] {
  return order.flatMap(({ slot, name }) => {
    const config = filters[slot];
    return config === undefined ? [] : [{ name, configType: { case: 'typedConfig' as const, value: config } }];
  });
}
