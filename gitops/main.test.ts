import { createHmac, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBlob } from 'isomorphic-git';
import { systemClock } from '../platform/clock';
import { silentLog } from '../platform/log';
import { SimulatedWorld, type SimulatedCommit } from '../test/kit/simulated-world';
import { startRepository } from '../test/kit/git-server';
import type { GitopsConfig } from './config';
import { GitopsRefused, serveGitops, type GitopsOptions, type RunningGitops } from './main';
import type { LoopDeps } from './reconcile/deps';
import { defaultLimits, openStore } from './repo/store';
import type { GitopsStatus } from './status/status';

const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
const webhookSecret = 'a-secret-of-the-webhook';
const operatorToken = 'a-token-of-the-operator';

async function secretFile(dir: string, name: string, value: string): Promise<string> {
  await writeFile(join(dir, name), `${value}\n`, { mode: 0o600 });
  return join(dir, name);
}

/** A loop on a real Git server: fetch, receiver and disk are real; compiler, signer and control plane are the simulated world's. */
async function setUp(options: { readonly pollMs?: number } = {}): Promise<Fixture> {
  const repository = await startRepository();
  undo.push(repository.close);
  const dir = await mkdtemp(join(tmpdir(), 'meshwright-gitops-'));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  const world = new SimulatedWorld();
  const config: GitopsConfig = {
    repositoryUrl: repository.server.url,
    environment: 'test',
    stateDir: join(dir, 'state'),
    signerSocket: '/none',
    trustFile: '/none',
    pollMs: options.pollMs ?? 3_600_000,
    webhookSecretFile: await secretFile(dir, 'webhook', webhookSecret),
    operatorTokenFile: await secretFile(dir, 'operator', operatorToken),
    target: { adminUrl: 'http://127.0.0.1:1', tokenFile: '/none', stateDir: dir, stack: 'test' },
    limits: { webhookBytes: 4_096 },
  };
  const start = async (more: Partial<GitopsConfig> = {}, wireMore: Partial<LoopDeps> = {}): Promise<RunningGitops> => {
    const running = await serveGitops({ ...config, ...more }, {
      log: silentLog,
      clock: systemClock,
      onFatal: (error) => {
        throw error;
      },
      wire: async (given) => {
        const store = await openStore({
          dir: join(given.stateDir, 'repository'),
          url: given.repositoryUrl,
          branch: 'main',
          authorization: () => Promise.resolve(null),
          limits: { ...defaultLimits, timeoutMs: 300_000 }, // of a busy machine
        });
        const simulated = world.dependencies();
        const deps: LoopDeps = {
          ...simulated,
          fetch: () => store.fetch(),
          compile: async (commit) => {
            const { blob } = await readBlob({ fs, gitdir: store.gitdir, oid: commit, filepath: 'policies/a.policy.ts' });
            world.commits.set(commit, JSON.parse(Buffer.from(blob).toString()) as SimulatedCommit);
            return simulated.compile(commit);
          },
          ...wireMore,
        };
        return { deps, close: () => Promise.resolve() };
      },
    } satisfies GitopsOptions);
    undo.push(() => running.close());
    return running;
  };
  return { repository, dir, world, config, start };
}
interface Fixture {
  readonly repository: Awaited<ReturnType<typeof startRepository>>;
  readonly dir: string;
  readonly world: SimulatedWorld;
  readonly config: GitopsConfig;
  start(more?: Partial<GitopsConfig>, deps?: Partial<LoopDeps>): Promise<RunningGitops>;
}

/** The file that says what the simulated world makes of the commit. */
const policy = (text: string, fate?: 'refused'): Record<string, string> => ({
  'policies/a.policy.ts': JSON.stringify({ text, ...(fate ? { fate } : {}) }),
});

const statusOf = async (loop: RunningGitops): Promise<GitopsStatus> =>
  (await (await fetch(`${loop.url}/v1/status`)).json()) as GitopsStatus;
