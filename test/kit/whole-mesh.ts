/**
 * A whole mesh in two Envoys: one that holds every caller's outbound side, one that holds every destination's inbound side. What proxies of their
 * own would name alike (`outbound`, `app/web`, the secret `workload`, a cluster with its caller's certificate) carries the proxy's instance.
 */
import type { ProxyConfig, ServiceConfig } from '../../core/bundle/objects';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { callablePorts } from '../../core/ir/edges';
import { isConnection } from '../../core/ir/layers';
import type { MeshIr } from '../../core/ir/ir';
import type { Json, JsonObject } from '../../core/lib/json';
import { portKey, serviceOfPort, type PortKey, type WorkloadKey } from '../../core/mesh/ids';
import { freePorts } from '../../platform/ports';
import { isList, isRecord } from '../../runtime-proxy/bind/addresses';
import { bindInbound, bindOutbound, type BoundProxy, type BoundResource } from '../../runtime-proxy/bind/bind';
import { loadAssignment } from '../../runtime-proxy/bind/endpoints';
import type { Address, Instance, Inventory } from '../../runtime-proxy/inventory';
import { certificateSecret, type TestAuthority, trustSecret } from './certificates';

export interface EnvoySide {
  readonly proxy: BoundProxy;
  readonly assignments: ReadonlyMap<string, JsonObject>;
  readonly secrets: readonly JsonObject[];
}
export interface WholeMesh {
  readonly inventory: Inventory;
  readonly client: EnvoySide;
  readonly server: EnvoySide;
  /** Port number of an application -> the service port and version it stands for. */
  readonly apps: ReadonlyMap<number, { readonly port: PortKey; readonly version: string | null }>;
  instanceOf(workload: WorkloadKey, version?: string | null): Instance;
}

/** One instance of each workload, and of each version of a service, on loopback addresses that are free now; ids begin with `prefix`. */
export async function layOut(ir: MeshIr, prefix = ''): Promise<Inventory> {
  const services = new Map(ir.services.map((service) => [service.key, service]));
  const gateways = new Map(ir.gateways.map((gateway) => [gateway.key, gateway]));
  /** What a workload's application dials connections by: a port, or one broker of it. */
  const symbols = (workload: WorkloadKey): readonly string[] =>
    callablePorts(ir, workload).flatMap((key) => {
      const port = services.get(serviceOfPort(key))?.ports.find((known) => known.key === key);
      return port && isConnection(port.layer) ? [key, ...port.brokers.map((broker) => `${key}|${broker}`)] : [];
    });
  const wanted = ir.workloads.reduce((sum, { key }) => {
    const service = services.get(key);
    return (
      sum +
      1 +
      (gateways.get(key)?.listeners.length ?? 0) +
      symbols(key).length * Math.max(1, service?.versions.length ?? 1) +
      (service ? service.ports.length * 2 * Math.max(1, service.versions.length) + service.versions.length : 0)
    );
  }, 0);
  const free = [...(await freePorts(wanted))];
  const take = (): Address => {
    const port = free.pop();
    if (port === undefined) throw new Error('internal: too few ports');
    return { host: '127.0.0.1', port };
  };
  const outboundPorts = (workload: WorkloadKey): Pick<Instance, 'outboundPorts'> => {
    const names = symbols(workload);
    return names.length === 0 ? {} : { outboundPorts: Object.fromEntries(names.map((name) => [name, take()])) };
  };
  const instances = ir.workloads.flatMap((workload): Instance[] => {
    const id = `${prefix}${workload.key.replace('/', '-')}`;
    const gateway = gateways.get(workload.key);
    if (gateway)
      return [
        {
          id,
          workload: workload.key,
          app: {},
          inbound: {},
          listeners: Object.fromEntries(gateway.listeners.map((listener) => [listener.name, take()])),
        },
      ];
    const service = services.get(workload.key);
    const ports = service?.ports ?? [];
    const each = (): { [port: string]: Address } => Object.fromEntries(ports.map((port) => [port.name, take()]));
    const versions = service && service.versions.length > 0 ? service.versions : [null];
    return versions.map((version) => ({
      id: version === null ? id : `${id}-${version}`,
      workload: workload.key,
      ...(version === null ? {} : { version }),
      app: each(),
      inbound: each(),
      outbound: take(),
      ...outboundPorts(workload.key),
    }));
  });
  return { instances };
}

