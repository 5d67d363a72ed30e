import * as path from 'node:path';
import { generateKeys } from '../../compiler/sign/keys';
import { UsageError, type Run } from '../command';
import { printFindings } from '../bundles';

/** `meshwright keys generate`: keys for environments that have none, and the trust root that goes with them. */
export const run: Run = async (context, values) => {
  const environments = values.many('env');
  if (environments.length === 0) throw new UsageError('`--env` is missing: name the environments to sign for');
  const files = { keyFile: path.resolve(context.cwd, values.need('keyFile')), trustFile: path.resolve(context.cwd, values.need('trust')) };
  const made = await generateKeys(files, environments);
  if (!made.value) return printFindings(context, made.diagnostics);
  context.out.document({ ok: true, ...files, trust: made.value });
  context.out.line(
    `wrote ${values.need('keyFile')} (private, mode 0600) and ${values.need('trust')} (public): keys for ${environments.join(', ')}`,
  );
  return 0;
};
