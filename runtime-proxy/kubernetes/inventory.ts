/**
 * What runs where, from Services, EndpointSlices and Pods: pure. A pod is an instance; where its proxy listens for callers is the pod's address and the
 * number that its EndpointSlices (before they are written: its Services) give the name of a port; whether it is called there is for the slices to say.
 */
import { isIP } from 'node:net';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { sortedUnique } from '../../core/lib/order';
import { podCapture } from '../../core/mesh/pod';
import type { KubeObject } from '../../platform/kube';
import type { Address, Capture, Instance, Inventory, VirtualAddresses } from '../inventory';
import { ipsOf, isPort, meshPod, recordIn, recordsIn, textIn, type Json, type MeshPod } from './pod';

export interface ClusterView {
  readonly services: Iterable<KubeObject>;
  readonly slices: Iterable<KubeObject>;
  readonly pods: Iterable<KubeObject>;
}
export interface ClusterInventory {
  readonly inventory: Inventory;
  readonly pods: readonly MeshPod[];
  readonly diagnostics: readonly Diagnostic[];
}
/** A port of a pod as one Service has it. */
interface Claim {
  readonly service: string;
  readonly number: number;
  readonly state: 'ready' | 'leaving' | 'away';
  /** Where the slice says that the endpoint is. */
  readonly zone?: string;
  /** The number by the Service itself, where it selects the pod. */
  readonly selected?: number;
  /** Nobody but the Service's selector says it. */
  readonly isSelectors?: true;
}
type Claims = Map<string, Claim[]>;

/** The inventory of a cluster, in order of instance; the same whatever the order of what comes in. */
export function inventoryOf(view: ClusterView): ClusterInventory {
  const diagnostics: Diagnostic[] = [];
  const all = [...view.pods];
  const pods = all.flatMap((object) => meshPod(object, diagnostics) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1));
  const claims = new Map(pods.map((pod) => [pod.key, new Map<string, Claim[]>()] as const));
  const services = [...view.services];
  const virtual = addServices(services, pods, claims, diagnostics);
  const alsoOfMesh = sortedUnique([...pods.flatMap(({ ips }) => ips), ...ownAddresses(all), ...clusterIpsOfMesh(services, pods)]);
  addSlices(view.slices, new Map(pods.map((pod) => [pod.key, pod])), claims);
  const chosen = new Map(pods.map((pod) => [pod.key, choose(pod, claims.get(pod.key) ?? new Map(), diagnostics)] as const));
  // As kube-proxy has it: when nobody is ready, who is on its way out and still serves is better than nobody.
  const served = new Set<string>();
  for (const pod of pods)
    for (const [port, { state }] of chosen.get(pod.key) ?? []) if (state === 'ready') served.add(`${pod.workload}.${port}`);
  const passing = new Set(pods.flatMap((pod) => (pod.eastWest && pod.ready && !pod.terminating ? [placeOfDoor(pod)] : [])));
  const instances = pods.map((pod): Instance => {
    const ports = [...(chosen.get(pod.key) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const at = (host: string): { readonly [port: string]: Address } =>
      Object.fromEntries(ports.map(([name, { number }]) => [name, { host, port: number }]));
    const away = ports.filter(([name, { state }]) => state === 'away' || (state === 'leaving' && served.has(`${pod.workload}.${name}`)));
    // No slice says it of a gateway between networks, whose port need be none of a Service: the pod itself does.
    const shut = pod.eastWest && (!pod.ready || (pod.terminating && passing.has(placeOfDoor(pod)))) ? ['east-west'] : [];
    return {
      id: pod.id,
      workload: pod.workload,
      ...(pod.version === undefined ? {} : { version: pod.version }),
      ...placeOf(pod, chosen.get(pod.key)),
      app: at(pod.appHost),
      inbound: at(pod.ip),
      ...(pod.outbound === undefined ? {} : { outbound: pod.outbound, outboundAsPlaced: true }),
      ...(pod.outboundPorts === undefined ? {} : { outboundPorts: pod.outboundPorts }),
      ...(pod.eastWest === undefined ? {} : { eastWest: pod.eastWest }),
      ...(pod.listeners === undefined ? {} : { listeners: pod.listeners }),
      ...(pod.capture ? { capture: captureOf(pod) } : {}),
      ...(away.length + shut.length === 0 ? {} : { away: [...away.map(([name]) => name), ...shut] }),
    };
  });
  return {
    inventory: {
      instances,
      ...(Object.keys(virtual).length === 0 ? {} : { virtual }),
      ...(alsoOfMesh.length === 0 ? {} : { alsoOfMesh }),
    },
    pods,
    diagnostics: unique(diagnostics),
  };
}

const placeOfDoor = ({ workload, network = '' }: MeshPod): string => `${workload} ${network}`;

/** The pod's own labels before what its slices say. */
function placeOf(
  { network, region, zone, subZone }: MeshPod,
  claims: ReadonlyMap<string, Claim> | undefined,
): Pick<Instance, 'network' | 'region' | 'zone' | 'subZone'> {
  const told = zone ?? [...(claims ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, claimed]) => claimed.zone ?? [])[0];
  return {
    ...(network === undefined ? {} : { network }),
    ...(region === undefined ? {} : { region }),
    ...(told === undefined ? {} : { zone: told }),
    ...(subZone === undefined ? {} : { subZone }),
  };
}

