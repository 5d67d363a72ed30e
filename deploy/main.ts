/**
 * The program that Pulumi.yaml names, for `pulumi preview` and `pulumi up` by hand. `pulumi config set meshwright:bundle DIR` says what to deploy;
 * `meshwright:target kubernetes` sends it to a cluster, by `meshwright:kubeconfig`, else KUBECONFIG, else the user's own.
 */
import * as pulumi from '@pulumi/pulumi';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Bundle } from '../core/bundle/bundle';
import { hasErrors, type Diagnostic } from '../core/diagnostics/diagnostic';
import { readBundleFolder } from '../platform/bundle-folder';
import { prepare } from './kubernetes/operation';
import { kubernetesProgram } from './kubernetes/program';
import { meshProgram } from './program';

/** Pulumi calls it; what it returns are the stack's outputs. */
export = async (): Promise<Record<string, unknown>> => {
  const config = new pulumi.Config('meshwright');
  const { value, diagnostics } = await readBundleFolder(config.require('bundle'));
  if (!value) throw new pulumi.RunError(linesOf(diagnostics));
  const target = config.get('target') ?? 'universal';
  if (target === 'universal') return meshProgram({ bundle: value })();
  if (target === 'kubernetes') return toCluster(value, config);
  throw new pulumi.RunError(`\`meshwright:target\` is \`${target}\`: set it to \`universal\` or \`kubernetes\``);
};

async function toCluster(bundle: Bundle, config: pulumi.Config): Promise<Record<string, unknown>> {
  const named = process.env['KUBECONFIG']?.split(path.delimiter)[0];
  const kubeconfig = config.get('kubeconfig') ?? (named === undefined || named === '' ? path.join(os.homedir(), '.kube', 'config') : named);
  const timeoutMs = (config.getNumber('timeoutSeconds') ?? 600) * 1000;
  const deployerToken = config.get('deployerToken');
  const { value, diagnostics } = await prepare(bundle, {
    kubeconfig,
    timeoutMs,
    ...(deployerToken === undefined ? {} : { deployerToken }),
  });
  if (!value || hasErrors(diagnostics)) throw new pulumi.RunError(linesOf(diagnostics));
  for (const warning of diagnostics) await pulumi.log.warn(linesOf([warning]));
  return kubernetesProgram(value.program)();
}

const linesOf = (diagnostics: readonly Diagnostic[]): string =>
  diagnostics.map((one) => `${one.code}: ${one.message}${one.help === undefined ? '' : `; ${one.help}`}`).join('\n');
