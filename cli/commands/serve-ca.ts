import { serveCa, type CaConfig } from '../../runtime-proxy/ca/main';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { serveUntilStopped, started } from '../serving';

/** `meshwright serve ca`. */
export const run: Run = async (context, values) => {
  const served = await started(serveCa(await decodeConfig<CaConfig>('ca', values)));
  return serveUntilStopped(context, served, { address: served.address, adminUrl: served.adminUrl, trustFile: served.trustFile });
};
