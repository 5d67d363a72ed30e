/** `pulumi-resource-kubernetes`, stood in for (see README.md): started by the engine with the engine's address, prints its port, serves until the engine goes away. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb';
import type { JsonObject } from '../../../core/lib/json';
import { engineLog } from '../../../deploy/provider/engine-log';
import { engineAddress } from '../../../deploy/provider/main';
import { kubeFromFile } from '../../../platform/kube';
import { servePlugin } from '../pulumi-plugin';
import { cluster, type Cluster } from './api';
import { kubernetesProvider } from './provider';
import { kubernetesService } from './service';
import { textAt } from './values';

type Reached = Cluster | { readonly unreachable: string };

async function serve(args: readonly string[]): Promise<void> {
  let upsert = process.env['PULUMI_K8S_UPSERT_EXISTING_OBJECTS'] === 'true';
  let reached: Promise<Reached> = Promise.resolve({ unreachable: 'the provider is not configured' });
  const cancel = new AbortController();
  const provider = kubernetesProvider(
    () => reached,
    () => ({ upsert }),
  );
  const service = kubernetesService({
    version: '4.34.2',
    provider,
    cancel,
    log: engineLog(engineAddress(args)),
    configure: async (settings: JsonObject) => {
      const given = settings['upsertExistingObjects'];
      if (given !== undefined) upsert = given === true || given === 'true';
      if (settings['enableServerSideApply'] === false || settings['enableServerSideApply'] === 'false')
        throw new Error('the stand-in knows server-side apply only');
      reached = reach(textAt(settings, 'kubeconfig'));
      await reached;
    },
  });
  await servePlugin(ResourceProviderService, service);
}

/** A path, the content itself, or what the environment names. */
async function reach(kubeconfig: string): Promise<Reached> {
  let folder: string | undefined;
  try {
    let file = kubeconfig;
    if (file === '') file = process.env['KUBECONFIG']?.split(path.delimiter)[0] ?? path.join(os.homedir(), '.kube', 'config');
    else if (/^\s*\{|\napiVersion:|^apiVersion:|\nclusters:/.test(file)) {
      folder = await fs.mkdtemp(path.join(os.tmpdir(), `kubeconfig-${randomBytes(3).toString('hex')}-`));
      file = path.join(folder, 'config');
      await fs.writeFile(file, kubeconfig, { mode: 0o600 });
    }
    const kube = await kubeFromFile(file);
    await kube.request('GET', '/version');
    return cluster(kube);
  } catch (error) {
    return { unreachable: error instanceof Error ? error.message : String(error) };
  } finally {
    if (folder !== undefined) await fs.rm(folder, { recursive: true, force: true });
  }
}

serve(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`pulumi-resource-kubernetes: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
