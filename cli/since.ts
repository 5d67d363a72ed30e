import { hasErrors } from '../core/diagnostics/diagnostic';
import type { Release } from '../core/bundle/objects';
import { formatDiff, semanticDiff } from '../compiler/diff';
import { UsageError, type CommandContext } from './command';
import { compileSources, sourcesOfCommit } from './policies';
import type { Values } from './values';

/** The semantic diff, as text, from a commit to the one that a release was built from. */
export async function sinceCommit(
  context: CommandContext,
  values: Values,
  since: string,
  { commit, environment, asOf }: Release,
): Promise<string> {
  const irOf = async (revision: string): Promise<Parameters<typeof semanticDiff>[1]> => {
    const sources = await sourcesOfCommit(context, revision, values.text('policies'));
    const { irs, diagnostics } = await compileSources(context, values, sources, { stopAfter: 'lower', environments: [environment], asOf });
    const ir = irs.get(environment);
    if (!ir || hasErrors(diagnostics)) throw new UsageError(`commit \`${revision}\` does not compile, so there is nothing to compare with`);
    return ir;
  };
  return formatDiff(semanticDiff(await irOf(since), await irOf(commit)), 'text');
}
