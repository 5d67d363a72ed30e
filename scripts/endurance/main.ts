/**
 * `npm run endurance -- [--times N] [--json]`: kills the control plane, the loop and one agent with SIGKILL while a release is compiled, while Pulumi
 * updates, and between waves, N times each, under traffic. Counts wrong decisions and lost requests, and looks where each release ended.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { connect, load } from '../demo/client';
import { cleanups, setUp, type Cleanup } from '../demo/set-up';
import type { Stage } from '../demo/stage';

const victims = ['control-plane', 'gitops', 'agent-productpage-2'] as const;
const points = ['compiling', 'Pulumi update', 'mid-wave'] as const;
type Victim = (typeof victims)[number];
type Point = (typeof points)[number];

interface Kill {
  readonly victim: Victim;
  readonly point: Point;
  readonly round: number;
  /** Where the loop was when the signal was sent. */
  readonly at: string;
  readonly outcome: string;
  /** Whether every proxy came to be active at one set, and again after the victim was back. */
  readonly settled: boolean;
  readonly requests: number;
  /** Requests that got no answer, or a 5xx. */
  readonly lost: number;
  /** Answers that policy forbids: a 200 where 403 is due, a 403 where 200 is due. */
  readonly wrong: number;
}

/** Each release is another split, so that each has something to roll out. */
const shares = [50, 60, 70, 40] as const;

async function killOnce(stage: Stage, victim: Victim, point: Point, round: number, share: number): Promise<Kill> {
  const trust = (await stage.identity('platform/edge')).trustPem;
  const allowed = load(
    2,
    5,
    async (connection) => (await connection.send(stage.host, '/productpage')).status,
    () => connect(stage.layout.edge, { ca: trust, serverName: stage.host }),
  );
  const denied = load(
    1,
    10,
    async (connection) => (await connection.send('ratings:9080', '/ratings/0')).status,
    () => connect(stage.outbound('productpage-1')),
  );
  let at = 'never reached';
  let outcome = '?';
  let settled = false;
  try {
    const current = await stage.policies.read('policies/books/traffic.policy.ts');
    const from = /    to: [^\n]*,\n    timeout/.exec(current)?.[0];
    if (from === undefined) throw new Error('the route to change is not in the policies');
    const finish = (async () => {
      const commit = await stage.policies.push(`${victim} ${point} ${round}`, [
        { file: 'policies/books/traffic.policy.ts', replace: [from, `    to: { v1: ${share}, v3: ${100 - share} },\n    timeout`] },
      ]);
      return stage.finished(commit);
    })();
    at = await Promise.race([reach(stage, point), finish.then((attempt) => `too late: ${attempt.outcome ?? '?'}`)]);
    stage.mesh.supervisor.get(victim)?.signal('SIGKILL');
    outcome = (await finish).outcome ?? '?';
    settled = await settle(stage);
  } catch (error) {
    outcome = error instanceof Error ? error.message : String(error);
  }
  const [good, bad] = [await allowed.stop(), await denied.stop()];
  const sum = (counts: Readonly<Record<number, number>>, holds: (status: number) => boolean): number =>
    Object.entries(counts).reduce((total, [status, count]) => total + (holds(Number(status)) ? count : 0), 0);
  const lost = (status: number): boolean => status === 0 || status >= 500;
  return {
    victim,
    point,
    round,
    at,
    outcome,
    settled,
    requests: sum(good, () => true) + sum(bad, () => true),
    lost: sum(good, lost) + sum(bad, lost),
    wrong: sum(good, (status) => !lost(status) && status !== 200) + sum(bad, (status) => !lost(status) && status !== 403),
  };
}

/** Waits until the release is at the point, and says where it was seen. */
async function reach(stage: Stage, point: Point): Promise<string> {
  for (let turn = 0; turn < 4_000; turn += 1) {
    const loop = (await stage.mesh.loop().catch(() => null)) as { inFlight?: { phase?: string } | null } | null;
    const phase = loop?.inFlight?.phase ?? '';
    if (point === 'compiling' && phase === 'compile') return phase;
    if (point === 'Pulumi update' && phase === 'update') return phase;
    if (point === 'mid-wave' && (phase === 'update' || phase === 'converge')) {
      const rollout = await stage.rollout().catch(() => null);
      if (rollout && (rollout.state === 'holding' || (rollout.state === 'rolling' && rollout.wave !== null)))
        return `${phase}, ${rollout.state}, wave ${rollout.wave ?? '?'}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`the release never came to: ${point}`);
}

async function settle(stage: Stage): Promise<boolean> {
  for (let turn = 0; turn < 600; turn += 1) {
    const status = await stage.rollout().catch(() => null);
    const over = status !== null && (status.state === 'idle' || status.state === 'converged' || status.state === 'aborted');
    if (
      over &&
      status.proxies.every((proxy) => proxy.connected && proxy.parts.inbound.phase === 'active' && proxy.parts.outbound.phase === 'active')
    )
      return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

async function main(times: number, json: boolean, cleanup: Cleanup): Promise<boolean> {
  const write = (line: string): void => void process.stderr.write(`${line}\n`);
  process.env['MESHWRIGHT_ENVOY'] = await obtainEnvoy();
  process.env['MESHWRIGHT_PULUMI'] = await obtainPulumi();
  const scratch = await mkdtemp(join(tmpdir(), 'mw-'));
  cleanup.add(() => rm(scratch, { recursive: true, force: true }));
  const { stage, firstCommit } = await setUp({ pulumi: true }, scratch, write, cleanup);
  await stage.finished(firstCommit);
  const kills: Kill[] = [];
  for (const victim of victims) {
    for (const point of points) {
      for (let round = 0; round < times; round += 1) {
        const kill = await killOnce(stage, victim, point, round, shares[kills.length % shares.length] ?? 50);
        kills.push(kill);
        write(
          `${kill.victim.padEnd(20)} ${kill.point.padEnd(14)} ${round + 1}/${times}  at ${kill.at}: ${kill.outcome}${kill.settled ? '' : ', NOT SETTLED'}, ${kill.requests} requests, ${kill.lost} lost, ${kill.wrong} wrong`,
        );
      }
    }
  }
  const good = (kill: Kill): boolean =>
    kill.settled &&
    kill.wrong === 0 &&
    (kill.lost === 0 || kill.victim.startsWith('agent-')) &&
    (kill.outcome === 'live' || kill.outcome === 'aborted');
  const bad = kills.filter((kill) => !good(kill));
  const total = (field: 'requests' | 'lost' | 'wrong'): number => kills.reduce((sum, kill) => sum + kill[field], 0);
  const line = `${kills.length} kills, ${bad.length} with a bad end; ${total('requests')} requests, ${total('lost')} lost, ${total('wrong')} wrong`;
  write(line);
  if (json) process.stdout.write(`${JSON.stringify({ ok: bad.length === 0, summary: line, kills })}\n`);
  return bad.length === 0;
}

const argv = process.argv.slice(2);
const timesAt = argv.indexOf('--times');
const times = timesAt < 0 ? 10 : Number(argv[timesAt + 1]);
if (!Number.isInteger(times) || times < 1) {
  process.stderr.write('usage: npm run endurance -- [--times N] [--json]\n');
  process.exit(2);
}
const cleanup = cleanups();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void cleanup.run().then(() => process.exit(130)));
main(times, argv.includes('--json'), cleanup)
  .then(
    (ok) => (process.exitCode = ok ? 0 : 1),
    (error: unknown) => {
      process.stderr.write(`endurance: ${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 2;
    },
  )
  .finally(() => cleanup.run().then(() => process.exit()));
