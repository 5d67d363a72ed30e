/** A pod as this product reads it: the labels and annotations that say where in the mesh it stands. Decoded from whatever the API holds. */
import { isIP } from 'node:net';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { identityAudience, podAnnotations, podCapture, podDefaults, podLabels, workloadNameOf } from '../../core/mesh/pod';
import { principalOf, workloadKey, type Principal, type WorkloadKey } from '../../core/mesh/ids';
import type { KubeObject } from '../../platform/kube';
import { instanceIdOf } from '../ca/spiffe';
import type { Address } from '../inventory';

export interface MeshPod {
  /** `<namespace>/<name>` */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly id: string;
  readonly workload: WorkloadKey;
  readonly serviceAccount: string;
  readonly version?: string;
  readonly ip: string;
  readonly labels: { readonly [key: string]: string };
  /** Container ports by name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly appHost: string;
  readonly outbound?: Address;
  readonly outboundPorts?: { readonly [port: string]: Address };
  readonly listeners?: { readonly [name: string]: Address };
  /** Where it is, by the labels that the API server copies from its node (plugin PodTopologyLabels), or that somebody wrote. */
  readonly network?: string;
  readonly eastWest?: Address;
  readonly region?: string;
  readonly zone?: string;
  readonly subZone?: string;
  /** Its connections are captured: what sets that up is among its containers, which never change. */
  readonly capture: boolean;
  /** Whether it has an address of either family. */
  readonly dualStack: boolean;
  /** All its addresses. */
  readonly ips: readonly string[];
  readonly ready: boolean;
  readonly terminating: boolean;
  /** Whether it was given a token to prove itself with: then it has a proxy. */
  readonly injected: boolean;
}

export type Json = Readonly<Record<string, unknown>>;
export const recordIn = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
export const recordsIn = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(recordIn) : []);
export const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The addresses that a pod's status names. */
export const ipsOf = (status: Json): readonly string[] =>
  [status['podIP'], ...recordsIn(status['podIPs']).map(({ ip }) => ip)].map(textIn).filter((ip) => isIP(ip) !== 0);

