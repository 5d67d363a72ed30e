/** A real API server with the kinds of meshwright, Pulumi's real CLI, and the two plugins it would download, stood in for, in front of PATH. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../../platform/files';
import type { Kube } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { patientKube } from './patient-kube';
import { standInPlugins } from './pulumi-plugins';
import { prepared } from './webhook';

export interface PulumiCluster {
  readonly folder: string;
  readonly server: KubernetesServer;
  readonly kube: Kube;
  /** Path of the CLI. */
  readonly cli: string;
  close(): Promise<void>;
}

/** PATH is this process's: put back by `close`. */
export async function startPulumiCluster(namespaces: readonly string[] = []): Promise<PulumiCluster> {
  const cli = await obtainPulumi();
  const folder = await temporaryFolder('pulumi-kubernetes');
  const plugins = await standInPlugins();
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = `${plugins.path}${path.delimiter}${before}`;
  // With controllers: a delete in the foreground ends by the garbage collector.
  const server = await startKubernetes({ dir: path.join(folder, 'cluster') });
  const close = async (): Promise<void> => {
    process.env['PATH'] = before;
    await server.stop();
    await plugins.close();
    await fs.rm(folder, { recursive: true, force: true });
  };
  try {
    await prepared(server, namespaces);
    return { folder, server, cli, kube: await patientKube(server.kubeconfig), close };
  } catch (error) {
    await close();
    throw error;
  }
}