export async function wholeMesh(
  ir: MeshIr,
  objects: { readonly services: readonly ServiceConfig[]; readonly proxies: readonly ProxyConfig[] },
  inventory: Inventory,
  authority: TestAuthority,
  clients: ReadonlyMap<string, string> = new Map(),
): Promise<WholeMesh> {
  const services = new Map(objects.services.map((service) => [`${service.metadata.namespace}/${service.metadata.name}`, service]));
  const proxies = new Map(objects.proxies.map((proxy) => [proxy.spec.workload, proxy]));
  const sides = { client: emptySide(authority), server: emptySide(authority) };
  const apps = new Map<number, { port: PortKey; version: string | null }>();
  for (const instance of inventory.instances) {
    const proxy = proxies.get(instance.workload);
    if (!proxy) throw new Error(`no ProxyConfig for ${instance.workload}`);
    for (const [name, address] of Object.entries(instance.app))
      apps.set(address.port, { port: portKey(instance.workload, name), version: instance.version ?? null });
    const svid = certificateSecret(`${instance.id}:workload`, await authority.svid(proxy.spec.principal, proxy.spec.workload));
    const diagnostics: Diagnostic[] = [];
    const called = proxy.spec.outbound.services.flatMap((name) => services.get(name) ?? []);
    if (called.length !== proxy.spec.outbound.services.length)
      throw new Error(`${instance.workload} names a ServiceConfig that is not there`);
    const inbound = bindInbound(proxy, instance, diagnostics);
    const outbound = bindOutbound(proxy, called, instance, diagnostics);
    if (diagnostics.length > 0) throw new Error(diagnostics.map((d) => d.message).join('; '));
    if (inbound.listeners.length > 0) add(sides.server, inbound, instance.id, inventory, [svid]);
    const certificates = await gatewayCertificates(ir, instance, authority, clients);
    add(sides.client, outbound, instance.id, inventory, [svid, ...certificates]);
  }
  return {
    inventory,
    client: sides.client,
    server: sides.server,
    apps,
    instanceOf: (workload, version = null) => {
      const found = inventory.instances.find(
        (instance) => instance.workload === workload && (version === null || instance.version === version),
      );
      if (!found) throw new Error(`no instance of ${workload}`);
      return found;
    },
  };
}

interface Side {
  readonly proxy: {
    readonly listeners: BoundResource[];
    readonly routes: BoundResource[];
    readonly clusters: BoundResource[];
    readonly endpoints: BoundProxy['endpoints'];
  };
  readonly assignments: Map<string, JsonObject>;
  readonly secrets: JsonObject[];
}
const emptySide = (authority: TestAuthority): Side => ({
  proxy: { listeners: [], routes: [], clusters: [], endpoints: [] },
  assignments: new Map(),
  secrets: [trustSecret(authority.trust)],
});

function add(side: Side, proxy: BoundProxy, id: string, inventory: Inventory, secrets: readonly JsonObject[]): void {
  const renamed = ownNames(proxy, id);
  const rename = (resource: BoundResource): BoundResource => ({
    ...resource,
    name: `${id}:${resource.name}`,
    json: renamed(resource.json),
  });
  side.proxy.listeners.push(...proxy.listeners.map(rename));
  side.proxy.routes.push(...proxy.routes.map(rename));
  side.proxy.clusters.push(...proxy.clusters.map(rename));
  for (const selector of proxy.endpoints)
    side.assignments.set(`${id}:${selector.cluster}`, {
      ...loadAssignment(selector, inventory, () => true, inventory.instances.find((instance) => instance.id === id) ?? null),
      clusterName: `${id}:${selector.cluster}`,
    });
  side.secrets.push(...secrets);
}

/** Every reference to one of the proxy's own names, by the field it stands in. */
function ownNames(proxy: BoundProxy, id: string): (json: JsonObject) => JsonObject {
  const own = new Set(['workload', ...[...proxy.listeners, ...proxy.routes, ...proxy.clusters].map((resource) => resource.name)]);
  const fields = new Set(['name', 'cluster', 'clusterName', 'routeConfigName']);
  const walk = (value: Json): Json => {
    if (isList(value)) return value.map(walk);
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        typeof inner === 'string' && fields.has(key) && own.has(inner) ? `${id}:${inner}` : walk(inner),
      ]),
    );
  };
  return (json) => {
    const made = walk(json);
    if (!isRecord(made)) throw new Error('internal: a resource is an object');
    return made;
  };
}

/** `clients`: the authorities of clients, by the secret that a listener names. */
async function gatewayCertificates(
  ir: MeshIr,
  instance: Instance,
  authority: TestAuthority,
  clients: ReadonlyMap<string, string>,
): Promise<readonly JsonObject[]> {
  const gateway = ir.gateways.find((known) => known.key === instance.workload);
  const named = new Map(
    (gateway?.listeners ?? []).flatMap(({ speaks, hosts }) =>
      speaks.kind === 'https'
        ? [speaks.certificate, ...hosts.map(({ certificate }) => certificate ?? speaks.certificate)]
            .map(
              (name) =>
                [name, hosts.filter(({ certificate = speaks.certificate }) => certificate === name).map(({ host }) => host)] as const,
            )
            .filter(([, of]) => of.length > 0)
        : [],
    ),
  );
  const trusted = new Set(
    (gateway?.listeners ?? []).flatMap(({ speaks }) => (speaks.kind === 'https' ? (speaks.clients?.trust ?? []) : [])),
  );
  const authorities = [...trusted].map((name) => ({ ...trustSecret(clients.get(name) ?? authority.trust), name: `authorities/${name}` }));
  const made = await Promise.all(
    [...named].map(async ([name, hosts]) => certificateSecret(`certificate/${name}`, await authority.serving(hosts))),
  );
  return [...made, ...authorities];
}
