import { join } from 'node:path';
import { UsageError, type Run } from '../command';
import { decodeConfig } from '../config';
import { onStop, serveUntilStopped, started } from '../serving';
import { upConfigFrom, type UpFile } from '../up/config';
import { launchMesh } from '../up/launch';

const installed = join(__dirname, '..', '..', '..');

/** `meshwright up`: a whole mesh on this machine, each part a process of its own. */
export const run: Run = async (context, values) => {
  const decoded = upConfigFrom(await decodeConfig<UpFile>('up', values));
  if (typeof decoded === 'string') throw new UsageError(decoded);
  let stop = (): Promise<void> => Promise.resolve();
  const ready = onStop(() => void stop().then(() => process.exit(130)));
  const mesh = await started(
    launchMesh(decoded, {
      onBegin: (all) => (stop = all),
      program: {
        program: process.execPath,
        arguments: ['--require', join(__dirname, '..', 'up', 'parent-guard.js'), join(installed, 'bin', 'meshwright.js')],
      },
      say: (line) => context.out.note(line),
      onExit: (name, how) => context.out.note(`${name} ended: ${how}`),
    }),
  );
  ready();
  return serveUntilStopped(
    context,
    { close: () => mesh.stop() },
    {
      statusPage: mesh.statusUrl,
      admin: mesh.adminUrl,
      adminTokenFile: mesh.adminTokenFile,
      pushHook: mesh.hookUrl,
      pushHookSecretFile: join(mesh.dir, 'webhook-secret'),
      operatorTokenFile: mesh.operatorTokenFile,
      logs: join(mesh.dir, 'logs'),
    },
  );
};
