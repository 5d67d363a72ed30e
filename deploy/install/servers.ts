/** The pods of the servers: Deployments, Services, disruption budgets, ConfigMaps, service accounts. All pass Pod Security `restricted`. */
import { canonicalJson } from '../../core/lib/json';
import { identityAudience, trustConfigMap } from '../../core/mesh/pod';
import { configurationOf, issuerAuthorities, signerConfiguration } from './configuration';
import { inMesh, paths, ports, selectorOf, shared, type Server } from './names';
import type { KubernetesObject } from './object';
import type { InstallValues, Resources } from './values';

/** SHA-256 of a text, hexadecimal; given from outside so that the chart's generator can put the template's own in its place. */
export type Hash = (text: string) => string;

const user = 65532;
const podSecurity = {
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
} as const;
const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const;

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}
interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}
interface PodShape {
  readonly server: Server;
  readonly replicas: number;
  readonly resources: Resources;
  readonly containerPorts: Readonly<Record<string, number>>;
  readonly probe: { readonly port: string };
  readonly volumes: readonly Volume[];
  readonly mounts: readonly Mount[];
  readonly initContainers?: readonly object[];
  readonly sidecars?: readonly object[];
  /** One at a time, the old one gone before the new one starts: it writes a volume. */
  readonly single?: boolean;
}

export const configMapName = (server: Server): string => `${server}-config`;

export function serverObjects(server: Server, values: InstallValues, hash: Hash): readonly KubernetesObject[] {
  const shape = shapes[server](values);
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inMesh(server, server) },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: inMesh(configMapName(server), server),
      data: { 'config.json': configurationOf(server, values), ...besideConfiguration(server, values) },
    },
    deployment(shape, values, hash),
    service(server),
    ...(shape.single === true
      ? []
      : [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: inMesh(server, server),
            // One at a time whatever the count is: `minAvailable` of a single replica would hold every drain of its node.
            spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: selectorOf(server) } },
          },
        ]),
  ];
}

function besideConfiguration(server: Server, { issuerKeys }: InstallValues): { readonly [file: string]: string } {
  if (server === 'gitops') return { 'signer.json': signerConfiguration() };
  return server === 'control-plane' ? { [issuerAuthorities]: `${issuerKeys.authorities}\n` } : {};
}

/** The trust root that every server verifies by: a ConfigMap, for it holds public keys only. */
export const trustRootObject = ({ trustRoot }: InstallValues): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: inMesh(shared.trustRoot),
  data: { 'trust.json': `${canonicalJson(trustRoot)}\n` },
});

