/** A real API server with the product installed in it, and ways to speak to it as different people. */
import { join } from 'node:path';
import { meshNamespace } from '../../../core/bundle/custom-resource';
import { identityAudience } from '../../../core/mesh/pod';
import { installObjects } from '../../../deploy/install/install';
import type { KubernetesObject } from '../../../deploy/install/object';
import type { InstallValues } from '../../../deploy/install/values';
import type { CommandResult } from '../../../platform/process';
import { startKubernetes, type KubernetesServer } from '../../../platform/kubernetes-server';
import type { Cleanup } from '../set-up';
import { nodeName } from './layout';

export interface DemoCluster {
  readonly server: KubernetesServer;
  /** Applies objects as the administrator, or as somebody else. Rejects with kubectl's own words. */
  apply(objects: readonly KubernetesObject[], kubeconfig?: string): Promise<void>;
  /** Real kubectl; refusals are answers. */
  kubectl(
    args: readonly string[],
    options?: { readonly objects?: readonly object[]; readonly kubeconfig?: string },
  ): Promise<CommandResult>;
  /** What a kubelet would mount into a pod: a token of its service account, for the mesh alone, that ends with the pod. */
  podToken(pod: { readonly namespace: string; readonly name: string; readonly account: string }): Promise<string>;
  /** A kubeconfig that authenticates as a service account of ours, with the permissions that the installation gives it. */
  kubeconfigOf(account: string): Promise<string>;
}

export async function startCluster(scratch: string, cleanup: Cleanup): Promise<DemoCluster> {
  const server = await startKubernetes({
    dir: join(scratch, 'kubernetes'),
    // Services are followed to their endpoints: without nodes nothing else would do it.
    flags: ['--enable-aggregator-routing=true'],
  });
  cleanup.add(() => server.stop());
  const kubectl: DemoCluster['kubectl'] = (args, { objects, kubeconfig } = {}) =>
    server.kubectl(args, {
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(objects === undefined ? {} : { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) }),
    });
  return {
    server,
    kubectl,
    apply: async (objects, kubeconfig) => {
      const { code, stderr } = await kubectl(['apply', '--server-side', '-f', '-'], { objects, ...(kubeconfig ? { kubeconfig } : {}) });
      if (code !== 0) throw new Error(`kubectl apply: ${lastLine(stderr)}`);
    },
    podToken: async ({ namespace, name, account }) => {
      const bound = ['--audience', identityAudience, '--bound-object-kind=Pod', `--bound-object-name=${name}`];
      const { code, stdout, stderr } = await kubectl(['create', 'token', account, '--namespace', namespace, ...bound]);
      if (code !== 0) throw new Error(`no token for pod ${name}: ${lastLine(stderr)}`);
      return stdout;
    },
    kubeconfigOf: async (account) => {
      const { code, stdout, stderr } = await kubectl(['create', 'token', account, '--namespace', 'meshwright', '--duration=24h']);
      if (code !== 0) throw new Error(`no token for ${account}: ${lastLine(stderr)}`);
      return server.kubeconfigWithToken(account, stdout.trim());
    },
  };
}

/**
 * The pods that a Deployment of the installation would make, with names of their own: without nodes they stay as they are, and give the processes that stand for them
 * something to be.
 */
export function podsOf(values: InstallValues, server: string, names: readonly string[]): readonly KubernetesObject[] {
  const deployment = installObjects(values).find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === server);
  const spec = deployment?.['spec'] as { readonly template?: { readonly metadata: object; readonly spec: object } } | undefined;
  if (!spec?.template) throw new Error(`the installation has no deployment \`${server}\``);
  const { metadata, spec: pod } = spec.template;
  return names.map((name) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, namespace: meshNamespace, name },
    spec: { ...pod, nodeName },
  }));
}

/** What is installed before any server runs, and what only once they do: the API server would ask a webhook that is not there. */
export function installation(values: InstallValues): {
  readonly first: readonly KubernetesObject[];
  readonly last: readonly KubernetesObject[];
} {
  // Nothing runs a pod here: the servers are processes, and what is about their pods would wait for ever.
  const aboutPods = new Set(['Deployment', 'PodDisruptionBudget', 'NetworkPolicy', 'PersistentVolumeClaim']);
  const objects = installObjects(values).filter(({ kind }) => !aboutPods.has(kind));
  const isWebhook = ({ kind }: KubernetesObject): boolean => kind.endsWith('WebhookConfiguration');
  return { first: objects.filter((one) => !isWebhook(one)), last: objects.filter(isWebhook) };
}

export const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
