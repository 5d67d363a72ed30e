/**
 * What the webhook looks at: the rules of the ValidatingWebhookConfiguration are made from this table, and `adjudicate` serves no other. What is left out is
 * in webhook/README.md with its reason.
 */
import { plurals } from '../../core/bundle/custom-resource';
import type { Operation } from '../review/review';

export interface Covered {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly Operation[];
  /** What decides about it. */
  readonly by: 'object' | 'release' | 'definition' | 'workload';
  /** Default `Namespaced`. */
  readonly scope?: 'Cluster';
}

export const meshGroup = 'meshwright.dev';
export const coverage: readonly Covered[] = [
  {
    apiGroups: [meshGroup],
    apiVersions: ['v1alpha1'],
    resources: [plurals.ServiceConfig, plurals.ProxyConfig, plurals.AdmissionRules],
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    by: 'object',
  },
  {
    apiGroups: [meshGroup],
    apiVersions: ['v1alpha1'],
    resources: [plurals.Release, `${plurals.Release}/status`],
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    by: 'release',
  },
  {
    apiGroups: ['apiextensions.k8s.io'],
    apiVersions: ['v1'],
    resources: ['customresourcedefinitions'],
    operations: ['DELETE'],
    by: 'definition',
    scope: 'Cluster',
  },
  {
    apiGroups: [''],
    apiVersions: ['v1'],
    // Labels and annotations can be written along with a pod's status.
    resources: ['pods', 'pods/ephemeralcontainers', 'pods/status', 'replicationcontrollers'],
    operations: ['CREATE', 'UPDATE'],
    by: 'workload',
  },
  {
    apiGroups: ['apps'],
    apiVersions: ['v1'],
    resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
    operations: ['CREATE', 'UPDATE'],
    by: 'workload',
  },
  { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs', 'cronjobs'], operations: ['CREATE', 'UPDATE'], by: 'workload' },
];

/** Which adjudicator a resource has, `deployments`, `pods/ephemeralcontainers`; null: none. */
export const coveredBy = (group: string, resource: string): Covered['by'] | null =>
  coverage.find(({ apiGroups, resources }) => apiGroups.includes(group) && resources.includes(resource))?.by ?? null;
export const isMeshGroup = (group: string): boolean => group === meshGroup;
