import { adminOf, refusalAsFindings } from '../admin';
import { UsageError, type Run } from '../command';

/** `meshwright rollout retry`: the GitOps loop looks at the branch now; a commit that it holds is tried again. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const commit = values.text('commit');
    if (commit !== undefined && !/^[0-9a-f]{40}$/.test(commit)) throw new UsageError(`\`${commit}\` is not the whole id of a commit`);
    await adminOf(context, values).post('/v1/reconcile', commit === undefined ? {} : { retry: commit });
    context.out.document({ ok: true });
    context.out.line(
      commit === undefined ? 'the loop looks at the branch' : `the loop tries ${commit.slice(0, 12)} again, if the branch is still there`,
    );
    return 0;
  });
