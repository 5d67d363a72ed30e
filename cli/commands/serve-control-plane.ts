import { serveControlPlane, type ControlPlaneConfig } from '../../runtime-proxy/control-plane/main';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { serveUntilStopped } from '../serving';

/** `meshwright serve control-plane`. */
export const run: Run = async (context, values) => {
  const served = await serveControlPlane(await decodeConfig<ControlPlaneConfig>('control-plane', values));
  return serveUntilStopped(context, served, { adminUrl: served.adminUrl, xdsAddress: served.xdsAddress });
};
