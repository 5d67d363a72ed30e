/**
 * What capture changes in a proxy's listeners, and its undoing. The kernel sends an instance's connections to two addresses of the proxy
 * (runtime-proxy/capture); Envoy reads the destination that the application dialled, and hands the connection to the listener that is at that address
 * (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto, `use_original_dst`). Nothing here says who may do what.
 */
import type { ServiceConfig } from '../../core/bundle/objects';
import type { Json, JsonObject } from '../../core/lib/json';
import { nowhere } from '../../core/lib/network';
import { outsideNamespace, namespaceOf, serviceOfPort } from '../../core/mesh/ids';
import { isIpAddress } from '../../core/mesh/ip-address';
import type { Address, Capture } from '../inventory';
import { isList, isRecord } from './addresses';

/** A listener for a captured instance, and what its changed members were before; absent there is `undefined`. */
export interface Captured {
  readonly json: JsonObject;
  readonly before: readonly Before[];
}
export interface Before {
  readonly field: string;
  readonly was: Json | undefined;
}

/** What arrives for callers: the application has the port itself, so the listener takes what is handed to it. */
export const handedOver = (listener: JsonObject): Captured => changed(listener, { bindToPort: false });

/**
 * What the application sends by host name. Port numbers are known and names decide behind them: one copy of each filter chain for each number; a
 * connection to another number finds none and is closed. TLS to hosts outside is here too, by the name in its ClientHello (`named`). TCP ports are not:
 * their listeners are found by address, before this one is asked; but for ranges outside (`byAddress`), which are at the numbers that no name has.
 */
export function capturedHttp(
  listener: JsonObject,
  name: string,
  { outbound, outboundAlso }: Capture,
  numbers: readonly number[],
  named: NamedTls = { chains: [], numbers: [], listenerFilters: [] },
  byAddress: readonly JsonObject[] = [],
): Captured {
  const { filterChains, listenerFilters } = listener;
  const chains = isList(filterChains) ? filterChains.filter(isRecord) : [];
  const copies = numbers.flatMap((number) =>
    chains.map((chain) => ({
      ...chain,
      name: `${String(chain['name'])}/${number}`,
      filterChainMatch: { ...(isRecord(chain['filterChainMatch']) ? chain['filterChainMatch'] : {}), destinationPort: number },
    })),
  );
  return changed(listener, {
    name,
    ...receiver(outbound, [...(isList(listenerFilters) ? listenerFilters : []), ...named.listenerFilters]),
    // a server that speaks first may have a port of the same number: its connection goes on without a name, late
    ...(named.listenerFilters.length === 0 ? {} : { listenerFiltersTimeout: '5s', continueOnListenerFiltersTimeout: true }),
    ...(outboundAlso === undefined ? {} : { additionalAddresses: [{ address: socket(outboundAlso) }] }),
    filterChains: copies.length + named.chains.length + byAddress.length > 0 ? [...copies, ...named.chains, ...byAddress] : [nobody],
  });
}

/** TLS to hosts outside, which one address does not stand for: its chains, each by the number of its port, and what reads the name. */
export interface NamedTls {
  readonly chains: readonly JsonObject[];
  /** Ascending. */
  readonly numbers: readonly number[];
  readonly listenerFilters: readonly Json[];
}
export function namedTlsOf(services: readonly ServiceConfig[]): NamedTls {
  const chains: JsonObject[] = [];
  const filters: JsonObject[] = [];
  const numbers = new Set<number>();
  for (const { spec } of services) {
    if (!isOutside(spec)) continue;
    for (const listener of spec.listeners ?? []) {
      const { filterChains, listenerFilters } = listener;
      for (const chain of isList(filterChains) ? filterChains.filter(isRecord) : []) {
        const { filterChainMatch } = chain;
        const { number } = placeIn(chain);
        if (!isRecord(filterChainMatch) || filterChainMatch['serverNames'] === undefined || number === null) continue;
        chains.push({ ...chain, filterChainMatch: { ...filterChainMatch, destinationPort: number } });
        numbers.add(number);
        if (filters.length === 0 && isList(listenerFilters)) filters.push(...listenerFilters.filter(isRecord));
      }
    }
  }
  // where a server speaks first nobody would ever say a name: Envoy hands a connection on only when all have been heard
  const ascending = [...numbers].sort((a, b) => a - b);
  const filterDisabled: JsonObject = { notMatch: onAnyOf(ascending) };
  return { chains, numbers: ascending, listenerFilters: filters.map((filter) => ({ ...filter, filterDisabled })) };
}
function onAnyOf(numbers: readonly number[]): JsonObject {
  const rules = numbers.map((number): JsonObject => ({ destinationPortRange: { start: number, end: number + 1 } }));
  const [only] = rules;
  return only && rules.length === 1 ? only : { orMatch: { rules } };
}

