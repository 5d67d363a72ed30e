/**
 * From `git push` to real Envoys and back: the loop, the signer, the CA, the control plane, the agents are processes of the compiled product; Git is
 * served by git's own http-backend; Pulumi's engine puts the releases out. The loop is killed wherever it happens to be.
 */
import { cpSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchMesh, type RunningMesh } from '../../cli/up/launch';
import type { WorkloadKey } from '../../core/mesh/ids';
import type { GitopsStatus } from '../../gitops/status/status';
import { freePorts } from '../../platform/ports';
import { runCommand } from '../../platform/process';
import type { Instance } from '../../runtime-proxy/inventory';
import { startRepository, type WorkingCopy } from '../kit/git-server';

// each commit that is waited for may take `until` twice
jest.setTimeout(900_000);

const root = join(__dirname, '..', '..');
const undo: (() => Promise<void>)[] = [];
let mesh: RunningMesh;
let work: WorkingCopy;
let ask: () => Promise<string>;

beforeAll(async () => {
  const repository = await startRepository();
  undo.push(repository.close);
  work = repository.work;
  cpSync(join(root, 'policies'), join(work.dir, 'policies'), { recursive: true });
  writeFileSync(
    join(work.dir, 'package.json'),
    JSON.stringify({ name: 'acme-mesh', private: true, imports: { '#*': './policies/*/public.ts' } }),
  );
  await work.push({}, { message: 'the mesh' });

  const instances: Instance[] = [];
  const ports = [...(await freePorts(9))];
  const address = (): { host: string; port: number } => ({ host: '127.0.0.1', port: ports.pop() ?? 0 });
  for (const [id, workload, version] of [
    ['productpage-1', 'productpage', null],
    ['reviews-v1-1', 'reviews', 'v1'],
    ['reviews-v3-1', 'reviews', 'v3'],
  ] as const) {
    const app = address();
    const server = http.createServer((_request, response) => response.end(version ?? 'page'));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(app.port, app.host, resolve));
    undo.push(() => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))));
    instances.push({
      id,
      workload: `bookinfo/${workload}` as WorkloadKey,
      app: { web: app },
      inbound: { web: address() },
      outbound: address(),
      ...(version ? { version } : {}),
    });
  }
  const dir = await mkdtemp(join(tmpdir(), 'mw-'));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  mesh = await launchMesh(
    {
      dir,
      trustDomain: 'acme.example',
      environment: 'prod',
      inventory: { instances },
      repositoryUrl: repository.server.url,
      accounts: { 'bookinfo/productpage': 'bookinfo/bookinfo-productpage', 'bookinfo/reviews': 'bookinfo/bookinfo-reviews' },
    },
    { program: { program: process.execPath, arguments: [join(root, 'bin', 'meshwright.js')] }, say: () => undefined },
  );
  undo.push(() => mesh.stop());
  repository.server.setHook({ url: mesh.hookUrl, secret: mesh.hookSecret });
  const outbound = instances[0]?.outbound;
  ask = () =>
    new Promise((resolve) => {
      const request = http.get(
        { host: outbound?.host, port: outbound?.port, path: '/reviews/7', headers: { host: 'reviews:9080' }, agent: false },
        (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => (body += chunk.toString()));
          response.on('end', () => resolve(response.statusCode === 200 ? body : `${response.statusCode} ${body.trim()}`));
        },
      );
      request.on('error', (error) => resolve(error.message));
    });
  await settled(await head());
});
afterAll(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const head = async (): Promise<string> => (await work.git('rev-parse', 'HEAD')).trim();

async function until(holds: (status: GitopsStatus) => boolean, limitMs = 120_000): Promise<GitopsStatus> {
  const end = performance.now() + limitMs;
  let last: GitopsStatus | null = null;
  while (performance.now() < end) {
    last = (await mesh.loop().catch(() => null)) as GitopsStatus | null;
    if (last && holds(last)) return last;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(
    `the loop did not get there: ${JSON.stringify({ trouble: last?.trouble, head: last?.head, quarantined: last?.quarantined, attempts: last?.attempts.slice(0, 2) }, null, 1)?.slice(0, 3_000)}`,
  );
}
const settled = (commit: string): Promise<GitopsStatus> =>
  until((status) =>
    status.attempts.some((a) => a.commit === commit && a.outcome !== null && !['failed', 'interrupted', 'superseded'].includes(a.outcome)),
  );

async function routes(to: string, extra = ''): Promise<string> {
  const file = join('policies', 'books', 'traffic.policy.ts');
  const before = await readFile(join(work.dir, file), 'utf8');
  return work.push({
    [file]: `${before.replace(/otherwise: \{\n {4}to: .*,\n/, `otherwise: {\n    to: ${to},\n`).replace(/\/\/ note.*\n/g, '')}${extra}`,
  });
}
/** Asks all the time; answers what came back that was none of `good`. */
function traffic(good: readonly string[]): () => Promise<readonly string[]> {
  const bad: string[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const answer = await ask();
      if (!good.includes(answer)) bad.push(answer);
    }
  })();
  return async () => {
    stopped = true;
    await running;
    return bad;
  };
}

test('a push is live, with a time for each leg', async () => {
  expect(await ask()).toBe('v1');
  const status = await settled(await routes("'v3'"));
  const [attempt] = status.attempts;
  expect(attempt).toMatchObject({ outcome: 'live', trigger: 'push', diagnostics: [] });
  expect(attempt?.summary).toContain('nobody gains a call, nobody loses one');
  expect(Object.keys(attempt?.legs ?? {}).sort()).toEqual([
    'compile',
    'converge',
    'diff',
    'fetch',
    'preview',
    'sign',
    'update',
    'validate',
  ]);
  expect(await ask()).toBe('v3');
  console.info(JSON.stringify(attempt?.legs));
});

test('a second mesh on the same folder is refused in one line, and changes nothing of the first', async () => {
  const file = join(mesh.dir, 'second.json');
  const other = { trustDomain: 'other.example', environment: 'dev', repositoryUrl: 'http://127.0.0.1:1/x.git' };
  await writeFile(file, JSON.stringify({ dir: mesh.dir, ...other, accounts: {}, inventory: { instances: [] } }));
  const written = async (): Promise<readonly string[]> =>
    Promise.all(
      ['ca.json', 'gitops.json', 'inventory.json', 'keys.json', 'operator-token', 'webhook-secret', 'trust.json'].map((name) =>
        readFile(join(mesh.dir, name), 'utf8'),
      ),
    );
  const before = await written();
  const second = await runCommand(process.execPath, [join(root, 'bin', 'meshwright.js'), 'up', '--config', file], { timeoutMs: 120_000 });
  expect(second).toMatchObject({ code: 2, stderr: `meshwright: a mesh runs on ${mesh.dir} already: pid ${process.pid}\n` });
  expect(await written()).toEqual(before);
});

test('a commit of comments only makes no release and moves no proxy', async () => {
  const before = await mesh.rollout();
  expect((await settled(await routes("'v3'", '// note: nothing else\n'))).attempts[0]?.outcome).toBe('unchanged');
  const after = await mesh.rollout();
  expect(after.generation).toBe(before.generation);
  expect(after.proxies.map((proxy) => proxy.responses)).toEqual(before.proxies.map((proxy) => proxy.responses));
});

test('a bad commit is refused with its place, is not tried again, and the next one is live', async () => {
  const bad = await routes("'v9'");
  const status = await settled(bad);
  expect(status.attempts[0]).toMatchObject({ outcome: 'refused', phase: 'compile' });
  expect(status.attempts[0]?.diagnostics[0]).toMatchObject({
    severity: 'error',
    span: { file: 'books/traffic.policy.ts', line: expect.any(Number) },
  });
  expect(status.quarantined.map((one) => one.commit)).toContain(bad);
  expect(await ask()).toBe('v3');
  expect((await settled(await routes("'v1'"))).attempts[0]?.outcome).toBe('live');
  expect(await ask()).toBe('v1');
});

test('a rollback is a higher release of what was there, and holds the branch', async () => {
  await settled(await routes("'v3'"));
  const before = await mesh.rollout();
  // Git is served by this process meanwhile
  const cli = async (...args: string[]): Promise<unknown> => {
    const place = ['--admin', mesh.statusUrl, '--token-file', mesh.operatorTokenFile, '--json'];
    const all = [join(root, 'bin', 'meshwright.js'), 'rollout', ...args, ...place];
    return JSON.parse((await runCommand(process.execPath, all, { timeoutMs: 240_000 })).stdout);
  };
  expect(await cli('rollback', '--reason', 'v3 is slow')).toMatchObject({ ok: true, answer: { outcome: 'live' } });
  expect((await mesh.rollout()).generation).toBe(before.generation + 1);
  expect(await ask()).toBe('v1');
  expect((await until(() => true)).quarantined.map((one) => one.commit)).toContain(await head());
  const held = await head();
  await cli('retry', held);
  await until(
    (status) => status.attempts[0]?.commit === held && status.attempts[0].trigger === 'retry' && status.attempts[0].outcome === 'live',
  );
  expect(await ask()).toBe('v3');
});

test('killed at any moment the loop comes back and ends at the newest commit; no request is lost', async () => {
  const loop = mesh.supervisor.get('gitops');
  const stop = traffic(['v1', 'v3']);
  const killedAt: string[] = [];
  for (const [index, leg] of ['compile', 'update', 'converge', 'compile', 'update', 'converge'].entries()) {
    const before = loop?.pid();
    const commit = await routes(index % 2 === 0 ? "'v1'" : "'v3'");
    const seen = await until(
      (status) => status.inFlight?.phase === leg || status.attempts.some((a) => a.commit === commit && a.outcome !== null),
    );
    killedAt.push(seen.inFlight?.phase ?? 'done');
    if (before) process.kill(before, 'SIGKILL');
    await until(() => loop?.pid() !== before);
    const status = await settled(commit);
    expect(status.attempts.find((a) => a.commit === commit && (a.outcome === 'live' || a.outcome === 'unchanged'))).toBeDefined();
    expect(await ask()).toBe(index % 2 === 0 ? 'v1' : 'v3');
    const rollout = await mesh.rollout();
    expect(rollout.state).toMatch(/converged|idle/);
  }
  console.info(`killed at ${killedAt.join(', ')}`);
  expect(await stop()).toEqual([]);
});
