import { serveControlPlane, type ControlPlaneConfig } from '../../runtime-proxy/control-plane/main';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { serveUntilStopped, started } from '../serving';

/** `meshwright serve control-plane`. Ends with 2 when its certificate has lapsed and there is no join token for another. */
export const run: Run = async (context, values) => {
  const served = await started(serveControlPlane(await decodeConfig<ControlPlaneConfig>('control-plane', values)));
  const failed = served.failed.then(async (why) => {
    context.out.note(`meshwright: ${why}`);
    await served.close();
    return 2 as const;
  });
  return Promise.race([serveUntilStopped(context, served, { adminUrl: served.adminUrl, xdsAddress: served.xdsAddress }), failed]);
};
