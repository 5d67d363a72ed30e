/** `*.example.com` as a host outside the mesh: what it may stand for, on which ports, and where its names may lead. */
import { ir as messages } from '../../core/diagnostics/ir';
import { outside as words } from '../../core/diagnostics/outside';
import type { Outside, Service, ServicePort } from '../../core/ir/ir';
import { isTlsMade } from '../../core/ir/layers';
import { canonicalNetwork, holdsMapped, isWithinNetwork } from '../../core/lib/network';
import { sortedUnique } from '../../core/lib/order';
import { reservedNetworks } from '../../core/mesh/reserved-networks';
import { isWildcard, namedCloser } from '../../core/semantics/address';
import { hostCovers } from '../../core/semantics/match';
import { type Context, type Declared, hasPlatformRole, type Place } from './context';
import { checkHost } from './names';

/** `within`: the names of services of the mesh. Reports, and says no, where it is none to be called. */
export function checkWildcard(context: Context, host: string, within: readonly string[], at: Place): boolean {
  if (!checkHost(context, host, true, at)) return false;
  const own = within.find((name) => hostCovers(host, name));
  const why = own === undefined ? faultOfDomain(host.slice(2)) : `\`${own}\` lies under it, which is a name of the mesh`;
  if (why !== null) context.report(messages.badHost, { host, why }, at);
  return why === null;
}

function faultOfDomain(domain: string): string | null {
  if (!domain.includes('.')) return "all that lies under it is nobody's in particular";
  if (/^(?:(?:svc|pod)\.)?cluster\.local$/.test(domain)) return 'the names of the whole cluster lie under it';
  return null;
}

/** Reports each port on which nobody would verify who is at a name under a wildcard. */
export function checkWildcardPorts(context: Context, hosts: readonly string[], ports: readonly ServicePort[], at: Place): void {
  for (const host of hosts.filter(isWildcard))
    for (const { key, protocol } of ports)
      if (!isTlsMade(protocol)) context.report(words.wildcardOutside, { host, port: key, protocol }, at);
}

/**
 * A name under a wildcard is of the wildcard's team, or of whom the platform gives it to: callers of the wildcard would ask somebody else for it from then
 * on, over his gateway and by his authorities. Whichever of the two was there first.
 */
export function checkNames(context: Context, services: readonly Service[]): void {
  const written = new Map(context.all('external').map(({ id, team }) => [id, team]));
  const owners = new Map(services.flatMap((service) => (service.outside?.hosts ?? []).map((host) => [host, service] as const)));
  for (const wide of services) {
    for (const host of namedCloser(services, wide)) {
      const near = owners.get(host);
      if (near === undefined || near.team === wide.team || hasPlatformRole(written.get(near.id) ?? '')) continue;
      const wildcard = wide.outside?.hosts.find((own) => isWildcard(own) && hostCovers(own, host)) ?? '';
      const span = context.spanOf({ id: wide.id, path: 'hosts' });
      context.report(
        words.nameOfAnother,
        { host, of: near.id, team: near.team, wildcard, other: wide.id, owner: wide.team },
        { id: near.id, path: 'hosts' },
        span ? [{ message: 'the wildcard', span }] : [],
      );
    }
  }
}

/** The networks that names under a wildcard may lead to; none said: public addresses. */
export function placesOf(
  context: Context,
  hosts: readonly string[],
  { at: written, through }: Pick<Declared<'external'>['value'], 'at' | 'through'>,
  at: Place,
): Pick<Outside, 'at'> {
  if (written === undefined) return {};
  if (!hosts.some(isWildcard)) {
    context.report(messages.unsupported, { feature: '`at` of hosts that are all named (it is about names under a wildcard)' }, at);
    return {};
  }
  if (written.length === 0) context.report(messages.empty, { what: 'the list of networks' }, at);
  const networks = written.flatMap((network) => {
    const canonical = canonicalNetwork(network);
    const why = canonical === null ? 'it is written as none' : faultOfPlace(canonical, through !== undefined);
    if (canonical !== null && why === null) return [canonical];
    context.report(words.badPlace, { network, why: why ?? '' }, at);
    return [];
  });
  return { at: sortedUnique(networks) };
}

/**
 * What no name is to lead to, whoever says so: what each machine finds on its link or of its cloud, and what is no machine outside, also among others and as
 * IPv6 spells it. A caller's own machine is his to reach; from a gateway it is the gateway's.
 */
function faultOfPlace(network: string, through: boolean): string | null {
  if (holdsMapped(network)) return 'IPv4 addresses in another spelling are in it: write them as IPv4';
  const reserved = reservedNetworks.find(
    (known) =>
      (through || known.network !== loopback) && (isWithinNetwork(known.network, network) || isWithinNetwork(network, known.network)),
  );
  if (reserved === undefined) return null;
  return isWithinNetwork(network, reserved.network) ? reserved.what : `\`${reserved.network}\` is in it, and ${reserved.what}`;
}
const loopback = '127.0.0.0/8';
