/**
 * A control plane that is killed, or stands still, at many moments of releases that change a gateway between networks, while endpoints change: proxies of both
 * protocols, real Envoys, a process of its own. No call is lost, none is let in that policy forbids, and the status is true afterwards.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import * as path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { RolloutStatus } from '../../core/bundle/status';
import { runAgent } from '../../runtime-proxy/agent/main';
import type { Instance } from '../../runtime-proxy/inventory';
import { declarations, domain, principal } from '../kit/between-networks';
import { allow, named } from '../kit/declarations';
import { eventually, lowered } from '../kit/layered-mesh';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf } from '../kit/two-networks';

jest.setTimeout(900_000);
const workloads = [
  { id: 'app', workload: 'bookinfo/app', principal: principal('sa-app'), ports: [] },
  { id: 'gate', workload: 'platform/crossing', principal: principal('crossing', 'platform'), ports: [], listeners: ['east-west'] },
  ...[1, 2].map((index) => ({
    ...{
      id: `back-${index}`,
      workload: 'bookinfo/reviews',
      principal: principal('sa-reviews'),
      version: `v${index}`,
      ports: ['web', 'admin'],
    },
  })),
];
const protocols: { readonly [id: string]: 'delta' | 'state-of-the-world' } = { app: 'state-of-the-world', 'back-2': 'state-of-the-world' };
/** Every other release exports another port, which its caller may call: the gateway and its callers change in an order. */
const released = (turn: number) =>
  objectsOf(
    lowered({
      ...declarations,
      'books/db': null,
      'books/appDb': null,
      'books/dbAcross': null,
      'books/strangerReads': allow('books/reviews', [named('books/stranger')], { requests: [`GET /turn/${turn}`] }),
      ...(turn % 2 === 0
        ? {}
        : {
            'books/adminAcross': { kind: 'export', port: { ref: 'books/reviews', port: 'admin' }, through: [{ ref: 'platform/crossing' }] },
          }),
    }),
  );
const main = path.join(__dirname, '../../dist/runtime-proxy/control-plane/main');
const start = (mesh: RunningMesh): ChildProcess =>
  spawn(
    process.execPath,
    [
      '-e',
      `require(${JSON.stringify(main)}).serveControlPlane(JSON.parse(process.argv[1])).catch((error) => { console.error(error); process.exit(2); })`,
      JSON.stringify(mesh.controlPlaneConfig),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, MESHWRIGHT_LOG: 'error' } },
  );
const kill = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const networks: { readonly [id: string]: string } = { app: 'east' };

test('killed or stopped at any moment: no call is lost, none is let in, and what is said afterwards is so', async () => {
  const mesh = await runMesh(workloads, { external: true, trustDomain: domain });
  const places = (turn: number): readonly Instance[] =>
    mesh.inventory.instances.map((one) => ({
      ...{ ...one, network: networks[one.id] ?? 'west', weight: 1 + (turn % 3) },
      ...(one.id === 'app' && turn % 2 === 1 ? { zone: 'z1' } : {}),
    }));
  await mesh.writeInventory({ instances: places(0) });
  let controlPlane = start(mesh);
  let going = true;
  const answers: string[] = [];
  const load = async (): Promise<void> => {
    for (let count = 0; going; count += 1) {
      const where = count % 5 === 0 ? '/secrets' : '/reviews/7';
      const { status, body } = await mesh
        .call('app', 'reviews.bookinfo:9080', where)
        .catch((error: Error) => ({ status: 0, body: error.message }));
      answers.push(where === '/secrets' ? `${status}` : `${status} ${/^back-\d \/reviews\/7$/.test(body) ? 'back' : body}`);
      await wait(5);
    }
  };
  try {
    await mesh.until('up', () => true);
    for (const { id } of workloads) {
      const xds = protocols[id];
      const agent = await runAgent({ ...(await mesh.agentConfig(id)), ...(xds === undefined ? {} : { xds }) });
      (mesh.agents as Map<string, typeof agent>).set(id, agent);
    }
    expect((await mesh.release(released(0))).status).toBe(202);
    // how far a release came is known to a control plane that comes back before anybody has come back to it
    const everybody = ['app', 'back-1', 'back-2', 'gate'].map((id) => [id, true, 'active', 'active']);
    const told = ({ proxies }: RolloutStatus): readonly unknown[] =>
      proxies.map(({ instance, connected, parts }) => [instance, connected, parts.inbound.phase, parts.outbound.phase]);
    const isConverged = (generation: number) =>
      mesh.until(
        `converged ${generation}, and everybody there and active`,
        (now) => now.state === 'converged' && now.generation === generation && isDeepStrictEqual(told(now), everybody),
        120_000,
      );
    await isConverged(1);
    for (let ok = 0; ok < 10;) ok = (await mesh.call('app', 'reviews.bookinfo:9080', '/reviews/7')).status === 200 ? ok + 1 : 0;
    const running = [load(), load()];
    for (let turn = 1; turn <= 6; turn += 1) {
      expect((await mesh.release(released(turn), { waves: [50, 100], holdMs: 40 })).status).toBe(202);
      await mesh.writeInventory({ instances: places(turn) });
      await wait(20 * turn);
      if (turn % 3 === 0) {
        controlPlane.kill('SIGSTOP');
        await mesh.writeInventory({ instances: places(turn + 1) });
        await wait(3_000);
        controlPlane.kill('SIGCONT');
      } else {
        await kill(controlPlane);
        await mesh.writeInventory({ instances: places(turn + 1) });
        controlPlane = start(mesh);
      }
      await isConverged(1 + turn);
      // the gateway is called for a port once it has it
      const wanted = turn % 2 === 0 ? 503 : 200;
      const admin = await eventually(
        () => mesh.call('app', 'reviews.bookinfo:9090', '/x'),
        ({ status }) => status === wanted,
      );
      expect([turn, admin.status]).toEqual([turn, wanted]);
    }
    going = false;
    await Promise.all(running);
    const counts: { [answer: string]: number } = {};
    for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
    expect(Object.keys(counts).sort()).toEqual(['200 back', '403']);
  } finally {
    going = false;
    await kill(controlPlane);
    await mesh.stop();
  }
});
