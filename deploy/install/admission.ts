/** The webhook configurations: what the API server asks about, and what it does when nobody answers. */
import { meshNamespace } from '../../core/bundle/custom-resource';
import { podLabels } from '../../core/mesh/pod';
import { coverage, meshGroup, type Covered } from '../../webhook/admit/coverage';
import { readKeys, readPrefix } from '../../webhook/admit/pods';
import { injectPath, validatePath } from '../../webhook/paths';
import { entryNames, installationName, ofCluster } from './names';
import type { KubernetesObject } from './object';
import type { InstallValues } from './values';

/** The rules of one entry: what the webhook says that it decides about. */
const rulesFor = (...by: readonly Covered['by'][]): readonly object[] =>
  coverage.filter((covered) => by.includes(covered.by)).map(({ by: _by, scope = 'Namespaced', ...rule }) => ({ ...rule, scope }));

/** The namespaces whose workloads are reviewed: all but our own, where the webhook has to be able to start, and those that the cluster starts from. */
const reviewed = (exempt: readonly string[]): readonly object[] => [
  { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [meshNamespace] },
  { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: exempt },
];
const clientConfig = (path: string): object => ({ service: { namespace: meshNamespace, name: 'webhook', path, port: 443 } });
/**
 * An update by which nothing changes that a rule reads cannot break one, so it is not asked about: what a network plugin notes on a pod, or a kubelet in its
 * status, does not wait for us. A condition that cannot be evaluated refuses the request, so what may be absent
 * is asked for as that.
 */
const differs = (field: string): string => {
  const onlyIn = (here: string, there: string): string =>
    `${here}.metadata.?${field}.orValue({}).exists(k, (k.startsWith('${readPrefix}') || k in ['${readKeys.join("', '")}']) && ` +
    `${there}.metadata.?${field}[?k] != ${here}.metadata.?${field}[?k])`;
  return `${onlyIn('object', 'oldObject')} || ${onlyIn('oldObject', 'object')}`;
};
const changed = {
  name: 'what-rules-read-changes',
  expression: `request.operation != 'UPDATE' || object.spec != oldObject.spec || ${differs('labels')} || ${differs('annotations')}`,
};

export function validatingConfiguration({ webhook }: InstallValues): KubernetesObject {
  const common = {
    failurePolicy: webhook.failurePolicy,
    timeoutSeconds: webhook.timeoutSeconds,
    sideEffects: 'None',
    matchPolicy: 'Equivalent',
    admissionReviewVersions: ['v1'],
    clientConfig: clientConfig(validatePath),
    objectSelector: {},
  };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: ofCluster(installationName),
    webhooks: [
      // Our own kinds everywhere: an exemption would be a way in.
      { name: entryNames.objects, ...common, namespaceSelector: {}, rules: rulesFor('object', 'release') },
      {
        name: entryNames.workloads,
        ...common,
        namespaceSelector: { matchExpressions: reviewed(webhook.exemptNamespaces) },
        rules: rulesFor('workload'),
        matchConditions: [changed],
      },
      // A group is part of a definition's name and never changes, as a label would.
      {
        name: entryNames.guard,
        ...common,
        namespaceSelector: {},
        rules: rulesFor('definition'),
        matchConditions: [{ name: 'kinds-of-the-mesh', expression: `oldObject.spec.group == '${meshGroup}'` }],
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
    clientConfig: clientConfig(injectPath),
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
