import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import type { MeshObject } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import { createLog } from '../../platform/log';
import { endOrphan } from '../../platform/process';
import { runAgent } from '../../runtime-proxy/agent/main';
import { edgePrincipal, meshWithGateway, objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';
import { eventually } from '../kit/layered-mesh';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { settles } from '../kit/settles';

jest.setTimeout(600_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
  { id: 'reviews-2', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v2', ports: ['web'] },
];
const log = process.env['MESHWRIGHT_LOG'] === undefined ? {} : { log: createLog('e2e') };
const host = 'reviews.shop:9080';
const keepAlive = (): http.Agent => new http.Agent({ keepAlive: true, maxSockets: 1 });
const isConverged = (generation: number) => (status: { readonly state: string; readonly generation: number }) =>
  status.state === 'converged' && status.generation === generation;
const responsesOf = (
  status: { readonly proxies: readonly { readonly instance: string; readonly responses: number }[] },
  id: string,
): number => status.proxies.find((proxy) => proxy.instance === id)?.responses ?? -1;

/** Requests one after another until told to stop; every answer that is not 200, and every connection lost, is kept. */
function load(
  mesh: RunningMesh,
  options: { readonly fresh?: boolean } = {},
): { sent(more: number): Promise<void>; stop(): Promise<readonly string[]> } {
  const bad: string[] = [];
  let sent = 0;
  let running = true;
  const agent = keepAlive();
  const loop = (async () => {
    while (running) {
      sent += 1;
      await mesh.call('page-1', host, `/load/${sent}`, options.fresh ? {} : { agent }).then(
        ({ status, body }) => status === 200 || bad.push(`${status} ${body}`),
        (error: Error) => bad.push(error.message),
      );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  return {
    async sent(more) {
      for (const until = sent + more; sent < until;) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    async stop() {
      running = false;
      await loop;
      agent.destroy();
      return bad;
    },
  };
}

describe.each(['delta', 'state-of-the-world'] as const)('real Envoys under one control plane, %s', (xds) => {
  let mesh: RunningMesh;
  let generation = 0;
  const release = async (objects: readonly MeshObject[]): Promise<void> => {
    const { status, json } = await mesh.release(objects);
    expect([status, json]).toMatchObject([202, {}]);
    generation += 1;
  };
  beforeAll(async () => {
    mesh = await runMesh(workloads, { ...log, xds });
    await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
  });
  afterAll(() => mesh?.stop());

  test('without a release every proxy denies everything; with one it becomes active and traffic flows', async () => {
    await mesh.until(
      'all connected, and not configured',
      ({ proxies }) => proxies.filter(({ connected, lastError }) => connected && lastError?.startsWith('unconfigured')).length === 3,
    );
    await expect(mesh.call('page-1', host, '/reviews/7')).rejects.toThrow('ECONNREFUSED');
    await release(objectsOf(smallMesh()));
    await mesh.until('converged', isConverged(generation));
    expect(await mesh.call('page-1', host, '/reviews/7')).toMatchObject({
      status: 200,
      body: expect.stringMatching(/^reviews-[12] \/reviews\/7$/),
    });
  });

  test('the callee takes mTLS only', async () => {
    const port = mesh.inventory.instances.find((one) => one.id === 'reviews-1')?.inbound['web']?.port ?? 0;
    const refusal = await new Promise<string>((resolve) => {
      const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
        socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
      );
      socket.on('error', (error) => resolve(error.message));
      socket.on('data', (data) => resolve(`answered ${data.toString()}`));
      socket.on('close', () => resolve('closed'));
    });
    expect(refusal).toMatch(/certificate required|handshake|closed|ECONNRESET|EPIPE/);
    expect(
      await new Promise((resolve) =>
        http.get({ host: '127.0.0.1', port }, () => resolve('answered')).on('error', () => resolve('refused')),
      ),
    ).toBe('refused');
  });

  test('an access revoked while a keep-alive connection is in use denies the very next request on it, and only who is concerned hears of it', async () => {
    const agent = keepAlive();
    const once = () => mesh.call('page-1', host, '/reviews/7', { agent });
    expect((await once()).status).toBe(200);
    const before = await mesh.status();
    await release(objectsOf(smallMesh({ allowed: false })));
    const after = await mesh.until('converged', isConverged(generation));
    expect(await once()).toEqual({ status: 403, body: expect.stringContaining('reviews') });
    expect(responsesOf(after, 'page-1')).toBe(responsesOf(before, 'page-1'));
    await release(objectsOf(smallMesh()));
    await mesh.until('converged', isConverged(generation));
    expect((await once()).status).toBe(200);
    agent.destroy();
  });

  test('the same objects again move no proxy', async () => {
    const before = await mesh.status();
    await release(objectsOf(smallMesh()));
    const after = await mesh.until('converged', isConverged(generation));
    for (const { id } of workloads) expect([id, responsesOf(after, id)]).toEqual([id, responsesOf(before, id)]);
  });

  test('new clusters come before the routes to them and old ones go after: no request fails', async () => {
    const running = [load(mesh), load(mesh, { fresh: true })];
    for (const split of [{ v1: 100 }, { v1: 50, v2: 50 }, { v2: 100 }]) {
      await release(objectsOf(smallMesh({ split })));
      await mesh.until('converged', isConverged(generation));
      await Promise.all(running.map((one) => one.sent(20)));
    }
    for (let i = 0; i < 4; i += 1) expect((await mesh.call('page-1', host, '/x')).body).toBe('reviews-2 /x');
    await release(objectsOf(smallMesh()));
    await mesh.until('converged', isConverged(generation));
    expect(await Promise.all(running.map((one) => one.stop()))).toEqual([[], []]);
  });

  test('an endpoint change reaches the callers by EDS alone', async () => {
    const before = await mesh.status();
    await mesh.writeInventory({ instances: mesh.inventory.instances.filter((one) => one.id !== 'reviews-2') });
    const after = await mesh.until('the caller was told', (status) => responsesOf(status, 'page-1') > responsesOf(before, 'page-1'));
    expect(responsesOf(after, 'page-1')).toBe(responsesOf(before, 'page-1') + 1);
    await mesh.until(
      'it is active',
      (status) => status.proxies.find((proxy) => proxy.instance === 'page-1')?.parts.outbound.phase === 'active',
    );
    const six = () => Promise.all(Array.from({ length: 6 }, () => mesh.call('page-1', host, '/x').then(({ body }) => body)));
    await settles(
      six,
      Array.from({ length: 6 }, () => 'reviews-1 /x'),
    );
    await mesh.writeInventory(mesh.inventory);
    await mesh.until('told again', (status) => responsesOf(status, 'page-1') > responsesOf(after, 'page-1'));
  });

  test.each([
    [
      'routes',
      (object: MeshObject): MeshObject =>
        object.kind === 'ServiceConfig'
          ? { ...object, spec: { ...object.spec, virtualHost: { ...object.spec.virtualHost, domains: ['*', '*'] } } }
          : object,
    ],
    // one good cluster and a bad one in the same response: Envoy applies the good one and rejects the response
    [
      'clusters',
      (object: MeshObject): MeshObject =>
        object.kind === 'ServiceConfig'
          ? {
              ...object,
              spec: {
                ...object.spec,
                clusters: [
                  { ...object.spec.clusters[0], connectTimeout: '3s' },
                  { name: 'bad', type: 'EDS', connectTimeout: '1s' },
                ],
              },
            }
          : object,
    ],
  ])('what Envoy rejects (%s) is brought back to stable everywhere, and the status says what happened', async (_what, spoil) => {
    const running = load(mesh);
    await release(objectsOf(smallMesh()).map(spoil));
    const status = await mesh.until('aborted', (now) => now.state === 'aborted' && now.generation === generation);
    expect(status.message).toContain('`page-1` rejected its outbound configuration');
    await mesh.until('back to stable', (now) =>
      now.proxies.every((proxy) => proxy.parts.outbound.phase === 'active' && proxy.parts.outbound.set === 'stable'),
    );
    const config = await mesh.admin('GET', '/v1/proxies/page-1/config');
    expect(JSON.stringify(config.json)).not.toContain('"bad"');
    expect(await running.stop()).toEqual([]);
    await release(objectsOf(smallMesh()));
    await mesh.until('a good release after it converges', isConverged(generation));
  });

  test('what does not verify, follow or exist is refused with a diagnostic', async () => {
    const { signed } = await mesh.release(objectsOf(smallMesh()));
    generation += 1;
    await mesh.until('converged', isConverged(generation));
    const put = (change: object) => mesh.admin('PUT', '/v1/release', { ...signed, ...change });
    const forged = signed.jws.replace(/\.(.)([^.]*)$/, (_, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`);
    expect(await put({ jws: forged })).toMatchObject({
      status: 422,
      json: { diagnostics: [{ code: expect.stringMatching(/^MW60/) }] },
    });
    expect(await put({ release: { ...signed.release, commit: 'd'.repeat(40) } })).toMatchObject({ status: 422 });
    expect(await mesh.release(objectsOf(smallMesh()), { generation: 1 })).toMatchObject({ status: 422 });
    expect(await mesh.release([], { candidate: { 'ProxyConfig/shop/page': `sha256:${'0'.repeat(64)}` } as never })).toMatchObject({
      status: 422,
      json: { diagnostics: [{ code: 'MW9003' }] },
    });
    const digest = Object.values(signed.release.candidate)[0];
    expect(await mesh.admin('DELETE', `/v1/objects/${digest}`)).toMatchObject({ status: 409, json: { diagnostics: [{ code: 'MW9004' }] } });
    expect(await mesh.admin('PUT', `/v1/objects/sha256:${'0'.repeat(64)}`, {})).toMatchObject({ status: 422 });
    expect(await put({})).toMatchObject({ status: 202 });
  });

  test('waves: the first moves its share and is held; promote lets it finish, abort brings all back; watchers see each state', async () => {
    const seen: string[] = [];
    const token = (await fs.readFile(mesh.controlPlaneConfig.adminTokenFile, 'utf8')).trim();
    const watching = new AbortController();
    const events = await fetch(`${mesh.adminUrl}/v1/status?watch=1`, {
      headers: { authorization: `Bearer ${token}` },
      signal: watching.signal,
    });
    const reading = (async () => {
      let text = '';
      for await (const chunk of events.body ?? []) {
        text += Buffer.from(chunk).toString('utf8');
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const line = text
            .slice(0, end)
            .split('\n')
            .find((one) => one.startsWith('data: '));
          text = text.slice(end + 2);
          const status: { readonly state: string } = JSON.parse(line?.slice('data: '.length) ?? '{}');
          if (seen.at(-1) !== status.state) seen.push(status.state);
        }
      }
    })().catch(() => undefined);
    const movedOf = (status: RolloutStatus): number =>
      status.proxies.filter((proxy) => proxy.workload === 'shop/reviews' && proxy.parts.inbound.set === 'candidate').length;
    const rolled = async (allowed: boolean): Promise<RolloutStatus> => {
      await mesh.release(objectsOf(smallMesh({ allowed })), { waves: [50, 100], holdMs: 3_600_000 });
      generation += 1;
      return mesh.until('held', (status) => status.state === 'holding' && status.generation === generation);
    };
    expect(movedOf(await rolled(false))).toBe(1);
    expect(await mesh.release(objectsOf(smallMesh()))).toMatchObject({ status: 422, json: { diagnostics: [{}] } });
    await mesh.admin('POST', '/v1/rollout/promote');
    expect(movedOf(await mesh.until('converged', isConverged(generation)))).toBe(2);
    for (const verb of ['promote', 'abort'])
      expect(await mesh.admin('POST', `/v1/rollout/${verb}`, { reason: 'too late' })).toMatchObject({ status: 409 });
    await rolled(true);
    await mesh.admin('POST', '/v1/rollout/abort', { reason: 'we changed our mind' });
    const { message } = await mesh.until(
      'back',
      (status) =>
        status.state === 'aborted' && movedOf(status) === 0 && status.proxies.every((proxy) => proxy.parts.inbound.phase === 'active'),
    );
    expect(message).toContain('we changed our mind');
    expect((await mesh.call('page-1', host, '/x')).status).toBe(403);
    await release(objectsOf(smallMesh()));
    await mesh.until('converged', isConverged(generation));
    const unseen = (): readonly string[] => ['rolling', 'holding', 'converged', 'aborted'].filter((state) => !seen.includes(state));
    expect(await eventually(unseen, ({ length }) => length === 0)).toEqual([]);
    watching.abort();
    await reading;
  });

  test('twenty rotations of every certificate under load fail no request', async () => {
    const running = [load(mesh), load(mesh, { fresh: true })];
    for (let i = 0; i < 20; i += 1) {
      await Promise.all([...mesh.agents.values()].map((agent) => agent.rotate()));
      await Promise.all(running.map((one) => one.sent(2)));
    }
    expect(await Promise.all(running.map((one) => one.stop()))).toEqual([[], []]);
  });
});

describe('a gateway', () => {
  test('gets the certificate of its listener from the CA, for its host and nobody else', async () => {
    const gateway = { id: 'edge-1', workload: 'shop/edge', principal: edgePrincipal, ports: [], listeners: ['https'] };
    const mesh = await runMesh([...workloads.slice(0, 2), gateway], {
      ...log,
      certificates: { 'shop/edge-cert': { hosts: ['shop.example'], principals: [edgePrincipal] } },
    });
    try {
      await Promise.all(['page-1', 'reviews-1', 'edge-1'].map((id) => mesh.startAgent(id)));
      await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3);
      await mesh.release(objectsOf(meshWithGateway()));
      await mesh.until('converged', isConverged(1));
      const listener = mesh.inventory.instances.find((one) => one.id === 'edge-1')?.listeners?.['https'];
      const trust = await fs.readFile(mesh.ca.trustFile);
      const get = (servername: string, name: string): Promise<string> =>
        new Promise((resolve, reject) => {
          const call = https.get(
            { ...listener, servername, ca: trust, path: '/reviews/7', headers: { host: name }, agent: false },
            (response) => {
              response.resume();
              response.on('end', () => resolve(String(response.statusCode)));
            },
          );
          call.on('error', reject);
        });
      expect(await get('shop.example', 'shop.example')).toBe('200');
      expect(await get('shop.example', 'other.example')).toBe('421');
      await expect(get('other.example', 'other.example')).rejects.toThrow();
    } finally {
      await mesh.stop();
    }
  });
});

describe('bad luck on the machine', () => {
  test('a listener whose port is taken is one clear line in the status, and a release after it is free converges', async () => {
    const mesh = await runMesh(workloads.slice(0, 2), log);
    const port = mesh.inventory.instances.find((one) => one.id === 'reviews-1')?.inbound['web']?.port ?? 0;
    const squatter = net.createServer((socket) => socket.destroy());
    try {
      await new Promise<void>((resolve, reject) => squatter.once('error', reject).listen(port, '127.0.0.1', resolve));
      await mesh.startAgent('page-1');
      await mesh.startAgent('reviews-1');
      await mesh.until('both connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 2);
      await mesh.release(objectsOf(smallMesh()));
      const { message } = await mesh.until('aborted', (status) => status.state === 'aborted');
      expect(message).toMatch(
        new RegExp(`\`reviews-1\` rejected its inbound configuration: .*cannot bind '127.0.0.1:${port}': Address already in use`),
      );
      await new Promise((resolve) => squatter.close(resolve));
      await mesh.release(objectsOf(smallMesh()));
      await mesh.until('converged', isConverged(2));
    } finally {
      squatter.close();
      await mesh.stop();
    }
  });

  test('an Envoy that dies is started again and becomes active; one that cannot run is given up on with its own words', async () => {
    const mesh = await runMesh(workloads.slice(0, 2), log);
    try {
      const agent = await mesh.startAgent('page-1');
      await mesh.startAgent('reviews-1');
      await mesh.until('both connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 2);
      await mesh.release(objectsOf(smallMesh()));
      await mesh.until('converged', isConverged(1));
      const pid = agent.envoyPid();
      if (pid === null) throw new Error('no Envoy');
      process.kill(pid, 'SIGKILL');
      await mesh.until('there is another', () => ![null, pid].includes(agent.envoyPid()));
      const status = (): Promise<number> =>
        mesh.call('page-1', host, '/x').then(
          (answer) => answer.status,
          () => 0, // it does not listen yet
        );
      await settles(status, 200);
      await mesh.until('active again', ({ proxies }) =>
        proxies.some((proxy) => proxy.instance === 'page-1' && proxy.connected && proxy.parts.outbound.phase === 'active'),
      );
      const broken = await runAgent({
        ...(await mesh.agentConfig('reviews-1')),
        instance: 'reviews-1',
        runDir: path.join(mesh.folder, 'broken'),
        envoyLogLevel: 'nonsense',
      });
      expect(await broken.failed).toContain('it ended with code 1');
      await broken.close();
    } finally {
      await mesh.stop();
    }
  });
});

describe('servers that are killed', () => {
  const main = path.join(__dirname, '../../dist/runtime-proxy');
  const start = (module: string, entry: string, config: unknown): ChildProcess =>
    spawn(
      process.execPath,
      [
        '-e',
        `require(${JSON.stringify(path.join(main, module))}).${entry}(JSON.parse(process.argv[1])).catch((error) => { console.error(error); process.exit(2); })`,
        JSON.stringify(config),
      ],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, MESHWRIGHT_LOG: 'error' },
      },
    );
  const kill = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });

  test.each(['delta', 'state-of-the-world'] as const)(
    'the control plane (%s), at any moment of a roll-out: traffic goes on, and the release ends converged',
    async (xds) => {
      const mesh = await runMesh(workloads, { ...log, xds, external: true });
      let controlPlane = start('control-plane/main', 'serveControlPlane', mesh.controlPlaneConfig);
      try {
        await mesh.until('up', () => true);
        await Promise.all(workloads.map(({ id }) => mesh.startAgent(id)));
        await mesh.release(objectsOf(smallMesh()));
        await mesh.until('converged', isConverged(1));
        const running = load(mesh);
        for (let turn = 0; turn < 6; turn += 1) {
          const { status } = await mesh.release(objectsOf(smallMesh({ split: turn % 2 === 0 ? { v1: 100 } : { v1: 50, v2: 50 } })), {
            waves: [50, 100],
            holdMs: 40,
          });
          expect(status).toBe(202);
          await new Promise((resolve) => setTimeout(resolve, 25 * turn));
          await kill(controlPlane);
          controlPlane = start('control-plane/main', 'serveControlPlane', mesh.controlPlaneConfig);
          await mesh.until(`converged after kill ${turn}`, isConverged(2 + turn));
        }
        // Nor does an inventory that is broken just then: the last good one is kept.
        await kill(controlPlane);
        await fs.writeFile(mesh.controlPlaneConfig.inventoryFile, '{"instances":');
        controlPlane = start('control-plane/main', 'serveControlPlane', mesh.controlPlaneConfig);
        await mesh.until('active again', (status) =>
          workloads.every(({ id }) => status.proxies.find((proxy) => proxy.instance === id)?.parts.inbound.phase === 'active'),
        );
        // Nor one that has lost its release.
        await kill(controlPlane);
        await fs.rm(path.join(mesh.controlPlaneConfig.stateDir, 'live.json'));
        controlPlane = start('control-plane/main', 'serveControlPlane', mesh.controlPlaneConfig);
        const { message } = await mesh.until(
          'connected again',
          (status) =>
            status.state === 'idle' && workloads.every(({ id }) => status.proxies.find((proxy) => proxy.instance === id)?.connected),
        );
        expect(message).toContain('proxies keep what they have');
        for (let turn = 0; turn < 20; turn += 1) {
          expect((await mesh.call('page-1', host, '/x')).status).toBe(200);
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
        expect(await running.stop()).toEqual([]);
      } finally {
        await kill(controlPlane);
        await mesh.stop();
      }
    },
  );

  test('an agent: its Envoy serves on, and a new agent ends that orphan and only that', async () => {
    const mesh = await runMesh(workloads, log);
    let agent: ChildProcess | null = null;
    try {
      await mesh.startAgent('reviews-1');
      await mesh.startAgent('reviews-2');
      agent = start('agent/main', 'runAgent', await mesh.agentConfig('page-1'));
      await mesh.until('all connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3);
      await mesh.release(objectsOf(smallMesh()));
      await mesh.until('converged', isConverged(1));
      await expect(runAgent(await mesh.agentConfig('page-1'))).rejects.toThrow(/an agent runs in .* already: pid/);
      await kill(agent);
      await mesh.until('it is gone', ({ proxies }) => proxies.some((proxy) => proxy.instance === 'page-1' && !proxy.connected));
      await fs.rm(path.join(mesh.folder, 'run-page-1', 'envoy.pid')); // killed between start and note: the orphan is found by what it runs with
      for (let i = 0; i < 20; i += 1) expect((await mesh.call('page-1', host, '/x')).status).toBe(200);
      const others = [...mesh.agents.values()].map((one) => one.envoyPid());
      agent = start('agent/main', 'runAgent', await mesh.agentConfig('page-1'));
      await mesh.until('active again', (status) =>
        status.proxies.some(
          (proxy) => proxy.instance === 'page-1' && proxy.connected && proxy.parts.outbound.phase === 'active' && proxy.responses >= 4,
        ),
      );
      expect((await mesh.call('page-1', host, '/x')).status).toBe(200);
      expect([...mesh.agents.values()].map((one) => one.envoyPid())).toEqual(others);
    } finally {
      if (agent) {
        agent.kill('SIGTERM');
        await kill(agent);
        // the agent was killed: its Envoy is an orphan, which the pid file names
        await endOrphan(path.join(mesh.folder, 'run-page-1', 'envoy.pid'));
      }
      await mesh.stop();
    }
  });
});