async function until(loop: RunningGitops, holds: (status: GitopsStatus) => boolean): Promise<GitopsStatus> {
  for (;;) {
    const status = await statusOf(loop);
    if (holds(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const settledAt =
  (commit: string) =>
  (status: GitopsStatus): boolean =>
    status.attempts.some((a) => a.commit === commit && a.outcome !== null);

function deliver(loop: RunningGitops, body: string, headers: Record<string, string> = {}, secret = webhookSecret): Promise<Response> {
  return fetch(`${loop.url}/hooks/push`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      ...headers,
    },
  });
}

test('a plain git push reaches the proxies, and only its change does', async () => {
  const { repository, world, start } = await setUp();
  const first = await repository.work.push(policy('first'));
  const loop = await start();
  await until(loop, settledAt(first));
  repository.server.setHook({ url: `${loop.url}/hooks/push`, secret: webhookSecret });
  const pushed = async (text: string, fate?: 'refused'): Promise<GitopsStatus> => {
    const commit = await repository.work.push(policy(text, fate));
    return until(loop, settledAt(commit));
  };
  expect(await pushed('A')).toMatchObject({
    ready: true,
    live: { generation: 2 },
    attempts: [{ outcome: 'live', trigger: 'push' }, { outcome: 'live' }],
    trouble: [],
  });
  expect((await pushed('A')).attempts[0]?.outcome).toBe('unchanged');
  const refused = await pushed('B', 'refused');
  expect(refused.attempts[0]).toMatchObject({ outcome: 'refused', phase: 'compile', diagnostics: [{ code: 'MW7152' }] });
  expect(refused.quarantined.map((entry) => entry.commit)).toEqual([refused.head]);
  expect((await pushed('C')).live?.generation).toBe(3);
  expect(world.taken).toHaveLength(3);
  const metrics = await (await fetch(`${loop.url}/metrics`)).text();
  expect(metrics).toContain('meshwright_gitops_deliveries_total{verdict="accepted"} 4');
  expect(metrics).toContain('meshwright_gitops_live_generation 3');
});

test('deliveries: good, missing, bad, malformed, of another branch, repeated, huge, other events', async () => {
  const { repository, start } = await setUp();
  const commit = await repository.work.push(policy('A'));
  const loop = await start();
  await until(loop, settledAt(commit));
  const body = JSON.stringify({ ref: 'refs/heads/main', before: commit, after: commit, repository: { name: 'policies' } });
  const code = async (answer: Promise<Response>): Promise<number> => (await answer).status;
  expect(await code(deliver(loop, body))).toBe(202);
  expect(await code(deliver(loop, body, {}, 'another'))).toBe(401);
  for (const header of ['', 'sha256=', 'sha1=abc', `sha256=${'0'.repeat(64)}`, `sha256=${'0'.repeat(63)}`]) {
    expect(await code(deliver(loop, body, { 'x-hub-signature-256': header }))).toBe(401);
  }
  expect(
    await code(
      deliver(loop, `${body} `, { 'x-hub-signature-256': `sha256=${createHmac('sha256', webhookSecret).update(body).digest('hex')}` }),
    ),
  ).toBe(401);
  expect(await code(deliver(loop, '{'))).toBe(400);
  expect(await code(deliver(loop, '[]'))).toBe(400);
  expect(await (await deliver(loop, body.replace('heads/main', 'heads/other'))).json()).toEqual({ ignored: 'another branch' });
  expect(await (await deliver(loop, body, { 'x-github-event': 'ping' })).json()).toEqual({ ignored: 'event ping' });
  const id = { 'x-github-delivery': 'one' };
  expect(await (await deliver(loop, body, id)).json()).toEqual({ accepted: commit });
  expect(await (await deliver(loop, body, id)).json()).toEqual({ ignored: 'delivered before' });
  expect(await code(deliver(loop, 'x'.repeat(5_000)))).toBe(413);
  expect((await statusOf(loop)).attempts).toHaveLength(1);
});

test('a body that never ends is cut off and the server goes on', async () => {
  const { start } = await setUp();
  const loop = await start();
  const outcome = await new Promise<string>((resolve) => {
    const endless = request(`${loop.url}/hooks/push`, { method: 'POST' }, (response) => resolve(String(response.statusCode)));
    endless.on('error', (error) => resolve(error.message));
    const write = (): void => {
      if (!endless.destroyed) endless.write('x'.repeat(1_024), () => setImmediate(write));
    };
    write();
  });
  expect(outcome).toMatch(/413|ECONNRESET|EPIPE/);
  expect((await fetch(`${loop.url}/healthz`)).status).toBe(200);
});

test('a burst of pushes and deliveries ends at the newest commit', async () => {
  const { repository, world, start } = await setUp();
  const loop = await start();
  let last = '';
  for (let i = 0; i < 5; i++) {
    last = await repository.work.push(policy(`T${i}`));
    const body = JSON.stringify({ ref: 'refs/heads/main', after: last });
    await Promise.all([deliver(loop, body), deliver(loop, body), deliver(loop, body)]);
  }
  const status = await until(loop, settledAt(last));
  expect(world.inForce()).toBe('T4');
  expect(status.attempts.filter((a) => a.commit === last && a.outcome === 'live')).toHaveLength(1);
  expect(world.violations).toEqual([]);
});

test('without a webhook the branch is polled', async () => {
  const { repository, start } = await setUp({ pollMs: 100 });
  const loop = await start();
  const commit = await repository.work.push(policy('A'));
  expect((await until(loop, settledAt(commit))).live?.generation).toBe(1);
});

test('closed in the middle of a roll-out, the next start takes it up', async () => {
  const { repository, world, start } = await setUp();
  const commit = await repository.work.push(policy('A'));
  let reached = (): void => undefined;
  const rolling = new Promise<void>((resolve) => (reached = resolve));
  const first = await start(
    {},
    {
      converge: (_generation, signal) => {
        reached();
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
      },
    },
  );
  await rolling;
  await first.close();
  const second = await start();
  const status = await until(second, settledAt(commit));
  expect(status.attempts).toMatchObject([{ id: 1, outcome: 'live' }]);
  expect(world.taken).toHaveLength(1);
});

test('the operator rolls back, retries, and needs the token for it', async () => {
  const { repository, world, start } = await setUp();
  const loop = await start();
  repository.server.setHook({ url: `${loop.url}/hooks/push`, secret: webhookSecret });
  for (const text of ['A', 'B']) {
    await until(loop, settledAt(await repository.work.push(policy(text))));
  }
  const call = (path: string, body: object, token = operatorToken): Promise<Response> =>
    fetch(`${loop.url}/v1/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    });
  expect((await call('rollout/rollback', {}, 'other')).status).toBe(401);
  expect((await call('rollout/rollback', { to: 'x' })).status).toBe(400);
  const rolled = await call('rollout/rollback', { reason: 'too slow' });
  expect([rolled.status, ((await rolled.json()) as { outcome?: unknown }).outcome]).toEqual([200, 'live']);
  expect(world.inForce()).toBe('A');
  const held = await statusOf(loop);
  expect(held.quarantined).toMatchObject([{ commit: held.head, outcome: 'aborted' }]);
  expect((await call('reconcile', { retry: held.head })).status).toBe(202);
  await until(
    loop,
    (status) =>
      status.quarantined.length === 0 && status.attempts.filter((a) => a.commit === held.head && a.outcome === 'live').length === 2,
  );
  expect(world.inForce()).toBe('B');
  expect((await call('rollout/rollback', { to: 99 })).status).toBe(409);
});

test('refuses to start: secrets that others read, a taken port, a state directory in use', async () => {
  const { config, dir, start } = await setUp();
  const code = (more: Partial<GitopsConfig>): Promise<string | undefined> =>
    start(more).then(
      () => 'started',
      (error: unknown) => (error instanceof GitopsRefused ? error.diagnostics[0]?.code : String(error)),
    );
  const open = await secretFile(dir, 'open', 'x');
  await chmod(open, 0o644);
  expect(await code({ webhookSecretFile: open })).toBe('MW7150');
  expect(await code({ webhookSecretFile: join(dir, 'none') })).toBe('MW7150');
  expect(await code({ repositoryUrl: 'ssh://git@host/x.git' })).toBe('MW7108');
  expect(await code({ branch: '../x' })).toBe('MW7152');
  const first = await start();
  expect(await code({ stateDir: join(dir, 'other'), listen: { port: Number(new URL(first.url).port) } })).toBe('MW7151');
  expect(config.stateDir).toBeTruthy();
});

test('a page that rebound its name to this machine is refused', async () => {
  const { start } = await setUp();
  const loop = await start();
  const { port } = new URL(loop.url);
  const ask = (host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port, path: '/v1/status', headers: { host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  expect(await ask(`127.0.0.1:${port}`)).toBe(200);
  expect(await ask(`localhost:${port}`)).toBe(200);
  expect(await ask('evil.example')).toBe(421);
  expect(await ask(`127.0.0.1.evil.example:${port}`)).toBe(421);
});
