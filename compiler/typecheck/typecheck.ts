import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasErrors, type Diagnostic, type Outcome } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import { digestOfJson } from '../../core/lib/digest';
import { checkTree, type SourceTree } from '../../core/source';
import { nativeCompiler, runNative } from './native';
import { parseOutput } from './parse-output';
import { defaultSdkDir, policyOptions, sdkTypesDigest } from './sdk-types';

export interface TypecheckOptions {
  /** Keeps verdicts by the digest of sources, compiler and SDK, and the compiler's own incremental state. */
  readonly cacheDir?: string;
  readonly timeoutMs?: number;
  readonly memoryBytes?: number;
  /** Where the SDK's `types/` and `policy-tsconfig.json` lie, for tests. */
  readonly sdkDir?: string;
}

const folder = 'policies';

/**
 * Type-checks a tree with the native TypeScript compiler and the SDK's options, in a private folder that is removed afterwards.
 * Errors: MW11xx with TypeScript's code; MW10xx where source refuses (it is asked before anything is written).
 */
export async function typecheck(tree: SourceTree, options: TypecheckOptions = {}): Promise<Outcome<true>> {
  const refused = checkTree(tree);
  if (hasErrors(refused)) return { diagnostics: refused };
  const compiler = nativeCompiler();
  if (!compiler) return { diagnostics: [source.checkerMissing({ reason: 'it is not installed for this system' })] };
  const sdkDir = options.sdkDir ?? defaultSdkDir;
  const cache = options.cacheDir === undefined ? null : join(options.cacheDir, 'typecheck');
  const key = digestOfJson({ tree: tree.digest, compiler: compiler.version, sdk: await sdkTypesDigest(sdkDir), form: 1 }).slice(
    'sha256:'.length,
  );
  const known = cache === null ? null : await readVerdict(join(cache, `${key}.json`));
  if (known) return outcome(known);

  const project = await mkdtemp(join(tmpdir(), 'meshwright-types-'));
  try {
    await materialise(project, tree, sdkDir);
    const state = cache === null ? null : join(cache, 'state.tsbuildinfo');
    if (state !== null) await copyFile(state, join(project, 'state.tsbuildinfo')).catch(() => undefined);
    const timeoutMs = options.timeoutMs ?? 60_000;
    const memoryBytes = options.memoryBytes ?? 2 * 1024 * 1024 * 1024;
    const run = await runNative(compiler, project, { timeoutMs, memoryBytes });
    switch (run.kind) {
      case 'late':
        return { diagnostics: [source.checkTimeout({ seconds: timeoutMs / 1000 })] };
      case 'memory':
        return { diagnostics: [source.checkMemory({ mebibytes: Math.round(memoryBytes / 1048576) })] };
      case 'failed':
        return { diagnostics: [source.checkerMissing({ reason: run.reason })] };
      case 'ended': {
        const diagnostics = parseOutput(run.output, tree, `${folder}/`);
        // An exit that says "wrong" without a word must not pass.
        if (run.exitCode !== 0 && !hasErrors(diagnostics)) {
          return {
            diagnostics: [
              source.checkerMissing({
                reason: `it ended with ${run.exitCode} and said \`${run.output.trim().split('\n')[0]?.slice(0, 200) ?? ''}\``,
              }),
            ],
          };
        }
        if (cache !== null) await keep(cache, key, diagnostics, project);
        return outcome(diagnostics);
      }
    }
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

const outcome = (diagnostics: readonly Diagnostic[]): Outcome<true> =>
  hasErrors(diagnostics) ? { diagnostics } : { value: true, diagnostics };

async function materialise(project: string, tree: SourceTree, sdkDir: string): Promise<void> {
  const { compilerOptions, files } = await policyOptions(sdkDir);
  const paths: Record<string, readonly string[]> = { ...compilerOptions.paths };
  for (const [pattern, target] of Object.entries(tree.imports)) paths[pattern] = [`./${folder}/${target}`];
  const sources = [...tree.files.keys()].filter((path) => path.endsWith('.ts'));
  const config = {
    compilerOptions: { ...compilerOptions, paths, typeRoots: [], incremental: true, tsBuildInfoFile: './state.tsbuildinfo' },
    files: [...files, ...sources.map((path) => `./${folder}/${path}`)],
  };
  const folders = new Set([...tree.files.keys()].map((path) => join(project, folder, dirname(path))));
  for (const one of folders) await mkdir(one, { recursive: true, mode: 0o700 });
  await Promise.all([...tree.files].map(([path, text]) => writeFile(join(project, folder, path), text, { mode: 0o600 })));
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config), { mode: 0o600 });
}

async function readVerdict(path: string): Promise<readonly Diagnostic[] | null> {
  try {
    const parsed = JSON.parse(await readFile(path, 'utf8')) as { diagnostics: readonly Diagnostic[] }; // written by keep()
    return Array.isArray(parsed.diagnostics) ? parsed.diagnostics : null;
  } catch {
    return null;
  }
}

/** Verdicts appear whole or not at all: another process may be reading. A cache that cannot be written costs time, nothing else. */
async function keep(cache: string, key: string, diagnostics: readonly Diagnostic[], project: string): Promise<void> {
  try {
    await mkdir(cache, { recursive: true, mode: 0o700 });
    const place = async (name: string, write: (path: string) => Promise<void>): Promise<void> => {
      const temporary = join(cache, `${name}.${randomUUID()}`);
      await write(temporary);
      await rename(temporary, join(cache, name));
    };
    await place(`${key}.json`, (path) => writeFile(path, JSON.stringify({ diagnostics }), { mode: 0o600 }));
    await place('state.tsbuildinfo', (path) => copyFile(join(project, 'state.tsbuildinfo'), path));
  } catch {
    return;
  }
}
