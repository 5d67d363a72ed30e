/**
 * What each server may do with the Kubernetes API, one row for each pair of verb and resource, with the reason. The roles are made from these rows, and
 * test/kubernetes/rbac.test.ts takes each away in turn and demands that the real server misses it: what nobody misses does not stay.
 */
import { meshNamespace } from '../../core/bundle/custom-resource';
import { trustConfigMap } from '../../core/mesh/pod';
import { inMesh, installationName, ofCluster, shared, type Server } from './names';
import type { KubernetesObject } from './object';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
export interface Permission {
  readonly server: Server;
  /** `namespace`: in our own namespace only. */
  readonly scope: 'cluster' | 'namespace';
  readonly apiGroup: string;
  /** With the subresource: `releases/status`. */
  readonly resource: string;
  /** Absent: any name. */
  readonly names?: readonly string[];
  readonly verbs: readonly Verb[];
  readonly why: string;
}

const ours = 'meshwright.dev';
const follow = ['list', 'watch'] as const satisfies readonly Verb[];

export const permissions: readonly Permission[] = [
  // The control plane serves what was signed to where the pods are.
  ...(['serviceconfigs', 'proxyconfigs', 'admissionrules'] as const).map((resource): Permission => ({
    server: 'control-plane',
    scope: 'cluster',
    apiGroup: ours,
    resource,
    verbs: follow,
    why: 'what is signed',
  })),
  { server: 'control-plane', scope: 'namespace', apiGroup: ours, resource: 'releases', verbs: ['get', ...follow], why: 'what is in force' },
  {
    server: 'control-plane',
    scope: 'namespace',
    apiGroup: ours,
    resource: 'releases/status',
    verbs: ['update'],
    why: 'how far the roll-out is',
  },
  { server: 'control-plane', scope: 'cluster', apiGroup: '', resource: 'services', verbs: follow, why: 'ports by name' },
  { server: 'control-plane', scope: 'cluster', apiGroup: 'discovery.k8s.io', resource: 'endpointslices', verbs: follow, why: 'endpoints' },
  { server: 'control-plane', scope: 'cluster', apiGroup: '', resource: 'pods', verbs: follow, why: 'which workload an address is' },
  {
    server: 'control-plane',
    scope: 'namespace',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['get', 'create', 'update'],
    why: 'the one writer of status',
  },

  // The webhook reads what is in force and keeps its own certificate; it changes nothing else.
  {
    server: 'webhook',
    scope: 'namespace',
    apiGroup: ours,
    resource: 'releases',
    verbs: follow,
    why: 'parent and generation of the live one',
  },
  { server: 'webhook', scope: 'namespace', apiGroup: ours, resource: 'admissionrules', verbs: follow, why: 'the rules in force' },
  {
    server: 'webhook',
    scope: 'cluster',
    apiGroup: '',
    resource: 'namespaces',
    verbs: follow,
    why: 'which is terminating, which asks for injection',
  },
  ...(['deployments', 'daemonsets', 'statefulsets'] as const).map((resource): Permission => ({
    server: 'webhook',
    scope: 'cluster',
    apiGroup: 'apps',
    resource,
    verbs: follow,
    why: 'versions of products',
  })),
  {
    server: 'webhook',
    scope: 'cluster',
    apiGroup: 'apiextensions.k8s.io',
    resource: 'customresourcedefinitions',
    names: ['gateways.gateway.networking.k8s.io'],
    verbs: ['get', ...follow],
    why: 'the version of Gateway API',
  },
  ...(['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'] as const).map((resource): Permission => ({
    server: 'webhook',
    scope: 'cluster',
    apiGroup: 'admissionregistration.k8s.io',
    resource,
    names: [installationName],
    verbs: ['get', 'patch'],
    why: 'the CA bundle that it is verified by, and whether it fails closed',
  })),
  { server: 'webhook', scope: 'namespace', apiGroup: '', resource: 'secrets', verbs: ['create'], why: 'its first certificate' },
  {
    server: 'webhook',
    scope: 'namespace',
    apiGroup: '',
    resource: 'secrets',
    names: [shared.webhookCertificates],
    verbs: ['get', 'update'],
    why: 'its certificate, rotated',
  },

  // The CA asks who presents a token, looks at that pod, keeps its root, and publishes the certificate that everybody starts from.
  {
    server: 'ca',
    scope: 'cluster',
    apiGroup: 'authentication.k8s.io',
    resource: 'tokenreviews',
    verbs: ['create'],
    why: 'whose token it is',
  },
  {
    server: 'ca',
    scope: 'cluster',
    apiGroup: '',
    resource: 'pods',
    verbs: ['get'],
    why: 'which workload the pod is, and that it is alive',
  },
  { server: 'ca', scope: 'namespace', apiGroup: '', resource: 'secrets', verbs: ['create'], why: 'its root, once' },
  {
    server: 'ca',
    scope: 'namespace',
    apiGroup: '',
    resource: 'secrets',
    names: [shared.caRoot],
    verbs: ['get'],
    why: 'its root, in every replica',
  },
  { server: 'ca', scope: 'cluster', apiGroup: '', resource: 'namespaces', verbs: follow, why: 'where the roots are published to' },
  {
    server: 'ca',
    scope: 'cluster',
    apiGroup: '',
    resource: 'configmaps',
    names: [trustConfigMap.name],
    verbs: [...follow, 'create', 'patch'],
    why: 'the roots, in every namespace',
  },

  // The loop deploys as any deployer does; admission decides. Pulumi's provider lists and watches what it waits for.
  ...(['serviceconfigs', 'proxyconfigs'] as const).map((resource): Permission => ({
    server: 'gitops',
    scope: 'cluster',
    apiGroup: ours,
    resource,
    verbs: ['get', ...follow, 'create', 'patch', 'delete'],
    why: 'objects of a release, wherever their services are',
  })),
  {
    server: 'gitops',
    scope: 'namespace',
    apiGroup: ours,
    resource: 'admissionrules',
    verbs: ['get', ...follow, 'create', 'patch', 'delete'],
    why: 'objects of a release',
  },
  {
    server: 'gitops',
    scope: 'namespace',
    apiGroup: ours,
    resource: 'releases',
    // Never deleted: the live one is changed in place.
    verbs: ['get', ...follow, 'create', 'patch'],
    why: 'the release, and how far it is',
  },
];

