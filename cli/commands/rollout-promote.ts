import { adminOf, refusalAsFindings } from '../admin';
import type { Run } from '../command';

/** `meshwright rollout promote`: ends the hold. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    await adminOf(context, values).post('/v1/rollout/promote', {});
    context.out.document({ ok: true });
    context.out.line('promoted: the next wave begins');
    return 0;
  });
