/** Everything that the story on Kubernetes needs, running. */
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { standInPlugins } from '../../../test/kit/pulumi-plugins';
import { environment, host, productProgram, root, startApplications, startRepository, trustDomain, visitor, type Cleanup } from '../set-up';
import { createStage, type Stage } from '../stage';
import { startCluster, type DemoCluster } from './cluster';
import { launchCluster, type ClusterMesh } from './launch';
import { layOutPods, type ClusterLayout } from './layout';

export interface ClusterSetUp {
  readonly cluster: DemoCluster;
  readonly layout: ClusterLayout;
  readonly mesh: ClusterMesh;
  readonly stage: Stage;
  readonly firstCommit: string;
  readonly gitUrl: string;
}

/** What was started is handed to `cleanup` as it starts. */
export async function setUpCluster(
  options: { readonly port?: number | undefined; readonly pulumi: boolean },
  scratch: string,
  write: (line: string) => void,
  cleanup: Cleanup,
): Promise<ClusterSetUp> {
  const layout = await layOutPods(options.port);
  if (options.pulumi) {
    const plugins = await standInPlugins();
    cleanup.add(() => plugins.close());
    process.env['PATH'] = `${plugins.path}${delimiter}${process.env['PATH'] ?? ''}`;
    write(
      "Pulumi's engine is the real one; its Kubernetes provider is a stand-in here (test/kit/pulumi-resource-kubernetes), for the vendor's is not in any package registry",
    );
  }
  const cluster = await startCluster(scratch, cleanup);
  write(`a Kubernetes API server is at ${cluster.server.url}; there are no nodes, what would run in pods runs beside it`);
  const { gitServer, policies, firstCommit } = await startRepository(scratch, write, cleanup);
  await startApplications(layout, scratch, write, cleanup);
  const mesh = await launchCluster({
    dir: join(scratch, 'mesh'),
    trustDomain,
    environment,
    repositoryUrl: gitServer.url,
    layout,
    cluster,
    program: productProgram,
    hosts: [host],
    pulumi: options.pulumi,
    say: write,
    cleanup,
  });
  gitServer.setHook({ url: mesh.hookUrl, secret: mesh.hookSecret });
  const edgeTrust = (): Promise<string> => readFile(mesh.ca.trustFile, 'utf8');
  const storyName = (instance: string): string => layout.pods.find((pod) => instance.startsWith(`${pod.name}.`))?.name ?? instance;
  const stage = createStage({ root, mesh, layout, policies, host, edgeTrust, storyName, identity: visitor(mesh) });
  return { cluster, layout, mesh, stage, firstCommit, gitUrl: gitServer.url };
}
