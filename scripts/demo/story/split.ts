import { versionsSeen, type Stage } from '../stage';
import type { Step } from '../report';

const legNames = ['fetch', 'compile', 'diff', 'validate', 'sign', 'preview', 'update', 'converge'];

/** b) A plain push shifts reviews from v1 to an even split with v3; who is not concerned receives nothing. */
export async function shiftsTraffic(stage: Stage, step: Step): Promise<void> {
  const before = await stage.responses();
  const waves = watchWaves(stage);
  const attempt = await stage.pushed('reviews v3 gets half', [
    { file: 'policies/books/traffic.policy.ts', replace: ["    to: 'v1',\n", '    to: { v1: 50, v3: 50 },\n'] },
  ]);
  const seenWaves = await waves.stop();
  step.check(
    'the commit is live',
    attempt.outcome === 'live',
    `${attempt.outcome ?? '?'}${attempt.diagnostics
      .filter((one) => one.severity === 'error')
      .map((one) => ` ${one.code} ${one.message}`)
      .join(';')}`,
  );
  for (const leg of legNames) if (attempt.legs[leg] !== undefined) step.figure(`${leg} ms`, Math.round(attempt.legs[leg]));
  step.check(
    'a first wave went ahead of the rest',
    seenWaves.some((active) => active === 1) && seenWaves.includes(2),
    `concerned proxies active: ${seenWaves.join(' -> ')}`,
  );

  const after = await stage.responses();
  const moved = [...after]
    .filter(([instance, count]) => count !== before.get(instance))
    .map(([instance]) => instance)
    .sort();
  step.check(
    'only the callers of reviews were sent anything',
    JSON.stringify(moved) === JSON.stringify(['productpage-1', 'productpage-2']),
    `moved: ${moved.join(', ') || 'nobody'}`,
  );
  const status = await stage.rollout();
  step.check(
    'every proxy is active',
    status.proxies.every((proxy) => proxy.parts.outbound.phase === 'active' && proxy.parts.inbound.phase === 'active'),
    `generation ${status.generation}, ${status.state}`,
  );

  const seen = await versionsSeen(stage, 200);
  const share = (seen['v3'] ?? 0) / 200;
  // 200 fair coins stay between 26 % and 74 % but for one run in a hundred billion.
  step.check(
    'live traffic shows the new split',
    share > 0.26 && share < 0.74 && (seen['v1'] ?? 0) + (seen['v3'] ?? 0) === 200,
    JSON.stringify(seen),
  );
}

/** Notes each new number of concerned proxies that have the candidate active. */
function watchWaves(stage: Stage): { stop(): Promise<readonly number[]> } {
  const seen: number[] = [];
  let stopped = false;
  const watching = (async () => {
    const first = (await stage.rollout()).generation;
    while (!stopped) {
      const status = await stage.rollout().catch(() => null);
      if (status && status.generation > first) {
        const concerned = status.proxies.filter((proxy) => proxy.concerned);
        const done = concerned.filter(
          (proxy) => proxy.parts.outbound.set === 'candidate' && proxy.parts.outbound.phase === 'active',
        ).length;
        const count = status.state === 'converged' || status.state === 'idle' ? Math.max(done, 2) : done;
        if (seen.at(-1) !== count) seen.push(count);
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await watching;
      return seen;
    },
  };
}
