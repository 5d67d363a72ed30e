import { isStatus } from '../../platform/admin-client/client';
import { adminOf, refusalAsFindings } from '../admin';
import type { Run } from '../command';
import { formatStatus } from '../status-text';

/** `meshwright status`: 0 converged or idle, 1 aborted, unproven or (without `--wait`) still on its way. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const admin = adminOf(context, values);
    let status = await admin.get('/v1/status');
    if (values.flag('wait')) {
      const done = context.out.progress('waiting for the roll-out');
      for await (const next of admin.watch('/v1/status?watch=1')) {
        if (isStatus(next)) done(`${next.state}: ${next.message}`);
        status = next;
        if (isStatus(next) && next.state !== 'rolling' && next.state !== 'holding') break;
      }
      done();
    }
    if (!isStatus(status)) throw new Error('the control plane answered something that is no status');
    context.out.document(status);
    context.out.line(formatStatus(status, context.out.style));
    return status.state === 'converged' || status.state === 'idle' ? 0 : 1;
  });
