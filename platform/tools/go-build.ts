/** Programs built from a Go module of this repository: every module pinned by the committed go.sum. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { isNotFound } from '../files';
import { runCommand } from '../process';
import type { Say } from './obtain';

export interface GoBuild {
  /** For people: `the Pulumi CLI`. */
  readonly what: string;
  /** How long it usually takes, for people: `3 to 6 minutes`. */
  readonly takes: string;
  /** Folder of go.mod and go.sum from the root of this installation: `deploy/tools/pulumi-cli`. */
  readonly module: string;
  /** What `go build` is to build: a package path, or `.` for the module itself. */
  readonly target: string;
  readonly ldflags: string;
}

/** Builds below `work` and answers with the program's path; writes only there and into Go's own caches. Throws one line. */
export async function goBuild(build: GoBuild, work: string, env: NodeJS.ProcessEnv, say: Say): Promise<string> {
  const folder = path.join(work, 'module');
  await fs.cp(await moduleFolder(build.module), folder, { recursive: true });
  const program = path.join(work, 'built');
  say(`building ${build.what} from its Go module, ${build.takes}`);
  const started = Date.now();
  const tick = setInterval(() => say(`still building ${build.what}, ${Math.round((Date.now() - started) / 1000)} s`), 30_000);
  try {
    const args = ['build', '-mod=readonly', '-trimpath', '-o', program, '-ldflags', build.ldflags, build.target];
    const result = await runCommand('go', args, { cwd: folder, env: { ...env, GOWORK: 'off' }, timeoutMs: 25 * 60_000 });
    if (result.timedOut) throw new Error('go build took more than 25 minutes');
    if (result.code !== 0) throw new Error(`go build failed: ${result.stderr.trim().split('\n').at(-1) ?? ''}`);
  } catch (error) {
    if (isNotFound(error)) throw new Error('go is not installed', { cause: error });
    throw error;
  } finally {
    clearInterval(tick);
  }
  return program;
}

/** A folder of this installation, from the source tree and from dist/ alike. */
async function moduleFolder(module: string): Promise<string> {
  for (let folder = __dirname; path.dirname(folder) !== folder; folder = path.dirname(folder)) {
    const candidate = path.join(folder, module);
    const there = await fs.access(path.join(candidate, 'go.sum')).then(
      () => true,
      () => false,
    );
    if (there) return candidate;
  }
  throw new Error(`${module} is not part of this installation`);
}
