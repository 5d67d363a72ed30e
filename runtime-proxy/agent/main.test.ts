import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { silentLog } from '../../platform/log';
import { runAgent } from './main';

test.each([{ connections: 0 }, { connections: 1.5 }, { heap: 1_000 }])(
  'an agent takes no limits that let nothing through: %j',
  async (limits) => {
    const nowhere = path.join(os.tmpdir(), 'meshwright-agent-that-is-never-started');
    const config = {
      ...{ instance: 'a-1', workload: 'shop/a', trustDomain: 'mesh.test', controlPlane: { host: '127.0.0.1', port: 1 } },
      ...{ ca: { address: '127.0.0.1:1', trustFile: nowhere }, joinTokenFile: nowhere, runDir: nowhere, limits },
    };
    await expect(runAgent(config, { log: silentLog })).rejects.toThrow(/`limits\.(heap|connections)` is a whole number, at least/);
  },
);

test('an agent keeps out of a folder that others can enter: who reaches its sockets has the workload’s key', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-agent-'));
  const runDir = path.join(folder, 'run');
  try {
    await fs.mkdir(runDir);
    await fs.chmod(runDir, 0o755);
    const starting = runAgent(
      {
        instance: 'a-1',
        workload: 'shop/a',
        trustDomain: 'mesh.test',
        controlPlane: { host: '127.0.0.1', port: 1 },
        ca: { address: '127.0.0.1:1', trustFile: path.join(folder, 'trust.pem') },
        joinTokenFile: path.join(folder, 'join'),
        runDir,
        envoy: '/bin/false',
      },
      { log: silentLog },
    );
    await expect(starting).rejects.toThrow(`others can enter ${runDir}`);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});
