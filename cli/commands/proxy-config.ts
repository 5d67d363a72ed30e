import { adminOf, refusalAsFindings } from '../admin';
import type { Run } from '../command';

/** `meshwright proxy config`: the resources of one proxy, bound. Both forms of output are JSON. */
export const run: Run = (context, values) =>
  refusalAsFindings(context, async () => {
    const config = await adminOf(context, values).get(`/v1/proxies/${encodeURIComponent(values.text('instance') ?? '')}/config`);
    context.out.document(config);
    context.out.line(JSON.stringify(config, null, 2));
    return 0;
  });
