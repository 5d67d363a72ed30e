/** The webhook configurations: what the API server asks about, and what it does when nobody answers. */
import { apiVersion } from '../../core/bundle/objects';
import { meshNamespace, plurals } from '../../core/bundle/custom-resource';
import { podLabels } from '../../core/mesh/pod';
import { entryNames, installationName, ofCluster } from './names';
import type { KubernetesObject } from './object';
import type { InstallValues } from './values';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[];
  readonly scope: 'Namespaced';
}
const [group = '', version = ''] = apiVersion.split('/');

const objectRules: readonly Rule[] = [
  {
    apiGroups: [group],
    apiVersions: [version],
    resources: [...Object.values(plurals), `${plurals.Release}/status`],
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    scope: 'Namespaced',
  },
];
const workloadRules: readonly Rule[] = [
  {
    apiGroups: [''],
    apiVersions: ['v1'],
    resources: ['pods', 'pods/ephemeralcontainers', 'replicationcontrollers'],
    operations: ['CREATE', 'UPDATE'],
    scope: 'Namespaced',
  },
  {
    apiGroups: ['apps'],
    apiVersions: ['v1'],
    resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
    operations: ['CREATE', 'UPDATE'],
    scope: 'Namespaced',
  },
  { apiGroups: ['batch'], apiVersions: ['v1'], resources: ['jobs', 'cronjobs'], operations: ['CREATE', 'UPDATE'], scope: 'Namespaced' },
];

/** The namespaces whose workloads are reviewed: all but our own, where the webhook has to be able to start, and those that the cluster starts from. */
const reviewed = (exempt: readonly string[]): readonly object[] => [
  { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [meshNamespace] },
  { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: exempt },
];
const clientConfig = (path: string): object => ({ service: { namespace: meshNamespace, name: 'webhook', path, port: 443 } });
/** An update by which the object's desired state does not change cannot break a rule about it. */
const changed = {
  name: 'its-meaning-changes',
  expression: "request.operation != 'UPDATE' || object.spec != oldObject.spec || object.metadata.labels != oldObject.metadata.labels",
};

export function validatingConfiguration({ webhook }: InstallValues): KubernetesObject {
  const common = {
    failurePolicy: webhook.failurePolicy,
    timeoutSeconds: webhook.timeoutSeconds,
    sideEffects: 'None',
    matchPolicy: 'Equivalent',
    admissionReviewVersions: ['v1'],
    clientConfig: clientConfig('/v1/validate'),
    objectSelector: {},
  };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: ofCluster(installationName),
    webhooks: [
      // Our own kinds everywhere: an exemption would be a way in.
      { name: entryNames.objects, ...common, namespaceSelector: {}, rules: objectRules },
      {
        name: entryNames.workloads,
        ...common,
        namespaceSelector: { matchExpressions: reviewed(webhook.exemptNamespaces) },
        rules: workloadRules,
        matchConditions: [changed],
      },
    ],
  };
}

/** A pod asks for a proxy by its label, or its namespace does for all of them; the API server sees both, so nobody else's pod is sent to us. */
export function mutatingConfiguration({ webhook, injection }: InstallValues): KubernetesObject {
  const entry = {
    failurePolicy: injection.failurePolicy,
    timeoutSeconds: webhook.timeoutSeconds,
    sideEffects: 'None',
    matchPolicy: 'Equivalent',
    reinvocationPolicy: 'IfNeeded',
    admissionReviewVersions: ['v1'],
    clientConfig: clientConfig('/v1/mutate'),
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'], scope: 'Namespaced' }],
  };
  const label = podLabels.inject;
  const namespaces = reviewed(webhook.exemptNamespaces);
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: ofCluster(installationName),
    webhooks: [
      {
        name: `namespace.${entryNames.injection}`,
        ...entry,
        namespaceSelector: { matchExpressions: [...namespaces, { key: label, operator: 'In', values: ['true'] }] },
        objectSelector: { matchExpressions: [{ key: label, operator: 'NotIn', values: ['false'] }] },
      },
      {
        name: `pod.${entryNames.injection}`,
        ...entry,
        namespaceSelector: { matchExpressions: [...namespaces, { key: label, operator: 'NotIn', values: ['true'] }] },
        objectSelector: { matchLabels: { [label]: 'true' } },
      },
    ],
  };
}
