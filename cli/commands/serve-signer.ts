import { serveSigner, type SignerConfig } from '../../compiler/sign/server';
import { createLog } from '../../platform/log';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { serveUntilStopped } from '../serving';
import { printFindings } from '../bundles';

/** `meshwright serve signer`: holds the key; what evaluates policies never does. */
export const run: Run = async (context, values) => {
  const config = await decodeConfig<SignerConfig>('signer', values);
  const served = await serveSigner({ ...config, log: createLog('signer') });
  if (!served.value) return printFindings(context, served.diagnostics);
  return serveUntilStopped(context, served.value, { socketPath: served.value.socketPath });
};
