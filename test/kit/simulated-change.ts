/** A change of one proxy's configuration, acted out: the emitted objects of meshes, the control plane's own link, and a simulated Envoy, in a random order of events. */
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { MeshObject, ReleaseSet, SignedObject } from '../../core/bundle/objects';
import { objectName } from '../../core/bundle/objects';
import type { MeshIr } from '../../core/ir/ir';
import { isConnection } from '../../core/ir/layers';
import { digestOfJson, type Digest } from '../../core/lib/digest';
import type { Principal, WorkloadKey } from '../../core/mesh/ids';
import { ProxyLink, type Target } from '../../runtime-proxy/control-plane/proxy-link';
import { EndpointTable, noEndpoints } from '../../runtime-proxy/control-plane/endpoint-table';
import { objectSet, ResourceMaker, type ObjectSet } from '../../runtime-proxy/control-plane/resources';
import { targetOf } from '../../runtime-proxy/control-plane/target';
import type { Address, Instance, Inventory } from '../../runtime-proxy/inventory';
import { seeded } from './random';
import { SimulatedEnvoy, type Protocol } from './simulated-envoy';

export interface Mesh {
  readonly set: ObjectSet;
  readonly ir: MeshIr;
}
export function meshOf(ir: MeshIr): Mesh {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((d) => d.message).join('\n'));
  const known = new Map<Digest, SignedObject>();
  const set: { [name: string]: Digest } = {};
  const objects: readonly MeshObject[] = [...value.services, ...value.proxies];
  for (const object of objects) {
    const digest = digestOfJson(object);
    known.set(digest, { object, digest, jws: '' });
    set[objectName(object)] = digest;
  }
  return { ir, set: objectSet(set as ReleaseSet, (digest) => known.get(digest)) };
}

/**
 * One instance of each workload of either mesh, and of each version of a service, that has an address for every port of either. `shared`: one address for
 * all ports of an instance, as for a port that changes its name only.
 */
export function inventoryOf(meshes: readonly MeshIr[], host = '127.0.0.1', shared = false): Inventory {
  let next = 1_000;
  const address = (): Address => ({ host, port: (next += 1) });
  const instances = new Map<string, Instance>();
  // what applications dial connections by, of every port that has such
  const ports = meshes.flatMap((ir) => ir.services.flatMap((service) => service.ports)).filter((port) => isConnection(port.layer));
  const connections = [...new Set(ports.flatMap((port) => [port.key, ...port.brokers.map((broker) => `${port.key}|${broker}`)]))].sort();
  const keys = [...new Set(meshes.flatMap((ir) => ir.workloads.map(({ key }) => key)))].sort();
  for (const key of keys) {
    const services = meshes.flatMap((ir) => ir.services.filter((service) => service.key === key));
    // the way out of the mesh, where it is one
    const out = meshes.some((ir) => ir.services.some((service) => service.outside?.through === key)) ? ['egress'] : [];
    const names = [...new Set([...services.flatMap((service) => service.ports.map(({ name }) => name)), ...out])].sort();
    const versions = [...new Set(services.flatMap((service) => service.versions))].sort();
    const listeners = meshes.flatMap((ir) =>
      ir.gateways.filter((gateway) => gateway.key === key).flatMap((gateway) => gateway.listeners.map(({ name }) => name)),
    );
    const addresses = (of: readonly string[], one?: Address): { readonly [name: string]: Address } =>
      Object.fromEntries(of.map((name) => [name, one ?? address()]));
    for (const version of versions.length > 0 ? versions : [null]) {
      const id = `${key.replace('/', '-')}${version === null ? '' : `-${version}`}`;
      instances.set(id, {
        ...{ id, workload: key, app: addresses(names), inbound: addresses(names, shared ? address() : undefined) },
        ...(version === null ? {} : { version }),
        ...(listeners.length > 0 ? { listeners: addresses([...new Set(listeners)]) } : {}),
        outbound: address(),
        outboundPorts: addresses(connections),
      });
    }
  }
  return { instances: [...instances.values()] };
}

export interface Act {
  readonly workload: WorkloadKey;
  /** In force one after the other. */
  readonly meshes: readonly Mesh[];
  /** One for each mesh. */
  readonly inventories: readonly Inventory[];
  readonly protocol: Protocol;
  readonly seed: number;
  /** In a hundred responses, how many are refused; then the mesh before is in force again. */
  readonly refused: number;
  /** In a hundred events, how many are a lost connection. */
  readonly lost: number;
}
export interface Ending {
  /** Moments at which something that serves went to what was not there. */
  readonly broken: readonly string[];
  /** What is not as the last mesh has it, at the end. */
  readonly unlike: readonly string[];
  readonly log: readonly string[];
}

