/** The program that Pulumi.yaml names, for `pulumi preview` and `pulumi up` by hand: `pulumi config set meshwright:bundle DIR` says what to deploy. */
import * as pulumi from '@pulumi/pulumi';
import { readBundleFolder } from '../platform/bundle-folder';
import { meshProgram } from './program';

/** Pulumi calls it; what it returns are the stack's outputs. */
export = async (): Promise<Record<string, unknown>> => {
  const folder = new pulumi.Config('meshwright').require('bundle');
  const { value, diagnostics } = await readBundleFolder(folder);
  if (!value) throw new pulumi.RunError(diagnostics.map((d) => `${d.code}: ${d.message}`).join('\n'));
  return meshProgram({ bundle: value })();
};
