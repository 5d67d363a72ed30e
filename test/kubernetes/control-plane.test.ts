/** The control plane on a real API server, with real Envoys: objects and Release come by the API, convergence goes back by it. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import { meshNamespace } from '../../core/bundle/custom-resource';
import type { RolloutStatus } from '../../core/bundle/status';
import { resources } from '../../platform/kube';
import { createLog, silentLog } from '../../platform/log';
import { serveControlPlane, type ControlPlaneConfig, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { runKubernetesMesh, type KubernetesMesh, type PodSpec } from '../kit/kubernetes-mesh';
import { objectsOf, smallMesh } from '../kit/small-mesh';
import { until } from '../kit/until';

const page: PodSpec = { name: 'page-1', namespace: 'shop', workload: 'page', serviceAccount: 'page', called: false };
const reviews = (n: number): PodSpec => ({
  ...{ name: `reviews-${n}`, namespace: 'shop', workload: 'reviews', serviceAccount: 'reviews' },
  version: `v${n}`,
  called: true,
});
const host = 'reviews.shop:9080';
const log = { log: process.env['MESHWRIGHT_LOG'] === undefined ? silentLog : createLog('e2e') };
const pods = [page, reviews(1), reviews(2)];
let mesh: KubernetesMesh;
let controlPlane: RunningControlPlane;
/** One that runs here, and two that are processes of their own. */
let configs: readonly ControlPlaneConfig[];
const replicas = new Map<string, ChildProcess>();
beforeAll(async () => {
  mesh = await runKubernetesMesh(log);
  configs = await Promise.all([0, 1, 2].map((n) => mesh.controlPlaneConfig(`control-plane-${n}`)));
  for (const pod of pods) await mesh.createPod(pod);
  const [first] = configs;
  if (first) controlPlane = await serveControlPlane(first, log);
  const addresses = configs.map(({ listen }) => `${listen.host}:${listen.port}`);
  for (const pod of pods) await mesh.startAgent(pod, { addresses });
}, 1_800_000);
afterAll(async () => {
  for (const replica of replicas.values()) replica.kill('SIGKILL');
  await controlPlane?.close();
  await mesh?.stop();
});