/** It is called at the pod's first address, and calls by every family that the pod has. */
function captureOf({ ip, dualStack }: MeshPod): Capture {
  const [everywhere, loopback, other] = isIP(ip) === 6 ? ['::', '::1', '127.0.0.1'] : ['0.0.0.0', '127.0.0.1', '::1'];
  return {
    ...(dualStack ? { outboundAlso: { host: other, port: podCapture.outboundPort } } : {}),
    inbound: { host: everywhere, port: podCapture.inboundPort },
    outbound: { host: loopback, port: podCapture.outboundPort },
  };
}

/**
 * By selector: numbers are known before the first slice is written, and nobody is called yet. Answers with the cluster IPs by which ports are dialled: each
 * Service's stand for the workload that it is named like, else for the workload, or the one version of it, whose pods are exactly its own.
 */
function addServices(
  services: Iterable<KubeObject>,
  pods: readonly MeshPod[],
  claims: ReadonlyMap<string, Claims>,
  into: Diagnostic[],
): VirtualAddresses {
  const virtual = new Map<string, Map<string, Address>>();
  // By namespace and each label: thousands of Services and of pods are not compared one with one.
  const byLabel = new Map<string, MeshPod[]>();
  const keyOf = (namespace: string, label: string, value: unknown): string => `${namespace} ${label}=${String(value)}`;
  for (const pod of pods)
    for (const [label, value] of Object.entries(pod.labels)) {
      const key = keyOf(pod.namespace, label, value);
      const known = byLabel.get(key);
      if (known) known.push(pod);
      else byLabel.set(key, [pod]);
    }
  const podsOf = new Map<string, number>();
  for (const pod of pods)
    for (const key of [pod.workload, ...(pod.version === undefined ? [] : [`${pod.workload}|${pod.version}`])])
      podsOf.set(key, (podsOf.get(key) ?? 0) + 1);
  // A Service named like a workload is that workload's alone: its addresses stand for nobody else's ports.
  const named = new Set<string>(pods.map((pod) => pod.workload));
  for (const { metadata, ...service } of services) {
    const spec = recordIn(service['spec']);
    const selector = Object.entries(recordIn(spec['selector']));
    const addresses = clusterIps(spec);
    const dial = (workload: string, ports: readonly Json[], version = ''): void => {
      for (const { name = '', port, protocol = 'TCP' } of ports) {
        if (protocol !== 'TCP' || typeof name !== 'string' || name === '' || !isPort(port)) continue;
        const key = `${workload}.${name}${version}`;
        const of = virtual.get(key) ?? new Map<string, Address>();
        virtual.set(key, of);
        for (const ip of addresses) of.set(`${ip} ${port}`, { host: ip, port });
      }
    };
    const ports = recordsIn(spec['ports']);
    const own = `${metadata.namespace}/${metadata.name}`;
    if (selector.length === 0) {
      dial(own, ports);
      continue;
    }
    const lists = selector.map(([label, value]) => byLabel.get(keyOf(metadata.namespace ?? '', label, value)) ?? []);
    const shortest = lists.reduce((least, list) => (list.length < least.length ? list : least));
    const selected = shortest.filter((pod) => selector.every(([label, value]) => pod.labels[label] === value));
    const [workload, ...others] = new Set<string>(selected.map((pod) => pod.workload));
    if (workload === undefined || named.has(own)) dial(own, ports);
    else if (others.length === 0) {
      // Who dials a part of the pods (a primary, one broker) is not to reach the others.
      const [version, ...versions] = new Set(selected.map((pod) => pod.version));
      if (selected.length === podsOf.get(workload)) dial(workload, ports);
      else if (version !== undefined && versions.length === 0 && selected.length === podsOf.get(`${workload}|${version}`))
        dial(workload, ports, `|${version}`);
    }
    for (const { name: port = '', port: number, targetPort, protocol = 'TCP' } of ports) {
      if (protocol !== 'TCP' || typeof port !== 'string') continue;
      if (port === '') {
        if (selected.length > 0)
          into.push(
            enforce.portDoubtful({ service: `${metadata.namespace}/${metadata.name}`, port: String(number), reason: 'it has no name' }),
          );
        continue;
      }
      for (const pod of selected) {
        const target = typeof targetPort === 'string' ? pod.ports.get(targetPort) : (targetPort ?? number);
        if (isPort(target))
          claim(pod, claims.get(pod.key), port, {
            ...{ service: metadata.name, number: target, selected: target, state: 'away', isSelectors: true },
          });
      }
    }
  }
  return Object.fromEntries(
    [...virtual]
      .filter(([, of]) => of.size > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, of]) => [key, [...of].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, address]) => address)]),
  );
}

