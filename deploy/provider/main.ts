/**
 * `pulumi-resource-meshwright`: the provider as a process of its own, over Pulumi's plugin protocol. Started by the engine with the engine's address;
 * prints its port and serves until the engine ends it or goes away.
 *
 * Where the control plane and the bundle are: the stack's configuration `meshwright:adminUrl`, `meshwright:tokenFile`, `meshwright:bundle`, else
 * MESHWRIGHT_ADMIN, MESHWRIGHT_TOKEN_FILE, MESHWRIGHT_BUNDLE.
 */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { ResourceProviderService } from '@pulumi/pulumi/proto/provider_grpc_pb';
import type { Bundle } from '../../core/bundle/bundle';
import type { SignedObject } from '../../core/bundle/objects';
import { readBundleFolder } from '../../platform/bundle-folder';
import { systemClock } from '../../platform/clock';
import { adminClient, type AdminClient } from '../admin/client';
import { engineLog } from './engine-log';
import { meshObjectToken, meshObjectType } from './mesh-object';
import { releaseToken, releaseType } from './release';
import { providerService } from './service';
import { pluginVersion } from './version';

/** The engine puts flags of its own before its address. */
export function engineAddress(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--tracing') i++;
    else if (!arg.startsWith('-')) return arg;
  }
  return undefined;
}

interface Settings {
  adminUrl: string;
  tokenFile: string;
  bundle: string;
}

async function serve(args: readonly string[]): Promise<void> {
  const settings: Settings = {
    adminUrl: process.env['MESHWRIGHT_ADMIN'] ?? '',
    tokenFile: process.env['MESHWRIGHT_TOKEN_FILE'] ?? '',
    bundle: process.env['MESHWRIGHT_BUNDLE'] ?? '',
  };
  const cancel = new AbortController();
  const client = lazyClient(settings);
  const bundle = lazyBundle(settings);
  const server = new Server({ 'grpc.max_receive_message_length': 400 * 1024 * 1024 });
  const service = providerService({
    version: pluginVersion,
    types: {
      [meshObjectToken]: meshObjectType(client, { object: async (digest) => (await bundle()).objects.get(digest) ?? null }),
      [releaseToken]: releaseType(client, { release: async () => (await bundle()).bundle.release }, systemClock),
    },
    log: engineLog(engineAddress(args)),
    cancel,
    configure: (configured) => {
      for (const name of ['adminUrl', 'tokenFile', 'bundle'] as const) settings[name] = configured.get(name) ?? settings[name];
    },
  });
  server.addService(ResourceProviderService, service);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  process.stdout.write(`${port}\n`);
  endWithParent();
}

/** An engine that was killed cannot end its plugins: they see that their parent has changed. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, 500).unref();
}

/** The client of wherever the configuration points when the first request is made. */
function lazyClient(settings: Settings): AdminClient {
  const get = (): AdminClient => {
    if (settings.adminUrl === '' || settings.tokenFile === '')
      throw new Error('set `meshwright:adminUrl` and `meshwright:tokenFile`: the provider does not know where the control plane is');
    return adminClient(settings);
  };
  return {
    putObject: (object) => get().putObject(object),
    hasObject: (digest) => get().hasObject(digest),
    deleteObject: (digest) => get().deleteObject(digest),
    putRelease: (release) => get().putRelease(release),
    release: () => get().release(),
    status: () => get().status(),
    watch: (signal) => get().watch(signal),
  };
}

interface Loaded {
  readonly bundle: Bundle;
  readonly objects: ReadonlyMap<string, SignedObject>;
}

function lazyBundle(settings: Settings): () => Promise<Loaded> {
  let loaded: Promise<Loaded> | undefined;
  const load = async (): Promise<Loaded> => {
    if (settings.bundle === '') throw new Error('set `meshwright:bundle`: the provider does not know where the bundle is');
    const { value, diagnostics } = await readBundleFolder(settings.bundle);
    if (!value) throw new Error(diagnostics.map((d) => `${d.code}: ${d.message}`).join('; '));
    return { bundle: value, objects: new Map(value.objects.map((object) => [object.digest, object])) };
  };
  return () => (loaded ??= load());
}

if (require.main === module) {
  serve(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`pulumi-resource-meshwright: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
