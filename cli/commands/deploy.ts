import * as path from 'node:path';
import { deploy } from '../../deploy/automation';
import { readTextIfThere } from '../../platform/files';
import { UsageError, type Run } from '../command';
import { bundleAt, printFindings } from '../bundles';
import { printReport, targetOf } from '../target';

/** `meshwright deploy`: sends the bundle and waits until every proxy is active. */
export const run: Run = async (context, values) => {
  const bundle = await bundleAt(context, values.text('bundle') ?? '');
  if (!bundle.value) return printFindings(context, bundle.diagnostics);
  const target = targetOf(context, values, bundle.value.release.release.environment);
  const tokenFile = values.text('deployerTokenFile');
  const token = tokenFile === undefined ? null : await readTextIfThere(path.resolve(context.cwd, tokenFile));
  if (tokenFile !== undefined && token === null)
    throw new UsageError(`there is no file \`${tokenFile}\`: give the one with the job's token`);
  const report = await deploy(bundle.value, target, {
    ...(token === null ? {} : { deployerToken: token.trim() }),
    print: (text) => context.out.text(text),
    onEvent: (event) => {
      if (event.kind === 'progress' && !event.passing) context.out.note(event.message);
    },
  });
  return printReport(context, report, 'deployment');
};