/** null for what runs no longer, has no address yet, or is not of the mesh; what is wrong with it is said. */
export function meshPod(object: KubeObject, into: Diagnostic[]): MeshPod | null {
  const { name, namespace = '', deletionTimestamp } = object.metadata;
  const key = `${namespace}/${name}`;
  const [spec, status] = [recordIn(object['spec']), recordIn(object['status'])];
  const ip = textIn(status['podIP']);
  if (isIP(ip) === 0 || ['Succeeded', 'Failed'].includes(textIn(status['phase']))) return null;
  if (namespace === meshNamespace) return null; // the mesh's own servers: no policy is about them
  const labels = object.metadata.labels ?? {};
  const annotations = object.metadata.annotations ?? {};
  const label = [podLabels.workload, podLabels.app].find((one) => labels[one] !== undefined);
  if (label === undefined) {
    into.push(enforce.podWithoutWorkload({ pod: key }));
    return null;
  }
  const refuse = (what: string, reason: string): null => {
    into.push(enforce.podUnusable({ pod: key, what, reason }));
    return null;
  };
  const declared = workloadNameOf(labels);
  if (declared === undefined) return refuse(label, `names no workload: \`${labels[label]?.slice(0, 80)}\``);
  const workload = workloadKey(namespace, declared);
  const appHost = annotations[podAnnotations.appHost] ?? podDefaults.appHost;
  // Nobody but the pod itself reaches its application behind the proxy.
  if (!isLoopback(appHost)) return refuse(podAnnotations.appHost, 'is not a loopback address');
  const listeners: Record<string, Address> = {};
  for (const [annotation, value] of Object.entries(annotations)) {
    if (!annotation.startsWith(podAnnotations.listenerPrefix)) continue;
    const address = addressIn(value);
    if (address === null) return refuse(annotation, 'is not `<IP address>:<port>`');
    listeners[annotation.slice(podAnnotations.listenerPrefix.length)] = address;
  }
  const door = listeners['east-west'];
  const eastWest = addressIn(annotations[podAnnotations.eastWest] ?? '') ?? (door && { host: ip, port: door.port });
  if (annotations[podAnnotations.eastWest] !== undefined && addressIn(annotations[podAnnotations.eastWest] ?? '') === null)
    return refuse(podAnnotations.eastWest, 'is not `<IP address>:<port>`');
  const isGateway = Object.keys(listeners).length > 0;
  const outboundPorts: Record<string, Address> = {};
  for (const [annotation, value] of Object.entries(annotations)) {
    const port = outboundPortOf(annotation);
    if (port === null) continue;
    const address = addressIn(value);
    if (address === null || !isLoopback(address.host)) return refuse(annotation, 'is not `<loopback address>:<port>`');
    outboundPorts[port] = address;
  }
  const stated = annotations[podAnnotations.outbound];
  const outbound = addressIn(stated ?? podDefaults.outbound);
  if (outbound === null || !isLoopback(outbound.host)) return refuse(podAnnotations.outbound, 'is not `<loopback address>:<port>`');
  const version = labels[podLabels.version];
  const place = Object.fromEntries(
    (['network', 'region', 'zone', 'subZone'] as const).flatMap((key) => {
      const value = labels[podLabels[key]] ?? '';
      return value === '' ? [] : [[key, value]];
    }),
  );
  return {
    key,
    namespace,
    name,
    uid: object.metadata.uid ?? '',
    id: instanceIdOf(name, namespace),
    workload,
    serviceAccount: textIn(spec['serviceAccountName']) || 'default',
    ...(version === undefined ? {} : { version }),
    ip,
    labels,
    ports: containerPorts(spec),
    appHost,
    ...(isGateway && stated === undefined ? {} : { outbound }),
    ...(Object.keys(outboundPorts).length === 0 ? {} : { outboundPorts }),
    ...(isGateway ? { listeners } : {}),
    ...(eastWest ? { eastWest } : {}),
    ...place,
    capture: !isGateway && recordsIn(spec['initContainers']).some((container) => container['name'] === podCapture.container),
    dualStack: new Set(recordsIn(status['podIPs']).map((one) => isIP(textIn(one['ip'])))).size === 2,
    ips: ipsOf(status),
    ready: recordsIn(status['conditions']).some((one) => one['type'] === 'Ready' && one['status'] === 'True'),
    terminating: deletionTimestamp !== undefined,
    injected: recordsIn(spec['volumes'])
      .flatMap((volume) => recordsIn(recordIn(volume['projected'])['sources']))
      .some((source) => recordIn(source['serviceAccountToken'])['audience'] === identityAudience),
  };
}

/** Whom a pod's proxy speaks for. */
export const principalOfPod = (pod: MeshPod, trustDomain: string): Principal => principalOf(trustDomain, pod.namespace, pod.serviceAccount);

export const isPort = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;
const isLoopback = (host: string): boolean => (isIP(host) === 4 && host.startsWith('127.')) || host === '::1';

/** `shop/db.pg` of `meshwright.dev/outbound.shop.db.pg`; null for another annotation. */
function outboundPortOf(annotation: string): string | null {
  if (!annotation.startsWith(podAnnotations.outboundPrefix)) return null;
  const [namespace = '', service = '', port = ''] = annotation.slice(podAnnotations.outboundPrefix.length).split('.');
  return `${namespace}/${service}.${port}`;
}

/** `127.0.0.1:15001`, `[::1]:15001` */
function addressIn(text: string): Address | null {
  const [, v6, v4, digits = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  const port = Number(digits);
  return isIP(host) !== 0 && isPort(port) ? { host, port } : null;
}

function containerPorts(spec: Json): ReadonlyMap<string, number> {
  const result = new Map<string, number>();
  // Sidecars that stay are init containers since Kubernetes 1.29.
  for (const container of [...recordsIn(spec['containers']), ...recordsIn(spec['initContainers'])])
    for (const { name, containerPort, protocol = 'TCP' } of recordsIn(container['ports']))
      if (typeof name === 'string' && isPort(containerPort) && protocol === 'TCP' && !result.has(name)) result.set(name, containerPort);
  return result;
}
