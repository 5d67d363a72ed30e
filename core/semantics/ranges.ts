/** Ranges of addresses outside the mesh: what stands at an address and a number. The narrowest does, and what it does not let in no wider one does. */
import type { MeshIr, Service, ServicePort } from '../ir/ir';
import { networkOf, networksAround } from '../lib/network';
import { sortedUnique } from '../lib/order';
import type { PortKey } from '../mesh/ids';
import { reservedAt, reservedNetworks } from '../mesh/reserved-networks';

/** A network at a number of a port; `port` null: nobody's, whatever is around it. */
interface Standing {
  readonly network: string;
  readonly port: PortKey | null;
  /** Of one network: a host that is written as the address, then a range, then nobody. */
  readonly rank: 0 | 1 | 2;
}

/** The ranges that a port stands for; none where it stands for hosts, or is of the mesh. */
export const rangesOf = ({ outside }: Service): readonly string[] => outside?.addresses ?? [];

/** Whether connections to a port are known by the address that they are for. */
export const isByAddress = (service: Service): boolean => service.outside?.addresses !== undefined;

/** The networks that a service outside has at its numbers: of hosts that are written as addresses, and its ranges. */
export function networksHeld(service: Service): readonly { readonly network: string; readonly host: boolean }[] {
  return [
    ...(service.outside?.hosts ?? []).flatMap((host) => {
      const network = networkOf(host);
      return network === null ? [] : [{ network, host: true }];
    }),
    ...rangesOf(service).map((network) => ({ network, host: false })),
  ];
}

function standingAt(ir: MeshIr, number: number): Standing[] {
  const of = (service: Service, port: ServicePort): readonly Standing[] =>
    networksHeld(service).map(({ network, host }) => ({ network, port: port.key, rank: host ? 0 : 1 }));
  return [
    ...ir.services.flatMap((service) =>
      service.outside ? service.ports.filter((port) => port.number === number).flatMap((port) => of(service, port)) : [],
    ),
    ...reservedNetworks.map(({ network }): Standing => ({ network, port: null, rank: 2 })),
  ];
}

/**
 * The port outside that an address and a number stand for; null: none. What of it is an address of the mesh, only the inventory knows: there no range stands
 * (runtime-proxy/bind).
 */
export function portAt(ir: MeshIr, address: string, number: number): PortKey | null {
  const asked = networkOf(address);
  if (asked === null) return null;
  const { around, standing } = lookupAt(ir, number);
  return standing.get(around(asked).at(-1) ?? '')?.port ?? null;
}

interface Lookup {
  readonly around: (network: string) => readonly string[];
  /** Of one network what has the first rank. */
  readonly standing: ReadonlyMap<string, Standing>;
}
/** An IR does not change, and is asked about many addresses. */
const lookups = new WeakMap<MeshIr, Map<number, Lookup>>();
function lookupAt(ir: MeshIr, number: number): Lookup {
  let ofIr = lookups.get(ir);
  if (!ofIr) lookups.set(ir, (ofIr = new Map()));
  let found = ofIr.get(number);
  if (!found) {
    const standing = new Map(
      standingAt(ir, number)
        .reverse()
        .sort((a, b) => b.rank - a.rank)
        .map((one) => [one.network, one]),
    );
    ofIr.set(number, (found = { around: networksAround(standing.keys()), standing }));
  }
  return found;
}

/** What a port's ranges have within them that is not the port's: of somebody else, and of nobody. Sorted. */
export function withinRanges(ir: MeshIr, service: Service, port: ServicePort): readonly string[] {
  const own = new Set(rangesOf(service));
  const others = standingAt(ir, port.number).filter((one) => one.port !== port.key && !own.has(one.network));
  const around = networksAround(own);
  return sortedUnique(others.map(({ network }) => network).filter((network) => around(network).length > 0));
}

const ofService = new WeakMap<Service, ReturnType<typeof networksAround>>();
function isOfRanges(service: Service, address: string): boolean {
  let around = ofService.get(service);
  if (!around) ofService.set(service, (around = networksAround(rangesOf(service))));
  return around(networkOf(address) ?? '').length > 0;
}

/** Why a port of ranges does not stand at an address; null when it does. */
export function faultOfDialled(ir: MeshIr, service: Service, port: ServicePort, address: string): string | null {
  const stands = portAt(ir, address, port.number);
  if (stands === port.key) return null;
  if (!isOfRanges(service, address)) return `${address} is not of ${port.key}`;
  return stands === null ? `${address} is nobody's outside: ${reservedAs(address)}` : `${address} is ${stands}'s, which is narrower`;
}
/** What is kept at an address, in words; `none is declared there` where nothing is. */
export function reservedAs(address: string): string {
  return reservedAt(address)?.what ?? 'no `external` is at that address and number';
}
