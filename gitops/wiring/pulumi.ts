/** Releases put out by Pulumi's engine. The update runs on while the loop follows the roll-out; its end is waited for after convergence. */
import type { Bundle } from '../../core/bundle/bundle';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { deploy, preview, recover, type DeployTarget } from '../../deploy/automation';
import type { DeployReport } from '../../deploy/report';
import type { Clock } from '../../platform/clock';
import type { Log } from '../../platform/log';
import { ok, refused, unavailable, type LegResult } from '../reconcile/deps';
import type { ControlPlane } from '../rollout/control-plane';
import type { Deployer } from './deps';

/** Codes that say the control plane will never take these objects; whatever else goes wrong (order, age, locks, the wire) may be right next time. */
const forGood = new Set(['MW6001', 'MW6002', 'MW6003', 'MW6006', 'MW6007', 'MW7012']);

/** A deployer on a target of its own. `timeoutMs`: how long Pulumi waits for convergence; `signal` ends what runs, so that nothing is left behind. */
export function pulumiDeployer(
  target: DeployTarget,
  controlPlane: ControlPlane,
  parts: {
    readonly clock: Clock;
    readonly log: Log;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly restore: Deployer['restore'];
  },
): Deployer {
  const { clock, log, timeoutMs, signal } = parts;
  let running: Promise<DeployReport> | null = null;
  const onEvent: NonNullable<Parameters<typeof deploy>[2]>['onEvent'] = (event) => {
    if (event.kind === 'progress' && !event.passing) log.info(event.message);
  };
  /** Whether the control plane took the release before the update ended. */
  const taken = async (bundle: Bundle, ended: () => boolean): Promise<boolean> => {
    for (;;) {
      const status = await controlPlane.status();
      if (status.kind === 'ok' && status.value.release === bundle.release.digest) return true;
      if (ended()) return false;
      await clock.sleep(20);
    }
  };
  return {
    preview: async ({ bundle, diff }) => {
      const report = await preview(bundle, target, { diff, signal });
      if (!report.ok) return failure(report);
      const { create = 0, update = 0, delete: gone = 0, same = 0 } = report.changes;
      return ok({ summary: `${create} to create, ${update} to update, ${gone} to delete, ${same} unchanged` }, quiet(report.diagnostics));
    },
    update: async (bundle) => {
      let over = false;
      running = deploy(bundle, target, { onEvent, timeoutMs, signal }).finally(() => {
        over = true;
      });
      // Its own end is judged in `finishUpdate`, or right below.
      running.catch(() => undefined);
      if (await taken(bundle, () => over)) return ok(null);
      const report = await running;
      running = null;
      return report.ok ? ok(null, quiet(report.diagnostics)) : failure(report);
    },
    finishUpdate: async () => {
      const report = await running;
      running = null;
      return report ? report.diagnostics : [];
    },
    recover: async () => {
      const report = await recover(target, { signal });
      return report.ok ? ok(null, report.diagnostics) : failure(report);
    },
    restore: parts.restore,
  };
}

function failure(report: DeployReport): LegResult<never> {
  const errors = report.diagnostics.filter((one) => one.severity === 'error');
  return errors.length > 0 && errors.every((one) => forGood.has(one.code))
    ? refused(...report.diagnostics)
    : unavailable(...report.diagnostics);
}

const quiet = (diagnostics: readonly Diagnostic[]): readonly Diagnostic[] => diagnostics.filter((one) => one.severity !== 'error');