/** Those of the mesh's own servers: no instances, and nothing outside either. */
const ownAddresses = (pods: readonly KubeObject[]): readonly string[] =>
  pods.flatMap((pod) => (pod.metadata.namespace === meshNamespace ? ipsOf(recordIn(pod['status'])) : []));

/** Of Services that lead to a pod of the mesh, or to its own servers, whatever their ports are called. */
function clusterIpsOfMesh(services: readonly KubeObject[], pods: readonly MeshPod[]): readonly string[] {
  const labels = new Set(pods.flatMap((pod) => Object.entries(pod.labels).map(([label, value]) => `${pod.namespace} ${label}=${value}`)));
  return services.flatMap(({ metadata: { namespace = '' }, ...service }) => {
    const spec = recordIn(service['spec']);
    const selector = Object.entries(recordIn(spec['selector']));
    // a label more than it asks for is on the safe side
    const leads = selector.length > 0 && selector.every(([label, value]) => labels.has(`${namespace} ${label}=${String(value)}`));
    return leads || namespace === meshNamespace ? clusterIps(spec) : [];
  });
}
const clusterIps = (spec: Json): readonly string[] =>
  (Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'] : [spec['clusterIP']]).map(textIn).filter((ip) => isIP(ip) !== 0);

function addSlices(slices: Iterable<KubeObject>, pods: ReadonlyMap<string, MeshPod>, claims: ReadonlyMap<string, Claims>): void {
  for (const { metadata, ...slice } of slices) {
    const service = metadata.labels?.['kubernetes.io/service-name'];
    const family = { IPv4: 4, IPv6: 6 }[textIn(slice['addressType'])];
    if (service === undefined || family === undefined) continue;
    const ports = recordsIn(slice['ports']).filter(
      ({ name, port, protocol = 'TCP' }) => textIn(name) !== '' && isPort(port) && protocol === 'TCP',
    );
    for (const endpoint of recordsIn(slice['endpoints'])) {
      const target = recordIn(endpoint['targetRef']);
      const pod = target['kind'] === 'Pod' ? pods.get(`${metadata.namespace}/${textIn(target['name'])}`) : undefined;
      // A pod with two addresses is in two slices; it is called by the one that is its first.
      if (!pod || isIP(pod.ip) !== family) continue;
      // A slice that is still about the pod that had this name before says nothing about this one.
      if (textIn(target['uid']) !== '' && target['uid'] !== pod.uid) continue;
      const { ready, serving, terminating } = recordIn(endpoint['conditions']);
      const zone = textIn(endpoint['zone']);
      const leaving = pod.terminating || terminating === true;
      const state = leaving ? (serving === false ? 'away' : 'leaving') : ready === false ? 'away' : 'ready';
      for (const { name, port } of ports)
        if (isPort(port)) claim(pod, claims.get(pod.key), textIn(name), { service, number: port, state, ...(zone === '' ? {} : { zone }) });
    }
  }
}

/**
 * What a slice says takes the place of what the Service's selector said. A pod can be in several slices of one Service while they are rearranged, or while the
 * Service gets another target port; then the number that the Service has now counts, and of two states the one that the pod has itself.
 */
function claim(pod: MeshPod, claims: Claims | undefined, port: string, said: Claim): void {
  if (!claims) return;
  const all = claims.get(port) ?? [];
  const before = all.find(({ service }) => service === said.service);
  const made = { ...said, ...(before?.selected === undefined ? {} : { selected: before.selected }) };
  const stands = before && !before.isSelectors && order(pod, before) <= order(pod, made) ? before : made;
  claims.set(port, [...all.filter((one) => one !== before), stands]);
}
/** Least is what counts; the same whichever comes first. */
function order({ ready }: MeshPod, { number, state, selected, zone = '' }: Claim): string {
  const states = ready ? ['ready', 'leaving', 'away'] : ['away', 'leaving', 'ready'];
  return [number === selected ? 0 : 1, states.indexOf(state), String(number).padStart(5, '0'), zone].join(' ');
}

/** One claim for each port name: the one of the Service named like the workload, else of the first by name. */
function choose(pod: MeshPod, claims: Claims, into: Diagnostic[]): ReadonlyMap<string, Claim> {
  const own = pod.workload.slice(pod.namespace.length + 1);
  const rank = ({ service }: Claim): string => (service === own ? '' : service);
  const result = new Map<string, Claim>();
  for (const [port, all] of claims) {
    const [first, ...others] = all.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
    if (!first) continue;
    result.set(port, first);
    for (const other of others)
      if (other.number !== first.number)
        into.push(
          enforce.portDoubtful({
            service: `${pod.namespace}/${other.service}`,
            port,
            reason: `Service \`${first.service}\` gives the same name to another port of pod \`${pod.name}\``,
          }),
        );
  }
  return result;
}

function unique(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ message }) => !seen.has(message) && seen.add(message));
}
