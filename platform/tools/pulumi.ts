/** The Pulumi CLI: the engine behind previews and updates. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { runCommand } from '../process';
import { goBuild } from './go-build';
import { obtain, oneLine, ToolUnavailable, type ObtainOptions, type Say, type Tool } from './obtain';

/** The version obtained when none is there. Good ones: from 3.206 (engine events by gRPC), below 4. */
export const pulumiVersion = '3.245.0';
export const goodPulumi = { min: [3, 206], below: [4, 0] } as const;

const repair = `put a Pulumi CLI ${pulumiVersion} on PATH, name one in MESHWRIGHT_PULUMI, or install Go so that it can be built`;

export interface PulumiOptions extends ObtainOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the vendor's archives are. For tests and for mirrors; MESHWRIGHT_PULUMI_DOWNLOADS names one too. Empty: never downloaded. */
  readonly downloads?: string;
}

/**
 * The path of a good Pulumi CLI: MESHWRIGHT_PULUMI, else one on PATH, else the cache, else the vendor's archive, else a build from the Go module
 * by the committed go.mod and go.sum (3 to 6 minutes, once). Throws ToolUnavailable with the repair in one line.
 */
export async function obtainPulumi(options: PulumiOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const named = env['MESHWRIGHT_PULUMI'];
  if (named !== undefined && named !== '') {
    const version = await versionOfPulumi(named).catch((error: unknown) => {
      throw new ToolUnavailable('pulumi', `MESHWRIGHT_PULUMI names ${named}, which does not run (${oneLine(error)})`, repair);
    });
    if (!isGood(version))
      throw new ToolUnavailable('pulumi', `MESHWRIGHT_PULUMI names ${named}, which is ${version ?? 'no Pulumi CLI'}`, repair);
    return named;
  }
  for (const folder of (env['PATH'] ?? '').split(path.delimiter)) {
    if (folder === '' || folder.split(path.sep).includes('node_modules')) continue; // npm's `pulumi` is a launcher that downloads
    const candidate = path.join(folder, 'pulumi');
    const there = await fs.access(candidate, fs.constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there && isGood(await versionOfPulumi(candidate).catch(() => null))) return candidate;
  }
  return obtain(tool(env, options.downloads ?? env['MESHWRIGHT_PULUMI_DOWNLOADS'] ?? 'https://get.pulumi.com/releases/sdk'), options);
}

/** `3.245.0`; null when the program's answer is no version. Rejects when it cannot be run. */
export async function versionOfPulumi(program: string): Promise<string | null> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], PULUMI_SKIP_UPDATE_CHECK: 'true' };
  const { stdout, code } = await runCommand(program, ['version'], { env, timeoutMs: 20_000 });
  return code === 0 ? (/^v?(\d+\.\d+\.\d+)/.exec(stdout.trim())?.[1] ?? null) : null;
}

function isGood(version: string | null): boolean {
  const [major = 0, minor = 0] = (version ?? '0.0').split('.').map(Number);
  const value = major * 10_000 + minor;
  return value >= goodPulumi.min[0] * 10_000 + goodPulumi.min[1] && value < goodPulumi.below[0] * 10_000 + goodPulumi.below[1];
}

function tool(env: NodeJS.ProcessEnv, downloads: string): Tool {
  return {
    name: 'pulumi',
    version: pulumiVersion,
    executable: 'pulumi',
    sha256: null,
    repair,
    make: async (work, say) => {
      if (downloads !== '') {
        try {
          return await download(work, downloads, say);
        } catch (error) {
          say(`the vendor's archive cannot be had (${oneLine(error)}); building from the Go module instead`);
        }
      }
      return build(work, env, say);
    },
  };
}

/** The vendor's archive: `pulumi/pulumi` in a tar.gz. It is trusted as far as TLS to the vendor goes, and must answer with the version asked for. */
async function download(work: string, downloads: string, say: Say): Promise<string> {
  const architecture = ({ x64: 'x64', arm64: 'arm64' } as Record<string, string>)[process.arch];
  const platform = ({ linux: 'linux', darwin: 'darwin' } as Record<string, string>)[process.platform];
  if (!architecture || !platform) throw new Error(`there is none for ${process.platform} ${process.arch}`);
  const archive = path.join(work, 'pulumi.tar.gz');
  const stop = new AbortController();
  let limit = setTimeout(() => stop.abort(new Error('it does not answer')), 10_000);
  try {
    const response = await fetch(`${downloads}/pulumi-v${pulumiVersion}-${platform}-${architecture}.tar.gz`, { signal: stop.signal });
    if (!response.ok || response.body === null) throw new Error(`it answered ${response.status}`);
    clearTimeout(limit);
    limit = setTimeout(() => stop.abort(new Error('the download took more than ten minutes')), 10 * 60_000);
    say('downloading the Pulumi CLI, about 60 MB');
    await fs.writeFile(archive, response.body, { signal: stop.signal });
  } finally {
    clearTimeout(limit);
  }
  const result = await runCommand('tar', ['-xzf', archive, '-C', work, 'pulumi/pulumi'], { timeoutMs: 120_000 });
  if (result.code !== 0) throw new Error('its archive cannot be unpacked');
  const program = path.join(work, 'pulumi', 'pulumi');
  if ((await versionOfPulumi(program)) !== pulumiVersion) throw new Error('what it gave is another version');
  return program;
}

/** Builds from the Go module. Every module is pinned by the committed go.sum; the build writes only below `work` and Go's own caches. */
async function build(work: string, env: NodeJS.ProcessEnv, say: Say): Promise<string> {
  const program = await goBuild(
    {
      what: 'the Pulumi CLI',
      takes: '3 to 6 minutes',
      module: 'deploy/tools/pulumi-cli',
      target: 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi',
      ldflags: `-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${pulumiVersion}`,
    },
    work,
    env,
    say,
  );
  if ((await versionOfPulumi(program)) !== pulumiVersion) throw new Error('the built program does not answer with its version');
  return program;
}
