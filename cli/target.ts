import * as path from 'node:path';
import type { DeployTarget } from '../deploy/automation';
import type { DeployReport } from '../deploy/report';
import type { AdminTarget } from '../platform/admin-client/client';
import { UsageError, type CommandContext } from './command';
import { formatText, toJson } from './findings';
import { counted, duration } from './output';
import type { Values } from './values';

/** Where an admin API is and the token for it, by `--admin` and `--token-file`, else the environment. */
export function adminTargetOf(context: CommandContext, values: Values): AdminTarget {
  const adminUrl = values.text('admin') ?? context.env['MESHWRIGHT_ADMIN'];
  if (adminUrl === undefined) throw new UsageError("`--admin` is missing: give the control plane's admin address, or set MESHWRIGHT_ADMIN");
  const tokenFile = values.text('tokenFile') ?? context.env['MESHWRIGHT_TOKEN_FILE'];
  if (tokenFile === undefined)
    throw new UsageError("`--token-file` is missing: give the file with the control plane's token, or set MESHWRIGHT_TOKEN_FILE");
  return { adminUrl, tokenFile: path.resolve(context.cwd, tokenFile) };
}

/** Where a bundle is deployed to, by the options that `preview`, `deploy` and `rollout rollback` share: a cluster with `--kubeconfig`, else a control plane. */
export function targetOf(context: CommandContext, values: Values, environment: string): DeployTarget {
  const at = (file: string): string => path.resolve(context.cwd, file);
  const [trustFile, kubeconfig, stateDir] = [values.text('trust'), values.text('kubeconfig'), values.text('stateDir')];
  const shared = { stack: values.text('stack') ?? environment, ...(trustFile === undefined ? {} : { trustFile: at(trustFile) }) };
  if (kubeconfig !== undefined && values.text('admin') !== undefined)
    throw new UsageError('`--kubeconfig` and `--admin` are two targets: give one of them');
  // Two kinds of target are two stacks: the one would take what the other deployed for gone.
  return kubeconfig === undefined
    ? { ...adminTargetOf(context, values), ...shared, stateDir: at(stateDir ?? '.meshwright/pulumi') }
    : { kind: 'kubernetes', kubeconfig: at(kubeconfig), ...shared, stateDir: at(stateDir ?? '.meshwright/pulumi-kubernetes') };
}

/** Prints what a preview or an update came to. */
export function printReport({ out }: CommandContext, report: DeployReport, what: string): 0 | 1 {
  out.document({ ...report, diagnostics: toJson(report.diagnostics, (file) => file) });
  if (report.diagnostics.length > 0) out.line(formatText(report.diagnostics, { show: (file) => file, style: out.style }));
  const changes = Object.entries(report.changes).filter(([operation]) => operation !== 'same');
  const said = changes.length === 0 ? 'nothing changes' : changes.map(([operation, count]) => `${count} ${operation}`).join(', ');
  out.line(
    `${report.ok ? out.style.green(`${what} ok`) : out.style.red(`${what} failed`)}   ${said}   ${counted(report.steps.length, 'step')}   ${duration(report.durationMs)}`,
  );
  return report.ok ? 0 : 1;
}
