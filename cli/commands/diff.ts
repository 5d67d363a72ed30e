import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import type { MeshIr } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import { formatDiff, semanticDiff, type MeshDiff } from '../../compiler/diff';
import type { Compiled } from '../../compiler/pipeline';
import { UsageError, type CommandContext, type Run } from '../command';
import { formatText, summary, toJson } from '../findings';
import { shownPlace } from '../places';
import { countProxies } from '../proxy-count';
import { compileSources, sourcesOf, sourcesOfCommit, type Sources } from '../policies';
import type { Values } from '../values';

/** `meshwright diff`: who gains or loses what. Exit code 0 whether they differ or not; 1 where a side does not compile. */
export const run: Run = async (context, values) => {
  const { out } = context;
  const before = await sideOf(context, values, values.text('before'));
  const after = await sideOf(context, values, values.text('after'));
  for (const { compiled, sources } of [before, after]) {
    if (!hasErrors(compiled.diagnostics)) continue;
    out.document({ ok: false, side: sources.label, diagnostics: toJson(compiled.diagnostics, sources.show) });
    out.line(formatText(compiled.diagnostics, { show: sources.show, style: out.style }));
    out.line(`${sources.label} does not compile: ${summary(compiled.diagnostics)}`);
    return 1;
  }
  const format = context.json ? 'json' : values.text('format');
  const diffs = pairs(before.compiled.irs, after.compiled.irs).map(([environment, was, is]) =>
    semanticDiff(was, is, countProxies(before.compiled.objects.get(environment) ?? [], after.compiled.objects.get(environment) ?? [])),
  );
  const document = {
    ok: true,
    before: before.sources.label,
    after: after.sources.label,
    environments: Object.fromEntries(diffs.map((diff) => [diff.environment, diff])),
  };
  out.document(document);
  const placeOf = (rule: string): string | undefined =>
    shownPlace(after.compiled.sources, rule, after.sources.show) ??
    shownPlace(before.compiled.sources, rule, before.sources.show) ??
    undefined;
  if (format === 'json') out.text(`${JSON.stringify(document, null, 2)}\n`);
  else for (const diff of together(diffs)) out.text(formatDiff(diff, format === 'markdown' ? 'markdown' : 'text', { placeOf }));
  return 0;
};

interface Side {
  readonly sources: Sources;
  readonly compiled: Compiled;
}

/** A folder, a commit, or (not given) the working tree. */
async function sideOf(context: CommandContext, values: Values, given: string | undefined): Promise<Side> {
  const isFolder =
    given !== undefined &&
    (await stat(path.resolve(context.cwd, given)).then(
      (found) => found.isDirectory(),
      () => false,
    ));
  const sources =
    given === undefined || isFolder
      ? await sourcesOf(context, isFolder ? given : values.text('dir'))
      : await sourcesOfCommit(context, given, values.text('dir'));
  return { sources, compiled: await compileSources(context, values, sources) };
}

function pairs(
  before: ReadonlyMap<string, MeshIr>,
  after: ReadonlyMap<string, MeshIr>,
): readonly (readonly [string, MeshIr | null, MeshIr])[] {
  if (after.size === 0) throw new UsageError('there is nothing to compare: the new side has no environment');
  return [...after].map(([environment, ir]) => [environment, before.get(environment) ?? null, ir] as const);
}

/** Environments that say the same are said once. */
function together(diffs: readonly MeshDiff[]): readonly MeshDiff[] {
  const groups = new Map<string, { readonly diff: MeshDiff; readonly environments: string[] }>();
  for (const diff of diffs) {
    const key = canonicalJson({ ...diff, environment: '' });
    const group = groups.get(key);
    if (group) group.environments.push(diff.environment);
    else groups.set(key, { diff, environments: [diff.environment] });
  }
  return [...groups.values()].map(({ diff, environments }) => ({ ...diff, environment: environments.join(', ') }));
}
