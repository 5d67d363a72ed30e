/** An agent whose machine fails it: a port that is taken, a folder that takes no file. What it began it ends, and an Envoy that it has it looks after. */
import * as fs from 'node:fs';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { startTimeOf } from '../../platform/process';
import { runAgent } from '../../runtime-proxy/agent/main';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { pagePrincipal } from '../kit/small-mesh';

jest.setTimeout(120_000);
let mesh: RunningMesh;
beforeEach(async () => {
  mesh = await runMesh([{ id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] }]);
});
afterEach(() => mesh.stop());

async function until<T>(look: () => T | null): Promise<T> {
  for (const end = performance.now() + 60_000; ;) {
    const found = look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error('not so after a minute');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
/** Processes that run with this file as their bootstrap. */
const envoysOf = (bootstrap: string): readonly string[] =>
  fs.readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(bootstrap);
    } catch {
      return false; // it has ended
    }
  });

test('an agent that cannot begin leaves nothing behind: no Envoy, no socket, nobody who says that an agent runs', async () => {
  const taken = net.createServer();
  await new Promise<void>((resolve, reject) => taken.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo; // a TCP server that listens has one
  try {
    const config = await mesh.agentConfig('page-1');
    await expect(runAgent({ ...config, admin: { host: '127.0.0.1', port } })).rejects.toThrow(`port ${port} on 127.0.0.1 is taken`);
    expect(envoysOf(path.join(config.runDir, 'bootstrap.json'))).toEqual([]);
    expect(fs.readdirSync(config.runDir).filter((name) => /\.(sock|pid)$/.test(name))).toEqual([]);
  } finally {
    taken.close();
  }
});

test('an Envoy that cannot be noted is looked after all the same', async () => {
  const agent = await mesh.startAgent('page-1');
  const noted = path.join((await mesh.agentConfig('page-1')).runDir, 'envoy.pid');
  const another = (than: number | null) => until(() => (agent.envoyPid() === than ? null : agent.envoyPid()));
  const first = await another(null);
  await until(() => fs.existsSync(noted) || null);
  fs.rmSync(noted);
  fs.mkdirSync(path.join(noted, 'in-the-way'), { recursive: true });
  try {
    process.kill(-first, 'SIGKILL');
    const second = await another(first);
    process.kill(-second, 'SIGKILL');
    const third = await another(second);
    expect(await startTimeOf(third)).not.toBeNull();
  } finally {
    fs.rmSync(noted, { recursive: true });
  }
});
