import { stat } from 'node:fs/promises';
import * as path from 'node:path';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import type { MeshIr } from '../../core/ir/ir';
import { formatDiff, semanticDiff } from '../../compiler/diff';
import type { Compiled } from '../../compiler/pipeline';
import { UsageError, type CommandContext, type Run } from '../command';
import { formatText, summary, toJson } from '../findings';
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
  const diffs = pairs(before.compiled.irs, after.compiled.irs).map(([environment, was, is]) => ({ environment, diff: semanticDiff(was, is) }));
  const document = { ok: true, before: before.sources.label, after: after.sources.label, environments: Object.fromEntries(diffs.map(({ environment, diff }) => [environment, diff])) };
  out.document(document);
  if (format === 'json') out.text(`${JSON.stringify(document, null, 2)}\n`);
  else if (format === 'markdown') for (const { diff } of diffs) out.line(formatDiff(diff, 'markdown'));
  else for (const [text, environments] of together(diffs.map(({ environment, diff }) => [environment, formatDiff(diff, 'text').trimEnd()]))) out.line(`${out.style.bold(environments.join(', '))}\n${text}`);
  return 0;
};

interface Side {
  readonly sources: Sources;
  readonly compiled: Compiled;
}

/** A folder, a commit, or (not given) the working tree. */
async function sideOf(context: CommandContext, values: Values, given: string | undefined): Promise<Side> {
  const isFolder = given !== undefined && (await stat(path.resolve(context.cwd, given)).then((found) => found.isDirectory(), () => false));
  const sources = given === undefined || isFolder ? await sourcesOf(context, isFolder ? given : values.text('dir')) : await sourcesOfCommit(context, given, values.text('dir'));
  return { sources, compiled: await compileSources(context, values, sources, { stopAfter: 'lower' }) };
}

function pairs(before: ReadonlyMap<string, MeshIr>, after: ReadonlyMap<string, MeshIr>): readonly (readonly [string, MeshIr | null, MeshIr])[] {
  if (after.size === 0) throw new UsageError('there is nothing to compare: the new side has no environment');
  return [...after].map(([environment, ir]) => [environment, before.get(environment) ?? null, ir] as const);
}

/** Environments that say the same are said once. */
function together(texts: readonly (readonly [environment: string, text: string])[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const [environment, text] of texts) groups.set(text, [...(groups.get(text) ?? []), environment]);
  return groups;
}
