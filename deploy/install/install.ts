/** The one source of truth of an installation: the chart is generated from it, the Pulumi component registers it, `doctor` compares a cluster with it. */
import { createHash } from 'node:crypto';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { mutatingConfiguration, validatingConfiguration } from './admission';
import { customResourceDefinitions } from './crds';
import { labels } from './names';
import { networkPolicies } from './network';
import type { KubernetesObject } from './object';
import { rolesOf } from './permissions';
import { gitopsClaim, serverObjects, trustRootObject, type Hash } from './servers';
import type { InstallValues } from './values';

/**
 * Every object of an installation, in an order in which they can be applied one after the other: what is asked comes last, and goes first when the
 * installation is removed. Values are taken as they are: check them with `checkValues`.
 */
export const installObjects = (values: InstallValues): readonly KubernetesObject[] => objectsOf(values, sha256);

/** The same with the hash function given: the chart's generator calls it with placeholders for values. */
export function objectsOf(values: InstallValues, hash: Hash): readonly KubernetesObject[] {
  return [
    namespace,
    ...customResourceDefinitions(),
    trustRootObject(values),
    ...(['ca', 'control-plane', 'webhook'] as const).flatMap((server) => [...rolesOf(server), ...serverObjects(server, values, hash)]),
    ...(values.gitops.enabled ? [...rolesOf('gitops'), gitopsClaim(values), ...serverObjects('gitops', values, hash)] : []),
    ...(values.networkPolicies.enabled ? networkPolicies(values) : []),
    ...(values.injection.enabled ? [mutatingConfiguration(values)] : []),
    validatingConfiguration(values),
  ];
}

const sha256: Hash = (text) => createHash('sha256').update(text).digest('hex');

const namespace: KubernetesObject = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: meshNamespace,
    labels: {
      ...labels,
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    },
    // Releases live in it: removing the servers is not removing what is in force.
    annotations: { 'helm.sh/resource-policy': 'keep' },
  },
};
