/**
 * The sample mesh as pods of a cluster that has no nodes: each pod is an object with a status as the kubelet writes it, and a process beside the API server stands
 * for it. Kubernetes takes no loopback address for a pod, so all have this machine's own, and differ by the number of their port `web`.
 */
import { meshNamespace } from '../../../core/bundle/custom-resource';
import type { WorkloadKey } from '../../../core/mesh/ids';
import { podAnnotations, podLabels } from '../../../core/mesh/pod';
import type { KubernetesObject } from '../../../deploy/install/object';
import { hostAddress } from '../../../platform/host-address';
import { freePorts } from '../../../platform/ports';
import type { Instance } from '../../../runtime-proxy/inventory';
import type { ApplicationConfig } from '../applications';
import { accounts, replicas, type Layout } from '../layout';

export interface PodPlan {
  readonly namespace: string;
  readonly name: string;
  readonly workload: WorkloadKey;
  readonly account: string;
  readonly object: KubernetesObject;
}
export interface ClusterLayout extends Layout {
  readonly pods: readonly PodPlan[];
  /** Namespaces, service accounts, Services and a node for the pods to be on. */
  readonly objects: readonly KubernetesObject[];
  /** Of every pod. */
  readonly address: string;
}

export const nodeName = 'node-1';
const namespaces = ['bookinfo', 'platform', 'orders'] as const;
/** An image as the policies demand it: of the company's registry, by digest. Nothing pulls it here. */
export const sampleImage = (name: string): string => `ghcr.io/acme/${name}@sha256:${'5'.repeat(64)}`;
const servicePort = 9080;

export async function layOutPods(edgePort?: number): Promise<ClusterLayout> {
  const address = hostAddress();
  const ports = [...(await freePorts(replicas.length * 2 + 1))];
  const take = (): number => ports.pop() ?? 0;
  const applications: ApplicationConfig[] = [];
  const instances: Instance[] = [];
  const pods: PodPlan[] = [];
  for (const { id, name, version, versioned, calls } of replicas) {
    const [web, out] = [take(), take()];
    const app = { host: '127.0.0.1', port: web };
    const outbound = { host: '127.0.0.1', port: out };
    const workload = `bookinfo/${name}` as WorkloadKey;
    applications.push({ instance: id, name, version, ...app, outbound: calls ? outbound : null });
    instances.push({
      id,
      workload,
      ...(versioned ? { version } : {}),
      app: { web: app },
      inbound: { web: { host: address, port: web } },
      outbound,
    });
    pods.push(
      podPlan(id, workload, {
        labels: { app: name, version, 'app.kubernetes.io/version': `1.${4 + Number(version.slice(1))}.0` },
        annotations: { [podAnnotations.outbound]: `127.0.0.1:${out}` },
        container: { name: 'app', image: sampleImage(name), ports: [{ name: 'web', containerPort: web, protocol: 'TCP' }] },
      }),
    );
  }
  const edge = { host: '127.0.0.1', port: edgePort ?? take() };
  instances.push({ id: 'edge-1', workload: 'platform/edge' as WorkloadKey, app: {}, inbound: {}, listeners: { web: edge } });
  pods.push(
    podPlan('edge-1', 'platform/edge' as WorkloadKey, {
      labels: { app: 'edge' },
      annotations: { [`${podAnnotations.listenerPrefix}web`]: `127.0.0.1:${edge.port}` },
      container: { name: 'gateway', image: sampleImage('edge') },
    }),
  );
  return { inventory: { instances }, applications, edge, pods, objects: surroundings(), address };
}

function podPlan(
  name: string,
  workload: WorkloadKey,
  parts: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly container: object;
  },
): PodPlan {
  const [namespace = '', workloadName = ''] = workload.split('/');
  const account = (accounts[workload] ?? '').split('/')[1] ?? '';
  return {
    namespace,
    name,
    workload,
    account,
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        namespace,
        name,
        labels: { ...parts.labels, [podLabels.workload]: workloadName, [podLabels.inject]: 'true' },
        annotations: parts.annotations,
      },
      spec: { nodeName, serviceAccountName: account, containers: [parts.container] },
    },
  };
}

/** What the kubelet would write about a pod whose containers run. */
export const runningStatus = (address: string): object => ({
  phase: 'Running',
  podIP: address,
  podIPs: [{ ip: address }],
  conditions: ['Initialized', 'ContainersReady', 'PodScheduled', 'Ready'].map((type) => ({ type, status: 'True' })),
});

function surroundings(): readonly KubernetesObject[] {
  const core = (kind: string, metadata: KubernetesObject['metadata'], rest: object = {}): KubernetesObject => ({
    apiVersion: 'v1',
    kind,
    metadata,
    ...rest,
  });
  return [
    core('Node', { name: nodeName }),
    ...namespaces.map((name) => core('Namespace', { name })),
    ...Object.values(accounts).map((account) => {
      const [namespace = '', name = ''] = account.split('/');
      return core('ServiceAccount', { namespace, name });
    }),
    ...[...new Set(replicas.map(({ name }) => name))].map((name) =>
      core(
        'Service',
        { namespace: 'bookinfo', name },
        { spec: { selector: { app: name }, ports: [{ name: 'web', port: servicePort, targetPort: 'web', protocol: 'TCP' }] } },
      ),
    ),
  ];
}

/** The endpoints of one of our Services, by hand: its pods are processes that no kubelet knows. */
export const endpointsOf = (
  service: string,
  address: string,
  port: { readonly name: string; readonly number: number },
): KubernetesObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    namespace: meshNamespace,
    name: `${service}-demo`,
    labels: { 'kubernetes.io/service-name': service, 'endpointslice.kubernetes.io/managed-by': 'meshwright-demo' },
  },
  addressType: 'IPv4',
  ports: [{ name: port.name, port: port.number, protocol: 'TCP' }],
  endpoints: [{ addresses: [address], conditions: { ready: true, serving: true } }],
});