/** Requests one after another, on one connection and on fresh ones, until told to stop; whatever is not 200 is kept. */
function load(): { stop(): Promise<{ readonly sent: number; readonly bad: readonly string[] }> } {
  const bad: string[] = [];
  let sent = 0;
  let running = true;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const loop = async (own?: http.Agent): Promise<void> => {
    while (running) {
      sent += 1;
      await mesh.call(page, host, `/load/${sent}`, own).then(
        ({ status, body }) => status === 200 || bad.push(`${new Date().toISOString()} ${status} ${body}`),
        (error: Error) => bad.push(`${new Date().toISOString()} ${error.message}`),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  const loops = [loop(agent), loop()];
  return {
    async stop() {
      running = false;
      await Promise.all(loops);
      agent.destroy();
      return { sent, bad };
    },
  };
}

/** Who answers ten requests in a row. */
const answered = async (): Promise<readonly string[]> => {
  const bodies = new Set<string>();
  for (let turn = 0; turn < 10; turn += 1) {
    const { status, body } = await mesh.call(page, host, '/x');
    bodies.add(status === 200 ? (body.split(' ')[0] ?? '') : `${status} ${body}`);
  }
  return [...bodies].sort();
};
const untilAnswered = (wanted: readonly string[]): Promise<void> => {
  let seen: readonly string[] = [];
  return until(
    `${wanted.join()} answer`,
    async () => (seen = await answered().catch((error: Error) => [error.message])).join() === wanted.join(),
    () => seen,
  );
};

describe('one replica', () => {
  test('a Release waits for its objects, says which, and goes on to converged when they are there', async () => {
    const objects = objectsOf(smallMesh());
    const signed = await mesh.release(objects, {}, { putObjects: false });
    const waiting = await mesh.until('waits', ({ conditions }) => conditions?.[0]?.reason === 'ObjectsMissing');
    expect(waiting.message).toMatch(/^generation 1 waits for 3 of its objects: `(Service|Proxy)Config\/shop\//);
    expect(waiting).not.toHaveProperty('converged');
    for (const object of objects) await mesh.put(object);
    const done = await mesh.until('converged', ({ converged }) => converged === signed.digest);
    expect(done).toMatchObject({ state: 'converged', progress: { phase: { kind: 'converged' } } });
    expect(done.conditions?.map(({ type, status }) => [type, status])).toEqual([
      ['Accepted', 'True'],
      ['Converged', 'True'],
      ['Aborted', 'False'],
    ]);
    await mesh.until('all active', ({ proxies }) => proxies?.total === 3 && proxies.active === 3);
    await untilAnswered(['reviews-1', 'reviews-2']);
  });

  test('a pod that is not ready is not called, and is again when it is; nothing is compiled or released for it', async () => {
    await mesh.setReady(reviews(2), false);
    await untilAnswered(['reviews-1']);
    await mesh.setReady(reviews(2), true);
    await untilAnswered(['reviews-1', 'reviews-2']);
  });
});

describe('two replicas', () => {
  const start = (config: ControlPlaneConfig): void => {
    const main = path.join(__dirname, '../../dist/runtime-proxy/control-plane/main');
    const code = `require(${JSON.stringify(main)}).serveControlPlane(JSON.parse(process.argv[1])).then((served) => process.once('SIGTERM', () => void served.close().then(() => process.exit(0))), (error) => { console.error(error); process.exit(2); })`;
    const env = { ...process.env, MESHWRIGHT_LOG: process.env['MESHWRIGHT_LOG'] ?? 'error' };
    const child = spawn(process.execPath, ['-e', code, JSON.stringify(config)], { stdio: ['ignore', 'ignore', 'inherit'], env });
    replicas.set(config.kubernetes?.identity ?? '', child);
  };
  const end = (identity: string, signal: NodeJS.Signals): Promise<void> =>
    new Promise((resolve) => {
      const child = replicas.get(identity);
      replicas.delete(identity);
      child?.once('exit', () => resolve());
      child?.kill(signal);
    });
  const leader = async (): Promise<string> => {
    const lease = await mesh.kube.get(resources.leases, { namespace: meshNamespace, name: 'control-plane-prod' });
    return (lease?.['spec'] as { readonly holderIdentity?: string } | undefined)?.holderIdentity ?? '';
  };
  const ask = async (identity: string, method: string, where: string, body?: unknown): Promise<{ status: number; json: unknown }> => {
    const config = configs.find((one) => one.kubernetes?.identity === identity);
    if (!config) throw new Error(`no replica ${identity}`);
    const token = (await fs.readFile(config.adminTokenFile, 'utf8')).trim();
    const response = await fetch(`http://127.0.0.1:${config.admin.port}${where}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: JSON.parse(await response.text()) };
  };
  /** How many proxies a replica says are connected: asked of the one that leads, it knows all. */
  const connected = async (identity: string): Promise<number> => {
    // where nobody leads yet that is the answer, and no status
    const { status, json } = await ask(identity, 'GET', '/v1/status').catch(() => ({ status: 0, json: null }));
    return (status === 200 ? (json as RolloutStatus).proxies : []).filter(
      (proxy) => proxy.connected && proxy.parts.inbound.phase === 'active',
    ).length;
  };
  test('one that ends gives the lease back and its proxies go to another; no request fails, and nothing is sent to a proxy that has all', async () => {
    const running = load();
    const [, second, third] = configs;
    if (second) start(second);
    if (third) start(third);
    await until('the others are up', async () => (await connected('control-plane-1')) === 3 && (await connected('control-plane-2')) === 3);
    await controlPlane.close();
    await until('another leads', async () => ['control-plane-1', 'control-plane-2'].includes(await leader()));
    const next = await leader();
    await until('all are there', async () => (await connected(next)) === 3);
    const { json } = await ask(next, 'GET', '/v1/status');
    expect((json as RolloutStatus).proxies.map(({ instance, responses }) => [instance, responses])).toEqual([
      ['page-1.shop', 0],
      ['reviews-1.shop', 0],
      ['reviews-2.shop', 0],
    ]);
    const { sent, bad } = await running.stop();
    expect(bad).toEqual([]);
    expect(sent).toBeGreaterThan(50);
  });

  test('the leader killed in the middle of a roll-out: no request fails, the other one finishes it', async () => {
    const running = load();
    const signed = await mesh.release(objectsOf(smallMesh({ timeoutMs: 603_000 })), { waves: [50, 100], holdMs: 4_000 });
    const held = await mesh.until('held', ({ state, progress }) => state === 'holding' && progress?.release === signed.digest);
    const killed = await leader();
    const other = killed === 'control-plane-1' ? 'control-plane-2' : 'control-plane-1';
    // Asked of any replica, the answer is the leader's.
    await until('it tells', async () => (await connected(other)) === 3);
    await end(killed, 'SIGKILL');
    const done = await mesh.until('converged', ({ converged }) => converged === signed.digest);
    expect([held.writer?.split('/')[0], done.writer?.split('/')[0]]).toEqual([killed, other]);
    await until('all are there', async () => (await connected(other)) === 3);
    expect((await running.stop()).bad).toEqual([]);
  });

  test('a follower passes promote on to the leader', async () => {
    const led = await leader();
    const follower = led === 'control-plane-1' ? 'control-plane-2' : 'control-plane-1';
    const config = configs.find((one) => one.kubernetes?.identity === follower);
    if (config) start(config);
    await until('it is back', async () => (await connected(follower)) === 3);
    const signed = await mesh.release(objectsOf(smallMesh({ timeoutMs: 604_000 })), { waves: [50, 100], holdMs: 600_000 });
    await mesh.until('held', ({ state, progress }) => state === 'holding' && progress?.release === signed.digest);
    expect((await ask(follower, 'PUT', '/v1/release', {})).status).toBe(409);
    expect(await ask(follower, 'POST', '/v1/rollout/promote')).toMatchObject({ status: 202, json: { generation: 3 } });
    await mesh.until('converged', ({ converged }) => converged === signed.digest);
  });

  test('a pod that is gone holds nothing up: its proxy cannot come back', async () => {
    const gone = reviews(2);
    await mesh.agents.get(gone.name)?.close();
    mesh.agents.delete(gone.name);
    await mesh.kube.remove(resources.pods, { namespace: gone.namespace, name: gone.name });
    await mesh.forcePodGone(gone);
    const signed = await mesh.release(objectsOf(smallMesh({ timeoutMs: 604_500 })));
    const done = await mesh.until('converged', ({ converged, proxies }) => converged === signed.digest && proxies?.total === 2);
    expect(done.proxies).toMatchObject({ active: 2, unknown: 0 });
    await untilAnswered(['reviews-1']);
  });

  test('the API server killed and started again under traffic: nothing is noticed, and the next release converges', async () => {
    const running = load();
    await mesh.server.restart();
    const signed = await mesh.release(objectsOf(smallMesh({ timeoutMs: 605_000 })));
    await mesh.until('converged', ({ converged }) => converged === signed.digest);
    expect((await running.stop()).bad).toEqual([]);
  });
});
