import { load } from 'js-yaml';
import { readFile } from 'node:fs/promises';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import { checkValues } from '../../deploy/install/check';
import { examine } from '../../deploy/install/doctor/doctor';
import type { ClusterSnapshot } from '../../deploy/install/doctor/snapshot';
import { installObjects } from '../../deploy/install/install';
import { kubeFromFile } from '../../platform/kube';
import { printFindings } from '../bundles';
import { snapshotOf } from '../cluster-snapshot';
import { UsageError, type CommandContext, type ExitCode, type Run } from '../command';
import { formatText, summary, toJson } from '../findings';

/** `meshwright doctor`: can this installation lock itself out, and is it healthy? Exit code 1 when a finding blocks, or when it could not see enough to say. */
export const run: Run = async (context, values) => {
  const valuesFile = values.text('chartValues');
  const kubeconfig = values.text('kubeconfig') ?? context.env['KUBECONFIG'];
  if (valuesFile !== undefined) return offline(context, valuesFile);
  if (kubeconfig === undefined || kubeconfig === '')
    throw new UsageError('which cluster? Name it by `--kubeconfig` or KUBECONFIG, or examine values by `--chart-values`');
  const done = context.out.progress('reading the cluster');
  try {
    const kube = await kubeFromFile(kubeconfig).catch((error: unknown) => {
      throw new UsageError(lineOf(error));
    });
    const snapshot = await snapshotOf(kube, Date.now()).catch((error: unknown) => {
      throw new UsageError(`${kube.server} cannot be read: ${lineOf(error)}`);
    });
    return report(context, snapshot, { cluster: kube.server, serverVersion: snapshot.serverVersion });
  } finally {
    done();
  }
};

async function offline(context: CommandContext, file: string): Promise<ExitCode> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${file} cannot be read: ${lineOf(error)}`);
  });
  let given: unknown;
  try {
    given = load(text) ?? {};
  } catch (error) {
    throw new UsageError(`${file} is not YAML: ${lineOf(error)}`);
  }
  const checked = checkValues(given);
  if (!checked.value) return printFindings(context, checked.diagnostics);
  return report(
    context,
    { live: false, now: Date.now(), serverVersion: null, objects: installObjects(checked.value), unread: [] },
    { values: file },
  );
}

function report({ out }: CommandContext, snapshot: ClusterSnapshot, about: object): ExitCode {
  const diagnostics = examine(snapshot);
  const blocked = hasErrors(diagnostics);
  const undecided = !blocked && snapshot.unread.length > 0;
  out.document({ ok: !blocked && !undecided, ...about, diagnostics: toJson(diagnostics, (file) => file) });
  if (diagnostics.length > 0) out.line(formatText(diagnostics, { show: (file) => file, style: out.style }));
  out.line(
    `${blocked ? out.style.red('blocked') : undecided ? out.style.yellow('undecided') : out.style.green('healthy')}   ${summary(diagnostics)}`,
  );
  return blocked || undecided ? 1 : 0;
}

const lineOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
