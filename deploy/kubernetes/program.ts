/** What Pulumi's engine is told of a bundle for a cluster. */
import { Provider } from '@pulumi/kubernetes/provider';
import { Mesh, type MeshArgs } from './mesh';

export interface KubernetesProgram extends MeshArgs {
  /** Path of a kubeconfig; what the Kubernetes provider finds by itself when absent. The state holds the path, never the content. */
  readonly kubeconfig?: string;
}

/**
 * The inline program of a bundle. Existing objects are adopted: they are named by their digest, so one that is there already is the very same, and a stack
 * whose state was lost begins anew on what the cluster has.
 */
export const kubernetesProgram =
  ({ kubeconfig, ...args }: KubernetesProgram) =>
  async (): Promise<Record<string, unknown>> => {
    const provider = new Provider('cluster', {
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      enableServerSideApply: true,
      upsertExistingObjects: true,
    });
    const mesh = new Mesh(args.bundle.release.release.environment, args, { providers: [provider] });
    return { generation: mesh.generation, digest: mesh.digest, commit: mesh.commit };
  };
