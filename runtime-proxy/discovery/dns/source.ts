/** Endpoints of a workload by a name in the DNS: A and AAAA for addresses whose ports are known, SRV for addresses and ports. */
import { createHash } from 'node:crypto';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { enforce } from '../../../core/diagnostics/enforce';
import type { WorkloadKey } from '../../../core/mesh/ids';
import type { Instance } from '../../inventory';
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
/** Targets of one SRV name that are looked up together. */
const targetsAtOnce = 64;

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
  const found = new Map<string, Found>();
  let unseen = 0;
  const add = (host: string, inbound: { readonly [port: string]: number }, over: Found['over']): void =>
    void found.set(`${host.replaceAll(/[.:]/g, '-')} ${JSON.stringify(Object.entries(inbound))}`, { host, inbound, over });
  if (source.name !== undefined) for (const host of await addressesOf(source.name)) add(host, source.ports ?? {}, {});
  for (const [port, name] of Object.entries(source.srv ?? {})) {
    const known = await names.lookup(name, 'SRV');
    asked.push(known);
    const targets = known.records.flatMap((data) => (data.type === 'SRV' && data.port > 0 && isDnsName(data.target) ? [data] : []));
    if (known.failure !== null)
      diagnostics.push(enforce.nameFailed({ name, workload: source.workload, reason: known.failure, kept: targets.length }));
    else if (targets.length === 0) diagnostics.push(enforce.nameEmpty({ name, workload: source.workload, why: known.none ?? 'NODATA' }));
    const levels = [...new Set(targets.map(({ priority }) => priority))].sort((a, b) => a - b);
    const heaviest = Math.max(1, ...targets.map(({ weight }) => weight));
    const before = found.size;
    for (let at = 0; at < targets.length; at += targetsAtOnce) {
      // Who has more targets than endpoints are taken, each with thousands of addresses, would keep us at nothing else.
      if (found.size - before >= mostEndpoints) {
        unseen += targets.length - at;
        break;
      }
      // At once: one after the other, targets that nobody answers for would take minutes, and a start waits for them.
      const places = targets.slice(at, at + targetsAtOnce).map(async (target) => ({ target, hosts: await addressesOf(target.target) }));
      for (const { target, hosts } of await Promise.all(places)) {
        const over = {
          // RFC 2782: weights count among records of one priority; 0 means hardly ever
          weight: heaviest > 1_000 ? Math.max(1, Math.round((target.weight * 1_000) / heaviest)) : Math.max(1, target.weight),
          priority: Math.min(15, (source.priority ?? 0) + levels.indexOf(target.priority)),
        };
        for (const host of hosts) add(host, { [port]: target.port }, over);
      }
    }
  }
  const all = found.size + unseen + asked.reduce((sum, { heard, records }) => sum + heard - records.length, 0);
  if (all > mostEndpoints)
    diagnostics.push(
      enforce.tooManyEndpoints({
        name: source.name ?? Object.values(source.srv ?? {})[0] ?? '',
        workload: source.workload,
        found: all,
        most: mostEndpoints,
      }),
    );
  const taken = [...found.keys()].sort().slice(0, mostEndpoints);
  const instances = taken.flatMap((key) => found.get(key) ?? []).map((one) => instanceOf(source, one));
  return {
    instances: instances.sort((a, b) => (a.id < b.id ? -1 : 1)),
    diagnostics,
    until: Math.min(...asked.map(({ until }) => until)),
  };
}

/** An endpoint before it is an instance: there may be far more of these than are taken. */
interface Found {
  readonly host: string;
  readonly inbound: { readonly [port: string]: number };
  /** What its record says in place of the source. */
  readonly over: Pick<Instance, 'weight' | 'priority'>;
}

/** Named by what it is, so that it is the same one after a restart and in every replica. */
function instanceOf(source: DnsSource, { host, inbound: numbers, over }: Found): Instance {
  const { workload, version, network, region, zone, subZone, weight, priority } = { ...source, ...over };
  const inbound: Instance['inbound'] = Object.fromEntries(Object.entries(numbers).map(([port, number]) => [port, { host, port: number }]));
  const text = JSON.stringify([workload, version ?? '', Object.entries(inbound), ...(network === undefined ? [] : [network])]);
  return {
    id: `dns-${host.replaceAll(/[.:]/g, '-')}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`,
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