/** The address that a port outside is, where its host has no name: also that by which a captured connection is known. */
export function addressesOf(listener: JsonObject, spec: ServiceConfig['spec']): readonly Address[] {
  const { filterChains } = listener;
  if (!isOutside(spec) || !isList(filterChains)) return [];
  return filterChains.filter(isRecord).flatMap((chain): readonly Address[] => {
    const { host, number } = placeIn(chain);
    return number !== null && isIpAddress(host) ? [{ host, port: number }] : [];
  });
}

const isOutside = ({ port }: Pick<ServiceConfig['spec'], 'port'>): boolean => namespaceOf(serviceOfPort(port)) === outsideNamespace;
/** A chain to a host outside is called by where it leads: `api.example:443`, `[2001:db8::1]:5432`. */
function placeIn(chain: JsonObject): { readonly host: string; readonly number: number | null } {
  const [, host = '', number] = /^(.*):(\d{1,5})$/.exec(String(chain['name'])) ?? [];
  return { host: host.replace(/^\[(.*)\]$/, '$1'), number: number === undefined ? null : Number(number) };
}

/** What the application sends to a port that no name stands for: found by the addresses that it dials. */
export function capturedPort(listener: JsonObject, name: string, [first, ...others]: readonly [Address, ...Address[]]): Captured {
  return changed(listener, {
    name,
    address: socket(first),
    ...(others.length === 0 ? {} : { additionalAddresses: others.map((address) => ({ address: socket(address) })) }),
    bindToPort: false,
  });
}

export const captureInbound = 'capture/inbound';
/** Where callers' connections arrive. It holds no policy: what no listener of the instance is at is closed. */
export const inboundReceiver = ({ inbound }: Capture): JsonObject => ({
  name: captureInbound,
  ...receiver(inbound, []),
  filterChains: [nobody],
  enableReusePort: false,
});

/** The numbers of the ports that a proxy may call by name: hosts have them (`reviews.shop:9080`); a host outside without one is asked for at 80. Ascending. */
export function portNumbersOf(services: readonly ServiceConfig[]): readonly number[] {
  const numbers = new Set<number>();
  for (const { spec } of services) {
    const domains = spec.virtualHost?.['domains'];
    for (const domain of isList(domains) ? domains : []) {
      const [, number] = /:(\d{1,5})$/.exec(String(domain)) ?? [];
      if (number !== undefined) numbers.add(Number(number));
      else if (isOutside(spec)) numbers.add(80);
    }
  }
  return [...numbers].sort((a, b) => a - b);
}

/** The signed listener back. */
export function uncaptured(json: JsonObject, before: readonly Before[]): JsonObject {
  const made = new Map(Object.entries(json));
  for (const { field, was } of before) {
    if (was === undefined) made.delete(field);
    else made.set(field, was);
  }
  return Object.fromEntries(made);
}

function changed(listener: JsonObject, next: JsonObject): Captured {
  return {
    json: { ...listener, ...next },
    before: Object.keys(next).map((field) => ({ field, was: Object.hasOwn(listener, field) ? listener[field] : undefined })),
  };
}

function receiver(address: Address, listenerFilters: readonly Json[]): JsonObject {
  return {
    address: socket(address),
    useOriginalDst: true,
    listenerFilters: [originalDestination, ...listenerFilters],
    accessLog: [refused],
  };
}
const socket = ({ host, port }: Address): JsonObject => ({ socketAddress: { address: host, portValue: port } });
const originalDestination: JsonObject = {
  name: 'envoy.filters.listener.original_dst',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst' },
};
/** Envoy wants at least one filter chain. */
const nobody: JsonObject = { name: 'nobody', filterChainMatch: { prefixRanges: [nowhere] } };
/** One JSON line for each connection that was closed because nothing is known at the address it was for. */
const refused: JsonObject = {
  name: 'envoy.access_loggers.stdout',
  filter: { responseFlagFilter: { flags: ['NR'] } },
  typedConfig: {
    '@type': 'type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
    logFormat: {
      jsonFormat: {
        time: '%START_TIME%',
        listener: 'capture',
        from: '%DOWNSTREAM_REMOTE_ADDRESS%',
        refused: '%DOWNSTREAM_LOCAL_ADDRESS%',
        flags: '%RESPONSE_FLAGS%',
      },
    },
  },
};
