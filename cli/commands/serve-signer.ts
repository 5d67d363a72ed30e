import { serveSigner } from '../../compiler/sign/server';
import { createLog } from '../../platform/log';
import type { Run } from '../command';
import { configGiven, serveUntilStopped, textIn } from '../serving';
import { printFindings } from '../bundles';

/** `meshwright serve signer`: holds the key; what evaluates policies never does. */
export const run: Run = async (context, values) => {
  const config = await configGiven(values);
  const served = await serveSigner({
    keyFile: textIn(config, 'keyFile'),
    socketPath: textIn(config, 'socketPath'),
    stateFile: textIn(config, 'stateFile'),
    log: createLog('signer'),
  });
  if (!served.value) return printFindings(context, served.diagnostics);
  return serveUntilStopped(context, served.value, { socketPath: served.value.socketPath });
};
