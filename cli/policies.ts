/** From what the caller named (a folder, a commit, nothing) to sources and compiled work. */
import { realpath } from 'node:fs/promises';
import * as path from 'node:path';
import type { Diagnostic, Outcome } from '../core/diagnostics/diagnostic';
import { internal } from '../core/diagnostics/internal';
import type { SourceTree } from '../core/source/tree';
import { compile, type Compiled, type CompileOptions } from '../compiler/pipeline';
import { cacheFolder, isThere } from '../platform/files';
import { dayOf, systemClock } from '../platform/clock';
import { UsageError, type CommandContext } from './command';
import type { Values } from './values';

/** The policies' folder, absolute: the one given, or `policies/` in it. */
export async function policyFolder(context: CommandContext, given: string | undefined): Promise<string | null> {
  const base = path.resolve(context.cwd, given ?? '.');
  for (const folder of [base, path.join(base, 'policies')]) if (await isThere(path.join(folder, 'mesh.policy.ts'))) return folder;
  for (const folder of [path.join(base, 'policies'), base]) if (await isThere(folder)) return folder;
  return null;
}

/** The nearest folder above that holds a mesh, relative to where the caller stands. */
async function meshNear(context: CommandContext, folder: string): Promise<string | undefined> {
  for (let above = path.dirname(folder); ; above = path.dirname(above)) {
    for (const candidate of [above, path.join(above, 'policies')])
      if (await isThere(path.join(candidate, 'mesh.policy.ts'))) return path.relative(context.cwd, candidate) || '.';
    if (path.dirname(above) === above) return undefined;
  }
}

/** Sources, and how their files are shown: relative to where the caller stands. */
export interface Sources {
  readonly tree: SourceTree | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** The folder, or a commit's `<oid>:policies`. */
  readonly label: string;
  readonly show: (file: string) => string;
  /** The text of a file as it was compiled. */
  readonly read: (file: string) => string | undefined;
}

/** Reads the policies of a folder. */
export async function sourcesOf(context: CommandContext, given: string | undefined): Promise<Sources> {
  const folder = await policyFolder(context, given);
  if (folder === null) {
    const directory = given ?? '.';
    return {
      tree: undefined,
      diagnostics: [internal.noSuchDirectory({ directory })],
      label: directory,
      show: (file) => file,
      read: () => undefined,
    };
  }
  if (!(await isThere(path.join(folder, 'mesh.policy.ts')))) {
    const near = await meshNear(context, folder);
    const directory = given ?? '.';
    return {
      tree: undefined,
      diagnostics: [internal.noSuchDirectory({ directory, isThere: true, near })],
      label: directory,
      show: (file) => file,
      read: () => undefined,
    };
  }
  const { readDirectory } = await import('../compiler/source/index.js');
  const read = await readDirectory(folder);
  const shown = path.relative(context.cwd, folder);
  return withShow(read, shown === '' ? '.' : shown, (file) => path.join(shown, file));
}

/** Reads the policies of a commit, straight from the object database. */
export async function sourcesOfCommit(
  context: CommandContext,
  revision: string,
  given: string | undefined,
): Promise<Sources & { readonly oid: string }> {
  const { expandRevision } = await import('./revision.js');
  const place = await placeOf(context, given);
  const found = await expandRevision(place, revision);
  if (found === null) throw new UsageError(await whyNoRevision(place, revision));
  const below = await folderInRepository(context, given, found.top);
  const { readCommit } = await import('../compiler/source/index.js');
  const read = await readCommit({ gitdir: found.gitdir, oid: found.oid, dir: below });
  return { ...withShow(read, `${found.oid.slice(0, 12)}:${below}`, (file) => `${below}/${file}`), oid: found.oid };
}

/** Where the policies lie in a commit: where they lie now, as seen from here; `policies/` at the top for who stands elsewhere in the repository. */
async function folderInRepository(context: CommandContext, given: string | undefined, top: string): Promise<string> {
  const folder = await policyFolder(context, given);
  if (given === undefined && (folder === null || !(await isThere(path.join(folder, 'mesh.policy.ts'))))) return 'policies';
  const named = folder === null ? path.resolve(context.cwd, given ?? '.') : await realpath(folder);
  return path.relative(top, named).split(path.sep).join('/');
}

/** Where a commit is looked for: in the folder that was named, or, if only commits have it, in the nearest above it. */
async function placeOf(context: CommandContext, given: string | undefined): Promise<string> {
  let folder = path.resolve(context.cwd, given ?? '.');
  while (!(await isThere(folder)) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  return realpath(folder);
}

async function whyNoRevision(place: string, revision: string): Promise<string> {
  const { repositoryAbove } = await import('./revision.js');
  return (await repositoryAbove(place)) === null
    ? `\`${revision}\` is no folder, and there is no Git repository here that could have such a commit: \`git init\` and commit first`
    : `\`${revision}\` is neither a folder nor a commit of the repository here`;
}

function withShow(read: Outcome<SourceTree>, label: string, show: (file: string) => string): Sources {
  return { tree: read.value, diagnostics: read.diagnostics, label, show, read: (file) => read.value?.files.get(file) };
}

const nothing: Compiled = { diagnostics: [], irs: new Map(), objects: new Map(), sources: {}, timings: {}, cached: false };

/** Compiles with the options that all verbs share: `--env`, `--as-of`, `--no-cache`; progress on stderr. */
export async function compileSources(
  context: CommandContext,
  values: Values,
  sources: Sources,
  extra: Partial<CompileOptions> = {},
): Promise<Compiled> {
  if (!sources.tree) return { ...nothing, diagnostics: sources.diagnostics };
  const done = context.out.progress('reading');
  const environment = values.text('env');
  try {
    const compiled = await compile(sources.tree, {
      asOf: dayGiven(values),
      ...(environment === undefined ? {} : { environments: [environment] }),
      ...(values.flag('noCache') || context.env['MESHWRIGHT_NO_CACHE'] === '1' ? {} : { cacheDir: cacheFolder('compile') }),
      onStage: (stage) => done(stage),
      ...extra,
    });
    return sources.diagnostics.length === 0 ? compiled : { ...compiled, diagnostics: [...sources.diagnostics, ...compiled.diagnostics] };
  } finally {
    done();
  }
}

/** `--as-of`, or the machine's day in UTC. */
export function dayGiven(values: Values): string {
  const given = values.text('asOf');
  if (given === undefined) return dayOf(systemClock.now());
  if (!/^\d{4}-\d{2}-\d{2}$/.test(given) || Number.isNaN(Date.parse(given)))
    throw new UsageError(`\`--as-of\` takes a day such as \`2026-11-22\`, not \`${given}\``);
  return given;
}
