/** The resource types that this product speaks of, and the form of what the Kubernetes API holds. */

export interface Resource {
  /** `v1`, `apps/v1` */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}
export interface KubeMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: { readonly [key: string]: string };
  readonly annotations?: { readonly [key: string]: string };
  readonly [field: string]: unknown;
}
/** Whatever the API holds: metadata is checked when it is read, the rest is the reader's to decode. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: KubeMeta;
  readonly [field: string]: unknown;
}
export interface Ref {
  readonly namespace?: string;
  readonly name: string;
}

const namespaced = (apiVersion: string, kind: string, plural: string): Resource => ({ apiVersion, kind, plural, namespaced: true });
const global = (apiVersion: string, kind: string, plural: string): Resource => ({ apiVersion, kind, plural, namespaced: false });

export const resources = {
  namespaces: global('v1', 'Namespace', 'namespaces'),
  nodes: global('v1', 'Node', 'nodes'),
  pods: namespaced('v1', 'Pod', 'pods'),
  services: namespaced('v1', 'Service', 'services'),
  secrets: namespaced('v1', 'Secret', 'secrets'),
  configMaps: namespaced('v1', 'ConfigMap', 'configmaps'),
  serviceAccounts: namespaced('v1', 'ServiceAccount', 'serviceaccounts'),
  endpointSlices: namespaced('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  leases: namespaced('coordination.k8s.io/v1', 'Lease', 'leases'),
  deployments: namespaced('apps/v1', 'Deployment', 'deployments'),
  statefulSets: namespaced('apps/v1', 'StatefulSet', 'statefulsets'),
  daemonSets: namespaced('apps/v1', 'DaemonSet', 'daemonsets'),
  podDisruptionBudgets: namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  roles: namespaced('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  roleBindings: namespaced('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  clusterRoles: global('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles'),
  clusterRoleBindings: global('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings'),
  customResourceDefinitions: global('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions'),
  validatingWebhooks: global('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'validatingwebhookconfigurations'),
  mutatingWebhooks: global('admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', 'mutatingwebhookconfigurations'),
  serviceConfigs: namespaced('meshwright.dev/v1alpha1', 'ServiceConfig', 'serviceconfigs'),
  proxyConfigs: namespaced('meshwright.dev/v1alpha1', 'ProxyConfig', 'proxyconfigs'),
  admissionRules: namespaced('meshwright.dev/v1alpha1', 'AdmissionRules', 'admissionrules'),
  releases: namespaced('meshwright.dev/v1alpha1', 'Release', 'releases'),
} as const satisfies { readonly [name: string]: Resource };

/** The API's path of a resource type, of one object of it when a name is given, or of a subresource. */
export function pathOf(resource: Resource, ref: Partial<Ref> = {}, subresource?: string): string {
  const group = resource.apiVersion.includes('/') ? `/apis/${resource.apiVersion}` : `/api/${resource.apiVersion}`;
  const namespace = resource.namespaced && ref.namespace !== undefined ? `/namespaces/${encodeURIComponent(ref.namespace)}` : '';
  const name = ref.name === undefined ? '' : `/${encodeURIComponent(ref.name)}`;
  return `${group}${namespace}/${resource.plural}${name}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** `namespace/name`, or the name of what has no namespace. */
export const keyOf = ({ metadata }: KubeObject): string =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;

/** What came from the API, as an object; throws for anything else. */
export function kubeObject(value: unknown): KubeObject {
  if (typeof value === 'object' && value !== null && 'metadata' in value) {
    const { metadata } = value;
    if (typeof metadata === 'object' && metadata !== null && 'name' in metadata && typeof metadata.name === 'string')
      return value as KubeObject;
  }
  throw new Error('the Kubernetes API answered something that is not an object with a name');
}
