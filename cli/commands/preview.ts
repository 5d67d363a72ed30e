import { preview } from '../../deploy/automation';
import type { Run } from '../command';
import { bundleAt, printFindings } from '../bundles';
import { sinceCommit } from '../since';
import { printReport, targetOf } from '../target';

/** `meshwright preview`: changes nothing; the semantic diff stands above Pulumi's tree. */
export const run: Run = async (context, values) => {
  const bundle = await bundleAt(context, values.text('bundle') ?? '');
  if (!bundle.value) return printFindings(context, bundle.diagnostics);
  const { release } = bundle.value.release;
  const since = values.text('since');
  const diff = since === undefined ? '' : await sinceCommit(context, values, since, release);
  const done = context.out.progress('previewing');
  const report = await preview(bundle.value, targetOf(context, values, release.environment), {
    diff,
    print: (text) => context.out.text(text),
  });
  done();
  return printReport(context, report, 'preview');
};