export function actOut({ workload, meshes, inventories, protocol, seed, refused, lost }: Act): Ending {
  const random = seeded(seed);
  const maker = new ResourceMaker();
  let now = 0;
  let at = 0;
  let stable = 0;
  let candidate = 0;
  const instanceAt = (place: number): Instance | undefined => inventories[place]?.instances.find((one) => one.workload === workload);
  const targetAt = (place: number): Target => {
    const [mesh, instance, inventory] = [meshes[place], instanceAt(place), inventories[place]];
    if (!mesh || !instance || !inventory) throw new Error(`no mesh ${place} with ${workload}`);
    const into: Diagnostic[] = [];
    const parts = { inbound: maker.part(mesh.set, 'inbound', instance, into), outbound: maker.part(mesh.set, 'outbound', instance, into) };
    if (into.length > 0) throw new Error(into.map((d) => d.message).join('; '));
    const table = new EndpointTable(() => true);
    table.setInventory(inventory);
    const endpoints = table.of([...parts.inbound.selectors, ...parts.outbound.selectors], instance, noEndpoints, []);
    const other: Target['other'] = (type) =>
      new Map(
        type === 'endpoints'
          ? []
          : [candidate, stable].flatMap((which) => {
              const [set, own] = [meshes[which]?.set, instanceAt(which)];
              return set && own ? (['inbound', 'outbound'] as const).flatMap((part) => [...maker.part(set, part, own, [])[type]]) : [];
            }),
      );
    return targetOf({ parts, sets: { inbound: 'stable', outbound: 'stable' }, endpoints, other });
  };
  const principal = meshes[0]?.ir.workloads.find(({ key }) => key === workload)?.principal ?? ('' as Principal);
  let refusing = true;
  const envoy = new SimulatedEnvoy({
    ...{ protocol, random },
    rejects: (type, names) =>
      refusing &&
      type !== 'endpoints' &&
      at !== stable &&
      names.some((name) => !targetAt(stable).resources[type].has(name) || targetAt(at).resources[type].has(name)) &&
      random.chance(refused),
    filled: (cluster) => (targetAt(at).endpoints.hosts.get(cluster) ?? 0) > 0,
  });
  const links: ProxyLink[] = [];
  const onNack = (): void => {
    at = stable;
    envoy.log.push(`goes back to ${at}`);
    links.at(-1)?.aim(targetAt(at));
  };
  const connect = (): void => {
    envoy.log.push(`connects, for ${at} after ${stable}`);
    const link = envoy.connect(
      (write) => new ProxyLink({ instance: 'i', workload, principal, notAfter: Number.MAX_SAFE_INTEGER, proof: 'pod' }, write, () => now),
      onNack,
    );
    links.push(link);
    link.aim(targetAt(at));
  };
  connect();
  const settle = (steps: number, disturbed: boolean): void => {
    for (let step = 0; step < steps; step += 1) {
      now += 7;
      if (disturbed && random.below(1_000) < lost * 10) connect();
      if (!envoy.step()) return;
    }
    if (steps >= 5_000) throw new Error(`it never ends: ${envoy.log.slice(-8).join(' | ')}`);
  };
  settle(5_000, false);
  for (let place = 1; place < meshes.length; place += 1) {
    stable = at;
    at = candidate = place;
    envoy.log.push(`wants ${at} after ${stable}`);
    links.at(-1)?.aim(targetAt(at));
    // a release may begin before a proxy has the one before
    settle(random.chance(50) ? random.below(60) : 5_000, true);
  }
  refusing = false;
  settle(5_000, false);
  at = stable = candidate = meshes.length - 1;
  links.at(-1)?.aim(targetAt(at));
  settle(5_000, false);
  now += 60_000;
  links.at(-1)?.push();
  settle(5_000, false);
  const wanted = targetAt(at);
  const unlike = (['clusters', 'listeners', 'routes'] as const).flatMap((type) => {
    const [is, should] = [
      new Map([...envoy[type]].map(([name, { version }]) => [name, version])),
      new Map([...wanted.resources[type]].map(([name, { version }]) => [name, version])),
    ];
    return [...new Set([...is.keys(), ...should.keys()])].flatMap((name) =>
      is.get(name) === should.get(name) ? [] : [`${type} ${name}: ${is.get(name) ?? 'nothing'} for ${should.get(name) ?? 'nothing'}`],
    );
  });
  if (envoy.warmingClusters.size + envoy.warmingListeners.size > 0) unlike.push('something warms still');
  return { broken: envoy.broken, unlike, log: envoy.log };
}