const shapes: { readonly [server in Server]: (values: InstallValues) => PodShape } = {
  'control-plane': ({ replicas, resources }) => ({
    server: 'control-plane',
    replicas: replicas.controlPlane,
    resources: resources.controlPlane,
    containerPorts: { xds: ports.xds, admin: ports.admin },
    probe: { port: 'admin' },
    volumes: [trustVolume, adminToken, caTrust, identityToken, state],
    mounts: [trustMount, adminMount, caTrustMount, identityMount, stateMount],
  }),
  webhook: ({ replicas, resources }) => ({
    server: 'webhook',
    replicas: replicas.webhook,
    resources: resources.webhook,
    containerPorts: { https: ports.webhook, admin: ports.admin },
    probe: { port: 'admin' },
    volumes: [trustVolume, state],
    mounts: [trustMount, stateMount],
  }),
  ca: ({ replicas, resources }) => ({
    server: 'ca',
    replicas: replicas.ca,
    resources: resources.ca,
    containerPorts: { grpc: ports.ca, admin: ports.admin },
    probe: { port: 'admin' },
    volumes: [state],
    mounts: [stateMount],
  }),
  gitops: ({ resources, image, imagePullPolicy }) => ({
    server: 'gitops',
    replicas: 1,
    single: true,
    resources: resources.gitops,
    containerPorts: { http: ports.gitops },
    probe: { port: 'http' },
    volumes: [
      trustVolume,
      { name: 'state', persistentVolumeClaim: { claimName: 'gitops' } },
      { name: 'given-admin', secret: { secretName: shared.adminToken, defaultMode: 0o440 } },
      { name: 'given-keys', secret: { secretName: shared.signingKeys, defaultMode: 0o440 } },
      { name: 'given', secret: { secretName: shared.gitops, defaultMode: 0o440, optional: true } },
      { name: 'admin', emptyDir: { medium: 'Memory' } },
      { name: 'keys', emptyDir: { medium: 'Memory' } },
      { name: 'secrets', emptyDir: { medium: 'Memory' } },
      { name: 'signer', emptyDir: { medium: 'Memory' } },
    ],
    mounts: [
      trustMount,
      stateMount,
      { name: 'admin', mountPath: `${paths.run}/admin`, readOnly: true },
      { name: 'secrets', mountPath: `${paths.run}/gitops`, readOnly: true },
      { name: 'signer', mountPath: `${paths.run}/sockets` },
    ],
    initContainers: [
      copier(image, imagePullPolicy, copySecrets, [
        { name: 'given-keys', mountPath: '/given/keys', readOnly: true },
        { name: 'given', mountPath: '/given/gitops', readOnly: true },
        { name: 'given-admin', mountPath: '/given/admin', readOnly: true },
        { name: 'admin', mountPath: `${paths.run}/admin` },
        { name: 'keys', mountPath: `${paths.run}/keys` },
        { name: 'secrets', mountPath: `${paths.run}/gitops` },
        { name: 'signer', mountPath: `${paths.run}/sockets` },
      ]),
    ],
    sidecars: [
      {
        name: 'signer',
        image,
        imagePullPolicy,
        args: ['serve', 'signer', '--config', `${paths.config}/signer.json`],
        securityContext: containerSecurity,
        resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
        volumeMounts: [
          configMount,
          stateMount,
          { name: 'keys', mountPath: `${paths.run}/keys`, readOnly: true },
          { name: 'signer', mountPath: `${paths.run}/sockets` },
        ],
      },
    ],
  }),
};

const copySecrets = [
  'set -eu',
  'umask 077',
  `mkdir -p ${paths.run}/sockets/signer`,
  `cp -L /given/keys/keys.json ${paths.run}/keys/keys.json`,
  `cp -L /given/admin/token ${paths.run}/admin/token`,
  `for file in /given/gitops/*; do [ ! -f "$file" ] || cp -L "$file" ${paths.run}/gitops/; done`,
].join('\n');

/** Secrets are mounted readable by the group, and who holds a key here refuses one that others can read: they are copied before the server starts. */
const copier = (image: string, imagePullPolicy: string, script: string, volumeMounts: readonly Mount[]): object => ({
  name: 'secrets',
  image,
  imagePullPolicy,
  command: ['/bin/sh', '-c', script],
  securityContext: containerSecurity,
  resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
  volumeMounts,
});

const configMount: Mount = { name: 'config', mountPath: paths.config, readOnly: true };
const trustVolume: Volume = { name: 'trust', configMap: { name: shared.trustRoot } };
const trustMount: Mount = { name: 'trust', mountPath: paths.trust, readOnly: true };
const adminToken: Volume = { name: 'admin-token', secret: { secretName: shared.adminToken, defaultMode: 0o440 } };
const adminMount: Mount = { name: 'admin-token', mountPath: `${paths.run}/admin`, readOnly: true };
const caTrust: Volume = { name: 'ca-trust', configMap: { name: trustConfigMap.name } };
const caTrustMount: Mount = { name: 'ca-trust', mountPath: `${paths.run}/ca`, readOnly: true };
const identityToken: Volume = {
  name: 'identity',
  projected: {
    defaultMode: 0o440,
    sources: [{ serviceAccountToken: { audience: identityAudience, expirationSeconds: 3600, path: 'token' } }],
  },
};
const identityMount: Mount = { name: 'identity', mountPath: paths.token, readOnly: true };
const state: Volume = { name: 'state', emptyDir: {} };
const stateMount: Mount = { name: 'state', mountPath: paths.state };

