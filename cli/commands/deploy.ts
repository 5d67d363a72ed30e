import { deploy } from '../../deploy/automation';
import type { Run } from '../command';
import { bundleAt, printFindings } from '../bundles';
import { printReport, targetOf } from '../target';

/** `meshwright deploy`: sends the bundle and waits until every proxy is active. */
export const run: Run = async (context, values) => {
  const bundle = await bundleAt(context, values.text('bundle') ?? '');
  if (!bundle.value) return printFindings(context, bundle.diagnostics);
  const target = targetOf(context, values, bundle.value.release.release.environment);
  const report = await deploy(bundle.value, target, {
    print: (text) => context.out.text(text),
    onEvent: (event) => {
      if (event.kind === 'progress' && !event.passing) context.out.note(event.message);
    },
  });
  return printReport(context, report, 'deployment');
};
