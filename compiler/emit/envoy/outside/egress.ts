/**
 * The way out through a gateway: one listener, whose filter chains are the doors of what goes through it, each found by a server name of its own that
 * the caller's proxy asks for. A door is a destination's: mTLS, the access rules of its port, and behind it the hosts, which nobody else dials.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AccessRule, Outside } from '../../../../core/ir/ir';
import { isHttp } from '../../../../core/ir/layers';
import type { WorkloadKey } from '../../../../core/mesh/ids';
import { misdirectedName } from '../../../../core/mesh/server-name';
import { hostsOfPort, isWildcard, namedCloser } from '../../../../core/semantics/address';
import type { FilterChainSchema } from '../../../../core/wire/gen/envoy/config/listener/v3/listener_components_pb';
import { accessPerRoute } from '../access/access';
import { connectionLog } from '../access-log';
import { ms, seconds } from '../any';
import { boundAddress, type Cluster } from '../clusters';
import { notServed } from '../gateways/gateway';
import {
  agesOf,
  connectionCallers,
  connectionsTo,
  handshakeTimeout,
  httpServer,
  type Listener,
  requestFilters,
  type RouteConfiguration,
  socket,
  strippedHeaders,
  tlsInspector,
  usersOf,
} from '../inbound';
import type { IrIndex, PortFacts } from '../index-of';
import { egressName, egressPort, egressServerName, inboundListener } from '../names';
import type { VirtualHost } from '../outbound';
import { anyName, destinationsOf, hostAtGateway, outsideClusterName, wildcardAtGateway } from './clusters';
import { meshServer } from '../tls';
import { authenticationPerRoute } from '../access/users';

type FilterChain = MessageInitShape<typeof FilterChainSchema>;
/** A port that goes through a gateway. */
export interface Passing {
  readonly facts: PortFacts;
  readonly outside: Outside;
}
interface Egress {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  readonly clusters: readonly Cluster[];
}

/** What the gateway's proxy has for the hosts that are called through it: nothing where there are none. */
export function egressOf(index: IrIndex, gateway: WorkloadKey): Egress {
  const passing = [...index.ports.values()].flatMap((facts): Passing[] => {
    const { outside } = facts.service;
    return outside?.through === gateway ? [{ facts, outside }] : [];
  });
  if (passing.length === 0) return { listeners: [], routes: [], clusters: [] };
  return {
    listeners: [listenerOf(index, gateway, passing)],
    routes: passing.filter(({ facts }) => isHttp(facts.port.layer)).map((one) => routesTo(index, one)),
    clusters: passing.flatMap(({ facts, outside }) =>
      destinationsOf(outside).map((host) => {
        const cluster = outsideClusterName(facts.port.key, host);
        return host === anyName ? wildcardAtGateway(cluster, facts, outside) : hostAtGateway(cluster, host, facts, outside);
      }),
    ),
  };
}

function listenerOf(index: IrIndex, gateway: WorkloadKey, passing: readonly Passing[]): Listener {
  const name = inboundListener(egressPort(gateway));
  return {
    name,
    address: boundAddress(`inbound/${egressName}`),
    listenerFilters: tlsInspector,
    listenerFiltersTimeout: seconds(5),
    filterChains: passing
      .flatMap((one) => (isHttp(one.facts.port.layer) ? [requestDoor(index, one)] : connectionDoors(index, one)))
      .sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1)),
    ...(passing.some(({ facts }) => !isHttp(facts.port.layer))
      ? { accessLog: [...connectionLog({ listener: name, port: egressPort(gateway), route: '' })] }
      : {}),
    ...socket,
  };
}

function requestDoor(index: IrIndex, { facts }: Passing): FilterChain {
  return {
    name: facts.port.key,
    filterChainMatch: { transportProtocol: 'tls', serverNames: [egressServerName(facts.port.key, null)] },
    transportSocket: httpServer,
    ...handshakeTimeout,
    filters: requestFilters(index, facts),
  };
}

/** One for each host: what is in a connection nobody reads, so its door says where it leads. */
function connectionDoors(index: IrIndex, { facts: { port }, outside }: Passing): readonly FilterChain[] {
  return outside.hosts.map((host) => {
    const rules = rulesAt(index.access.get(port.key) ?? [], host);
    return {
      name: outsideClusterName(port.key, host),
      filterChainMatch: { transportProtocol: 'tls', serverNames: [egressServerName(port.key, host)] },
      transportSocket: meshServer([], connectionCallers(index, rules)),
      ...handshakeTimeout,
      filters: connectionsTo(index, port.key, rules, outsideClusterName(port.key, host)),
    };
  });
}

/** The rules that are about connections to a host, as rules about callers alone. */
export function rulesAt(rules: readonly AccessRule[], host: string): readonly AccessRule[] {
  return rules.filter(({ hosts }) => hosts.length === 0 || hosts.includes(host)).map((rule) => ({ ...rule, hosts: [] }));
}

/** A request goes to the host that it addresses; another one's is not served here, whoever asks. */
function routesTo(index: IrIndex, { facts, outside }: Passing): RouteConfiguration {
  const { service, port } = facts;
  const idleMs = index.idles.get(port.key);
  const access = {
    ...authenticationPerRoute(usersOf(index, port.key)),
    ...accessPerRoute(index.access.get(port.key) ?? [], index.ir.issuers),
  };
  const calledBy = (name: string) => ({
    name,
    domains: [...hostsOfPort({ ...service, outside: { ...outside, hosts: [name] } }, port, null)].sort(),
    typedPerFilterConfig: access,
  });
  const host = (name: string): VirtualHost => ({
    ...calledBy(name),
    // no timeout of its own: the caller's counts
    routes: [
      {
        name: 'outside',
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        action: {
          case: 'route',
          value: {
            clusterSpecifier: { case: 'cluster', value: outsideClusterName(port.key, isWildcard(name) ? anyName : name) },
            timeout: seconds(0),
            ...agesOf(index, port),
            ...(idleMs === undefined ? {} : { idleTimeout: ms(idleMs) }),
          },
        },
      },
    ],
  });
  const elsewhere = namedCloser(index.ir.services, service).map((name): VirtualHost => ({ ...calledBy(name), routes: [notServed] }));
  return {
    name: inboundListener(port.key),
    virtualHosts: [
      ...outside.hosts.map(host),
      ...elsewhere,
      { name: misdirectedName, domains: ['*'], typedPerFilterConfig: access, routes: [notServed] },
    ],
    internalOnlyHeaders: strippedHeaders,
    // who called is nobody's business outside, and the calling proxy's address says nothing
    requestHeadersToRemove: ['x-envoy-external-address', 'x-forwarded-client-cert'],
  };
}