function deployment(shape: PodShape, values: InstallValues, hash: Hash): KubernetesObject {
  const { server } = shape;
  const { image, imagePullPolicy, imagePullSecrets, logLevel, priorityClassName } = values;
  const probe = (path: string, rest: object): object => ({ httpGet: { path, port: shape.probe.port, scheme: 'HTTP' }, ...rest });
  const spread = (topologyKey: string): object => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selectorOf(server) },
  });
  const container = {
    name: server,
    image,
    imagePullPolicy,
    args: ['serve', server, '--config', `${paths.config}/config.json`],
    env: [
      { name: 'MESHWRIGHT_LOG', value: logLevel },
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    ],
    ports: Object.entries(shape.containerPorts).map(([name, containerPort]) => ({ name, containerPort, protocol: 'TCP' })),
    startupProbe: probe('/healthz', { periodSeconds: 2, failureThreshold: 60, timeoutSeconds: 2 }),
    livenessProbe: probe('/healthz', { periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5 }),
    readinessProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 2, timeoutSeconds: 2 }),
    // Those who send learn that this pod is leaving before it stops to listen.
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    resources: shape.resources,
    securityContext: containerSecurity,
    volumeMounts: [configMount, { name: 'tmp', mountPath: '/tmp' }, ...shape.mounts],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: inMesh(server, server),
    spec: {
      replicas: shape.replicas,
      selector: { matchLabels: selectorOf(server) },
      strategy: shape.single === true ? { type: 'Recreate' } : { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: { ...selectorOf(server), 'app.kubernetes.io/part-of': 'meshwright' },
          // A server reads its configuration when it starts: another one is another pod.
          annotations: { 'meshwright.dev/configuration': hash(configurationOf(server, values)) },
        },
        spec: {
          serviceAccountName: server,
          automountServiceAccountToken: true,
          enableServiceLinks: false,
          priorityClassName,
          imagePullSecrets,
          securityContext: podSecurity,
          terminationGracePeriodSeconds: 40,
          affinity: {
            podAntiAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 100,
                  podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: selectorOf(server) } },
                },
              ],
            },
          },
          topologySpreadConstraints: [spread('topology.kubernetes.io/zone')],
          ...(shape.initContainers === undefined || shape.initContainers.length === 0 ? {} : { initContainers: shape.initContainers }),
          containers: [container, ...(shape.sidecars ?? [])],
          volumes: [{ name: 'config', configMap: { name: configMapName(server) } }, { name: 'tmp', emptyDir: {} }, ...shape.volumes],
        },
      },
    },
  };
}

function service(server: Server): KubernetesObject {
  const port = (name: string, number: number, targetPort: string): object => ({ name, port: number, targetPort, protocol: 'TCP' });
  const admin = port('admin', ports.admin, 'admin');
  const list = {
    'control-plane': [port('grpc-xds', ports.xds, 'xds'), admin],
    webhook: [port('https', 443, 'https'), admin],
    ca: [port('grpc', ports.ca, 'grpc'), admin],
    gitops: [port('http', ports.gitops, 'http')],
  } satisfies { readonly [name in Server]: readonly object[] };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: inMesh(server, server),
    spec: { type: 'ClusterIP', selector: selectorOf(server), ports: list[server] },
  };
}

/** The loop's journal, its copy of the repository and Pulumi's state outlive its pod. */
export const gitopsClaim = ({ gitops }: InstallValues): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: inMesh('gitops', 'gitops'),
  spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem', resources: { requests: { storage: gitops.storage } } },
});
