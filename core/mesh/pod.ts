/** What a pod says to the mesh by its labels and annotations, and what its agent is told by its environment: read by webhook, CA, control plane and agent. */

export const podLabels = {
  /** The workload that the pod belongs to; `app` where it is absent. */
  workload: 'meshwright.dev/workload',
  app: 'app',
  version: 'version',
  region: 'topology.kubernetes.io/region',
  zone: 'topology.kubernetes.io/zone',
  /** Which network the pod is in; those of another are reached through east-west gateways. */
  network: 'meshwright.dev/network',
  subZone: 'meshwright.dev/sub-zone',
  /** `"true"` on a pod or its namespace asks for the sidecar; `"false"` on the pod takes the namespace's wish back. */
  inject: 'meshwright.dev/inject',
} as const;

export const podAnnotations = {
  /** Where the application listens: a loopback address. */
  appHost: 'meshwright.dev/app-host',
  /** `host:port` of the outbound listener, on loopback. */
  outbound: 'meshwright.dev/outbound',
  /** The same for one port that no host name addresses: `meshwright.dev/outbound.<namespace>.<service>.<port>: host:port`, on loopback. */
  outboundPrefix: 'meshwright.dev/outbound.',
  /** A gateway's listener by name: `meshwright.dev/listener.<name>: host:port`. */
  listenerPrefix: 'meshwright.dev/listener.',
  /** Where other networks reach the pod, which is an east-west gateway: `host:port` of what stands before it. */
  eastWest: 'meshwright.dev/east-west',
  /** `"true"`: the pod's connections are captured, so that applications dial services as if there were no mesh. */
  capture: 'meshwright.dev/capture',
  /** Secrets of the pod's namespace, by name, that its agent reads certificates and authorities from: `partner, edge-tls`. */
  certificates: 'meshwright.dev/certificates',
  /** Which template the sidecar was made from. */
  injected: 'meshwright.dev/injected',
} as const;

export const podDefaults = { appHost: '127.0.0.1', outbound: '127.0.0.1:15001' } as const;
/** Where a captured pod's proxy takes what arrives, and what leaves; and the init container that sets it up, by which such a pod is known. */
export const podCapture = { inboundPort: 15006, outboundPort: 15005, container: 'meshwright-capture' } as const;
/** Where every agent in a pod answers probes. */
export const agentHealthPort = 15021;
/** The audience of the service-account tokens that agents show to the CA. */
export const identityAudience = 'meshwright';
/** The ConfigMap, in each namespace, with the roots that peers are verified by, and its key. */
export const trustConfigMap = { name: 'meshwright-trust', key: 'trust.pem' } as const;

/** What `meshwright agent --kubernetes` reads. */
export const agentEnvironment = {
  podName: 'POD_NAME',
  podNamespace: 'POD_NAMESPACE',
  podIp: 'POD_IP',
  workload: 'MESHWRIGHT_WORKLOAD',
  trustDomain: 'MESHWRIGHT_TRUST_DOMAIN',
  controlPlane: 'MESHWRIGHT_CONTROL_PLANE',
  ca: 'MESHWRIGHT_CA',
  trustFile: 'MESHWRIGHT_TRUST_FILE',
  tokenFile: 'MESHWRIGHT_TOKEN_FILE',
  runDir: 'MESHWRIGHT_RUN_DIR',
  healthPort: 'MESHWRIGHT_HEALTH_PORT',
  concurrency: 'MESHWRIGHT_CONCURRENCY',
  envoyLogLevel: 'MESHWRIGHT_ENVOY_LOG_LEVEL',
  /** Set by whoever wants another protocol than the default: the webhook leaves it out. */
  xds: 'MESHWRIGHT_XDS',
  drainMs: 'MESHWRIGHT_DRAIN_MS',
  /** Where the Secrets that the pod names are; left out where it names none. */
  certificatesDir: 'MESHWRIGHT_CERTIFICATES_DIR',
} as const;

/** The name of the workload that labels give; undefined when they give none that a workload can have. */
export function workloadNameOf(labels: { readonly [key: string]: unknown }): string | undefined {
  for (const key of [podLabels.workload, podLabels.app]) {
    if (!Object.hasOwn(labels, key)) continue;
    const name = labels[key];
    return typeof name === 'string' && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ? name : undefined;
  }
  return undefined;
}
