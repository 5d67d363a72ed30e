/** Endpoints of a workload by a name in the DNS: A and AAAA for addresses whose ports are known, SRV for addresses and ports. */
import { createHash } from 'node:crypto';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { enforce } from '../../../core/diagnostics/enforce';
import type { WorkloadKey } from '../../../core/mesh/ids';
import type { Address, Instance } from '../../inventory';
import { isDnsName } from './message';
import type { Known, Names } from './names';

/** One entry of the inventory's `dns`: the endpoints that a name stands for. */
export interface DnsSource extends Pick<Instance, 'version' | 'network' | 'region' | 'zone' | 'subZone' | 'weight' | 'priority'> {
  readonly workload: WorkloadKey;
  /** Looked up as A and AAAA; absolute, as no search list is applied. */
  readonly name?: string;
  /** With `name`: the number of each port, by its name. */
  readonly ports?: { readonly [port: string]: number };
  /** In their place, or beside them: the SRV name of each port; numbers, weights and priorities are the records'. */
  readonly srv?: { readonly [port: string]: string };
}
export interface Resolved {
  readonly instances: readonly Instance[];
  readonly diagnostics: readonly Diagnostic[];
  /** When something of it has to be asked for again, milliseconds since the epoch. */
  readonly until: number;
}
/** Endpoints of one source. A name server that says more is believed up to here, in the order of addresses, so that it is always the same ones. */
export const mostEndpoints = 256;
/** Targets of one SRV name. */
const mostTargets = 64;

/** What a source stands for now. Where nobody answers, what was last heard. */
export async function resolveSource(source: DnsSource, names: Names): Promise<Resolved> {
  const asked: Known[] = [];
  const diagnostics: Diagnostic[] = [];
  const addressesOf = async (name: string): Promise<readonly string[]> => {
    const both = await Promise.all([names.lookup(name, 'A'), names.lookup(name, 'AAAA')]);
    asked.push(...both);
    const failure = both.find((one) => one.failure !== null)?.failure;
    const found = both.flatMap(({ records }) => records.flatMap((data) => (data.type === 'SRV' ? [] : [data.address])));
    if (failure) diagnostics.push(enforce.nameFailed({ name, workload: source.workload, reason: failure, kept: found.length }));
    else if (found.length === 0)
      diagnostics.push(
        enforce.nameEmpty({ name, workload: source.workload, why: both.some(({ none }) => none === 'NXDOMAIN') ? 'NXDOMAIN' : 'NODATA' }),
      );
    return found;
  };
  const instances: Instance[] = [];
  if (source.name !== undefined) {
    for (const host of await addressesOf(source.name)) {
      const ports = Object.entries(source.ports ?? {}).map(([port, number]) => [port, { host, port: number }] as const);
      instances.push(instanceOf(source, Object.fromEntries(ports)));
    }
  }
  for (const [port, name] of Object.entries(source.srv ?? {})) {
    const known = await names.lookup(name, 'SRV');
    asked.push(known);
    const targets = known.records.flatMap((data) => (data.type === 'SRV' && data.port > 0 && isDnsName(data.target) ? [data] : []));
    if (known.failure !== null)
      diagnostics.push(enforce.nameFailed({ name, workload: source.workload, reason: known.failure, kept: targets.length }));
    else if (targets.length === 0) diagnostics.push(enforce.nameEmpty({ name, workload: source.workload, why: known.none ?? 'NODATA' }));
    const levels = [...new Set(targets.map(({ priority }) => priority))].sort((a, b) => a - b);
    const heaviest = Math.max(1, ...targets.map(({ weight }) => weight));
    // At once: one after the other, targets that nobody answers for would take minutes, and a start waits for them.
    const places = targets.slice(0, mostTargets).map(async (target) => ({ target, hosts: await addressesOf(target.target) }));
    for (const { target, hosts } of await Promise.all(places)) {
      for (const host of hosts) {
        instances.push({
          ...instanceOf(source, { [port]: { host, port: target.port } }),
          // RFC 2782: weights count among records of one priority; 0 means hardly ever
          weight: heaviest > 1_000 ? Math.max(1, Math.round((target.weight * 1_000) / heaviest)) : Math.max(1, target.weight),
          priority: Math.min(15, (source.priority ?? 0) + levels.indexOf(target.priority)),
        });
      }
    }
  }
  const once = [...new Map(instances.map((one) => [one.id, one])).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (once.length > mostEndpoints)
    diagnostics.push(
      enforce.tooManyEndpoints({
        name: source.name ?? Object.values(source.srv ?? {})[0] ?? '',
        workload: source.workload,
        found: once.length,
        most: mostEndpoints,
      }),
    );
  return { instances: once.slice(0, mostEndpoints), diagnostics, until: Math.min(...asked.map(({ until }) => until)) };
}

/** Named by what it is, so that it is the same one after a restart and in every replica. */
function instanceOf(source: DnsSource, inbound: { readonly [port: string]: Address }): Instance {
  const { workload, version, network, region, zone, subZone, weight, priority } = source;
  const at = Object.values(inbound)[0];
  const text = JSON.stringify([workload, version ?? '', Object.entries(inbound), ...(network === undefined ? [] : [network])]);
  return {
    id: `dns-${(at?.host ?? '').replaceAll(/[.:]/g, '-')}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`,
    workload,
    ...(version === undefined ? {} : { version }),
    ...(network === undefined ? {} : { network }),
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(subZone === undefined ? {} : { subZone }),
    ...(weight === undefined ? {} : { weight }),
    ...(priority === undefined ? {} : { priority }),
    app: {},
    inbound,
    endpointOnly: true,
  };
}
