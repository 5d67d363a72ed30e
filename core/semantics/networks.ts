/**
 * Several networks: what an east-west gateway lets into its own, and what a caller of another one is given to call. Both are enumerated, and nothing
 * is built from a pattern: what nobody exports has no name that a gateway knows (CVE-2021-31921 was a gateway that passed on whatever was asked for).
 */
import type { Networks } from '../ir/networks';
import type { MeshIr, Service } from '../ir/ir';
import { serviceOfPort, type PortKey, type RuleId, type WorkloadKey } from '../mesh/ids';
import { serverNameOf } from '../mesh/server-name';
import type { EndpointHealth, EndpointInstance } from './locality';

/** One server name that a gateway knows, and the endpoints that it stands for. */
export interface Passage {
  readonly serverName: string;
  readonly port: PortKey;
  /** null: every endpoint of the port. */
  readonly version: string | null;
  /** The export that makes it so. */
  readonly because: RuleId;
}

/** All that a gateway passes on: each exported port, and each version of it. By server name. */
export function passagesOf({ networks, services }: Pick<MeshIr, 'networks' | 'services'>, gateway: WorkloadKey): readonly Passage[] {
  return (networks?.exports ?? [])
    .filter(({ gateways }) => gateways.includes(gateway))
    .flatMap(({ id, port }) => namesOf(services, port).map((name): Passage => ({ ...name, port, because: id })))
    .sort((a, b) => (a.serverName < b.serverName ? -1 : 1));
}
/** The server names of a port: its own, and one for each version of its service. */
export function namesOf(services: readonly Service[], port: PortKey): readonly Pick<Passage, 'serverName' | 'version'>[] {
  const versions = services.find(({ key }) => key === serviceOfPort(port))?.versions ?? [];
  return [null, ...versions].map((version) => ({ serverName: serverNameOf(port, version), version }));
}
/** The gateways through which a port is reached from other networks; none: it is not. */
export function gatewaysOf(networks: Networks | undefined, port: PortKey): readonly WorkloadKey[] {
  return networks?.exports.find((one) => one.port === port)?.gateways ?? [];
}

/**
 * What becomes of a connection that asks an east-west gateway for a server name (null: it names none, or is no TLS): passed on as it is, to endpoints of
 * the gateway's own network, or closed (null). The gateway never learns who the caller is; the destination's own proxy does, and decides as ever.
 */
export function passageFor(ir: MeshIr, gateway: WorkloadKey, serverName: string | null): Passage | null {
  return passagesOf(ir, gateway).find((passage) => passage.serverName === serverName?.toLowerCase()) ?? null;
}

/**
 * What a caller is given to call (split horizon). The endpoints of its own network are themselves. Those of another network are not reached, but
 * through its gateways, each of which stands for them once: in the turn of those that it would pass a call on to, which are the first of the healthiest
 * there, with their weight together, at its own place; and as healthy as they are, if it is well itself. `gateways` are those that the port is exported through; `weight` of theirs is what each is worth
 * beside the others of its network.
 */
export function acrossNetworks<E extends EndpointInstance, G extends EndpointInstance>(
  callerNetwork: string,
  endpoints: readonly E[],
  gateways: readonly G[],
): readonly (E | G)[] {
  const own = endpoints.filter(({ network }) => network === callerNetwork);
  const others = [...new Set(endpoints.map(({ network }) => network))].filter((network) => network !== callerNetwork).sort();
  const standIns = others.flatMap((network) => {
    const behind = endpoints.filter((one) => one.network === network);
    const doors = gateways.filter((one) => one.network === network && one.health !== 'unhealthy');
    const health = ranks.find((rank) => behind.some((one) => one.health === rank)) ?? 'unhealthy';
    const best = behind.filter((one) => one.health === health);
    const priority = best.reduce((first, one) => Math.min(first, one.priority), Infinity);
    const weight = sum(best.filter((one) => one.priority === priority));
    return doors.map((door) => ({ door, priority, health: worse(health, door.health), share: weight * (door.weight / sum(doors)) }));
  });
  // whole numbers only: where gateways share what is behind them, everything counts so many times as makes their shares whole, or nearly
  const total = sum(own) + standIns.reduce((all, { share }) => all + share, 0);
  const scale = total * precision > mostWeight || standIns.every(({ share }) => Number.isInteger(share)) ? 1 : precision;
  return [
    ...(scale === 1 ? own : own.map((one) => ({ ...one, weight: one.weight * scale }))),
    ...standIns.map(({ door, priority, health, share }) => ({ ...door, priority, health, weight: Math.max(1, Math.round(share * scale)) })),
  ];
}
const worse = (a: EndpointHealth, b: EndpointHealth): EndpointHealth => (ranks.indexOf(a) > ranks.indexOf(b) ? a : b);
const ranks: readonly EndpointHealth[] = ['healthy', 'degraded', 'unhealthy'];
const precision = 60;
/** Of all endpoints of a place together; Envoy refuses an assignment with more (`LocalityLbEndpoints.lb_endpoints`). */
const mostWeight = 2 ** 32 - 1;
const sum = (list: readonly { readonly weight: number }[]): number => list.reduce((total, { weight }) => total + weight, 0);
