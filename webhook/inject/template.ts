/**
 * The sidecar: agent and Envoy in one init container that stays (`restartPolicy: Always`, Kubernetes 1.29), with what it mounts. Every default of the
 * API server is written out and every amount is in its one spelling, so that what was put in and what comes back for validation are the same value.
 */
import { hostPort } from '../../core/lib/host-port';
import { digestOfJson, shortDigest } from '../../core/lib/digest';
import { agentEnvironment as variable, agentHealthPort, identityAudience, podCapture, trustConfigMap } from '../../core/mesh/pod';
import { defaultResources, type InjectionSettings, type Place, type PodSettings, userOf } from './settings';

export const sidecarName = 'meshwright-proxy';
export const captureName = podCapture.container;
/** What is ours among a pod's containers, in their order. */
export const isContainerOfOurs = (name: string): boolean => name === captureName || name === sidecarName;
export const volumeNames = {
  token: 'meshwright-token',
  run: 'meshwright-run',
  trust: 'meshwright-trust',
  certificates: 'meshwright-certificates',
} as const;
export const isVolumeOfOurs = (name: unknown): boolean => Object.values(volumeNames).some((own) => own === name);

/**
 * Where the API server's own admission puts a token for the Kubernetes API into every container that has nothing there. The sidecar has no use for one,
 * so its own token, good for nothing but the mesh's CA, is what stands there.
 */
const tokenFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
const trustFolder = '/etc/meshwright/trust';
const runFolder = '/run/meshwright';
const certificatesFolder = '/etc/meshwright/certificates';

type Variable =
  | { readonly name: string; readonly value: string }
  | { readonly name: string; readonly valueFrom: { readonly fieldRef: { readonly apiVersion: 'v1'; readonly fieldPath: string } } };
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number; readonly scheme: 'HTTP' };
  readonly timeoutSeconds: number;
  readonly periodSeconds: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}
interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: true;
}
export interface Sidecar {
  readonly name: typeof sidecarName;
  readonly image: string;
  readonly command: readonly string[];
  readonly env: readonly Variable[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number; readonly protocol: 'TCP' }[];
  readonly resources: {
    readonly limits: { readonly cpu?: string; readonly memory: string };
    readonly requests: { readonly cpu: string; readonly memory: string };
  };
  readonly restartPolicy: 'Always';
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly securityContext: {
    readonly allowPrivilegeEscalation: false;
    readonly capabilities: { readonly drop: readonly ['ALL'] };
    readonly privileged: false;
    readonly readOnlyRootFilesystem: true;
    readonly runAsGroup: number;
    readonly runAsNonRoot: true;
    readonly runAsUser: number;
    readonly seccompProfile: { readonly type: 'RuntimeDefault' };
  };
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: 'FallbackToLogsOnError';
  readonly imagePullPolicy: InjectionSettings['imagePullPolicy'];
  readonly volumeMounts: readonly Mount[];
}
export interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}
/**
 * Sends the pod's connections to its proxy, and ends. Root with one capability, for as long as that takes; it runs first, so that nothing of the pod has
 * a network past the proxy, and before the proxy is there, none at all.
 */
export interface CaptureContainer {
  readonly name: typeof captureName;
  readonly image: string;
  readonly command: readonly string[];
  readonly resources: Sidecar['resources'];
  readonly securityContext: {
    readonly allowPrivilegeEscalation: false;
    readonly capabilities: { readonly add: readonly ['NET_ADMIN']; readonly drop: readonly ['ALL'] };
    readonly privileged: false;
    readonly readOnlyRootFilesystem: true;
    readonly runAsGroup: 0;
    readonly runAsNonRoot: false;
    readonly runAsUser: 0;
    readonly seccompProfile: { readonly type: 'RuntimeDefault' };
  };
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: 'FallbackToLogsOnError';
  readonly imagePullPolicy: InjectionSettings['imagePullPolicy'];
  readonly volumeMounts: readonly Mount[];
}
export type OwnContainer = Sidecar | CaptureContainer;
export interface Injected {
  /** In the order in which they run, before all others. */
  readonly containers: readonly OwnContainer[];
  readonly volumes: readonly Volume[];
}

