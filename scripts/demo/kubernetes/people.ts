/** Who speaks to the API server in the story. By its own permissions each may do everything: what holds them back is admission. */
import type { KubernetesObject } from '../../../deploy/install/object';
import type { DemoCluster } from './cluster';

export interface People {
  /** A developer: no deployer of anything. */
  readonly dan: string;
  /** On call, and so a deployer of the book shop by `policies/books/deploy.policy.ts`. */
  readonly jane: string;
  /** The loop's service account: the one deployer of releases. */
  readonly gitops: string;
}

export async function people(cluster: DemoCluster): Promise<People> {
  const groups = ['developers', 'sre-oncall'];
  await cluster.apply([
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'people-of-the-demo' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: groups.map((name) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name })),
    } satisfies KubernetesObject,
  ]);
  return {
    dan: await cluster.server.kubeconfigFor('dan@acme.example', ['developers', 'system:authenticated']),
    jane: await cluster.server.kubeconfigFor('jane@acme.example', ['sre-oncall', 'system:authenticated']),
    gitops: await cluster.kubeconfigOf('gitops'),
  };
}
