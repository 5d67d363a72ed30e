import { adminOf, refusalAsFindings } from '../admin';
import type { Run } from '../command';

/** `meshwright rollout abort`: every proxy returns to stable. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const reason = values.text('reason') ?? 'aborted by hand';
    await adminOf(context, values).post('/v1/rollout/abort', { reason });
    context.out.document({ ok: true, reason });
    context.out.line(`aborted (${reason}): every proxy returns to stable`);
    return 0;
  });
