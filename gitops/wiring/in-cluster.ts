/** A kubeconfig of the pod's own service account: Pulumi's Kubernetes provider is told of its cluster by a file. */
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { hostPort } from '../../core/lib/host-port';
import { writeFileAtomic } from '../../platform/files';

const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';
const everyMs = 60_000;

/** Writes the file (0600) and keeps its token as fresh as the mounted one. Rejects outside a pod. */
export async function kubeconfigInCluster(file: string, env: NodeJS.ProcessEnv): Promise<{ close(): void }> {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']];
  if (!host || !port) throw new Error('`target.kubeconfig` is missing, and this is no pod: name a kubeconfig');
  const write = async (): Promise<void> => {
    const token = (await readFile(join(mounted, 'token'), 'utf8')).trim();
    const server = `https://${hostPort(host, Number(port))}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'pod',
      clusters: [{ name: 'pod', cluster: { server, 'certificate-authority': join(mounted, 'ca.crt') } }],
      users: [{ name: 'pod', user: { token } }],
      contexts: [{ name: 'pod', context: { cluster: 'pod', user: 'pod' } }],
    };
    await writeFileAtomic(file, `${JSON.stringify(config)}\n`, { mode: 0o600 });
  };
  await write();
  // A token that cannot be read now is read the next time; the one in the file is good for a while.
  const timer = setInterval(() => void write().catch(() => undefined), everyMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