/** Roles and bindings of one server: a ClusterRole for what is cluster-wide, a Role in our namespace for the rest; none that would be empty. */
export function rolesOf(server: Server, rows: readonly Permission[] = permissions): readonly KubernetesObject[] {
  const subjects = [{ kind: 'ServiceAccount', name: server, namespace: meshNamespace }];
  const name = `${installationName}-${server}`;
  const of = (scope: Permission['scope']): readonly object[] =>
    rows
      .filter((row) => row.server === server && row.scope === scope)
      .map(({ apiGroup, resource, names, verbs }) => ({
        apiGroups: [apiGroup],
        resources: [resource],
        ...(names === undefined ? {} : { resourceNames: [...names] }),
        verbs: [...verbs],
      }));
  const [cluster, namespaced] = [of('cluster'), of('namespace')];
  const version = { apiVersion: 'rbac.authorization.k8s.io/v1' } as const;
  const roleRef = (kind: string, to: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: to });
  return [
    ...(cluster.length === 0
      ? []
      : [
          { ...version, kind: 'ClusterRole', metadata: ofCluster(name), rules: cluster },
          { ...version, kind: 'ClusterRoleBinding', metadata: ofCluster(name), roleRef: roleRef('ClusterRole', name), subjects },
        ]),
    ...(namespaced.length === 0
      ? []
      : [
          { ...version, kind: 'Role', metadata: inMesh(server, server), rules: namespaced },
          { ...version, kind: 'RoleBinding', metadata: inMesh(server, server), roleRef: roleRef('Role', server), subjects },
        ]),
  ];
}