/** What one pod of a workload gets. `workload` is `<namespace>/<name>`. */
export function render(settings: InjectionSettings, pod: PodSettings, workload: string): Injected {
  const user = userOf(settings);
  const { cpu, memory } = pod.resources;
  const sidecar: Sidecar = {
    name: sidecarName,
    image: settings.image,
    command: ['meshwright', 'agent', '--kubernetes'],
    env: [
      fromPod(variable.podName, 'metadata.name'),
      fromPod(variable.podNamespace, 'metadata.namespace'),
      fromPod(variable.podIp, 'status.podIP'),
      { name: variable.workload, value: workload },
      { name: variable.trustDomain, value: settings.trustDomain },
      { name: variable.controlPlane, value: textOfPlace(settings.controlPlane) },
      { name: variable.ca, value: textOfPlace(settings.ca) },
      { name: variable.trustFile, value: `${trustFolder}/${trustConfigMap.key}` },
      { name: variable.tokenFile, value: `${tokenFolder}/token` },
      // A folder below the volume: the volume's own mode is the node's to choose, and the agent keeps out of what others can enter.
      { name: variable.runDir, value: `${runFolder}/agent` },
      { name: variable.healthPort, value: String(agentHealthPort) },
      { name: variable.concurrency, value: pod.concurrency },
      { name: variable.envoyLogLevel, value: pod.envoyLogLevel },
      { name: variable.drainMs, value: pod.drainMs },
      ...(pod.xds === null ? [] : [{ name: variable.xds, value: pod.xds }]),
      ...(pod.certificates.length === 0 ? [] : [{ name: variable.certificatesDir, value: certificatesFolder }]),
    ],
    ports: [{ name: 'mesh-health', containerPort: agentHealthPort, protocol: 'TCP' }],
    resources: {
      limits: { ...(cpu.limit === undefined ? {} : { cpu: cpu.limit }), memory: memory.limit },
      requests: { cpu: cpu.request, memory: memory.request },
    },
    restartPolicy: 'Always',
    // Two minutes for certificate and first configuration; the application starts after it.
    startupProbe: probe({ periodSeconds: 1, failureThreshold: 120 }),
    readinessProbe: probe({ periodSeconds: 5, failureThreshold: 3 }),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: user,
      runAsNonRoot: true,
      runAsUser: user,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    imagePullPolicy: settings.imagePullPolicy,
    volumeMounts: [
      { name: volumeNames.token, mountPath: tokenFolder, readOnly: true },
      { name: volumeNames.trust, mountPath: trustFolder, readOnly: true },
      { name: volumeNames.run, mountPath: runFolder },
      ...(pod.certificates.length === 0
        ? []
        : [{ name: volumeNames.certificates, mountPath: certificatesFolder, readOnly: true as const }]),
    ],
  };
  return {
    containers: pod.capture ? [captureContainer(settings, user), sidecar] : [sidecar],
    volumes: [
      {
        name: volumeNames.token,
        projected: {
          sources: [
            { serviceAccountToken: { audience: identityAudience, expirationSeconds: settings.tokenSeconds ?? 3_600, path: 'token' } },
          ],
          defaultMode: 0o444,
        },
      },
      // Keys and sockets: in memory, gone with the pod.
      { name: volumeNames.run, emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
      {
        name: volumeNames.trust,
        configMap: { name: trustConfigMap.name, items: [{ key: trustConfigMap.key, path: trustConfigMap.key }], defaultMode: 0o444 },
      },
      ...certificatesOf(pod.certificates, workload),
    ],
  };
}

/** Policy names a secret by namespace and name, and so does the folder; one that is not there yet does not keep the pod from starting. */
function certificatesOf(names: readonly string[], workload: string): readonly Volume[] {
  if (names.length === 0) return [];
  const namespace = workload.slice(0, workload.indexOf('/'));
  const sources = names.map((name) => ({
    secret: {
      name,
      items: ['ca.crt', 'tls.crt', 'tls.key'].map((key) => ({ key, path: `${namespace}/${name}/${key}` })),
      optional: true,
    },
  }));
  return [{ name: volumeNames.certificates, projected: { sources, defaultMode: 0o444 } }];
}

function captureContainer(settings: InjectionSettings, user: number): CaptureContainer {
  const { inboundPort, outboundPort } = podCapture;
  return {
    name: captureName,
    image: settings.image,
    command: ['meshwright', 'capture', ...['--uid', `${user}`, '--inbound', `${inboundPort}`, '--outbound', `${outboundPort}`]],
    resources: { limits: { memory: '256Mi' }, requests: { cpu: '10m', memory: '64Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 0,
      runAsNonRoot: false,
      runAsUser: 0,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    imagePullPolicy: settings.imagePullPolicy,
    volumeMounts: [{ name: volumeNames.token, mountPath: tokenFolder, readOnly: true }],
  };
}

/** Which template this is: changes with our code and with the installation's settings, not with the pod. */
export function templateVersion(settings: InjectionSettings): string {
  const neutral: PodSettings = {
    resources: settings.resources ?? defaultResources,
    concurrency: '1',
    envoyLogLevel: settings.envoyLogLevel ?? 'warning',
    drainMs: '5000',
    xds: null,
    outbound: null,
    capture: true,
    certificates: [],
  };
  return shortDigest(digestOfJson(render(settings, neutral, 'any/any')));
}

const fromPod = (name: string, fieldPath: string): Variable => ({ name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } });
const textOfPlace = ({ host, port }: Place): string => hostPort(host, port);
const probe = ({ periodSeconds, failureThreshold }: { readonly periodSeconds: number; readonly failureThreshold: number }): Probe => ({
  httpGet: { path: '/readyz', port: agentHealthPort, scheme: 'HTTP' },
  timeoutSeconds: 2,
  periodSeconds,
  successThreshold: 1,
  failureThreshold,
});
