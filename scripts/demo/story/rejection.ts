import { firstError, versionsSeen, type Stage } from '../stage';
import type { Edit } from '../policy-repository';
import type { Step } from '../report';

/**
 * Well typed, and small by every count that can be made without Envoy; but its RE2 spells every letter of Unicode out in bytes, and takes no program
 * of that size.
 */
const tooLarge: readonly Edit[] = [
  { file: 'policies/books/traffic.policy.ts', replace: ['import { per, respond }', 'import { pattern, per, respond }'] },
  { file: 'policies/books/traffic.policy.ts', replace: ["'end-user': 'jason'", "'end-user': pattern('\\\\p{L}{1,20}')"] },
];

/** e) What this Envoy rejects is caught before any live proxy; forced past that, the rejection is followed by a return to stable. */
export async function returnsToStable(stage: Stage, step: Step): Promise<void> {
  const before = await stage.responses();
  const generation = (await stage.rollout()).generation;
  const caught = await stage.pushed('anybody with a name made of letters sees v2', tooLarge);
  const error = firstError(caught);
  step.check('validation catches it', caught.outcome === 'refused', `${error.code} ${error.message}`);
  const untouched = await stage.responses();
  step.check(
    'before any live proxy',
    [...untouched].every(([instance, count]) => before.get(instance) === count) && (await stage.rollout()).generation === generation,
    'no response was sent',
  );
  await stage.reverted('take it back');

  step.say('the loop starts anew with validation switched off, for this step only');
  await stage.mesh.restartLoop({ envoyValidate: false });
  const versions = Object.keys(await versionsSeen(stage, 40)).sort();
  const forced = await stage.pushed('anybody with a name made of letters sees v2, forced', tooLarge);
  const status = await stage.rollout();
  step.check(
    'the release is given up',
    forced.outcome === 'aborted' && status.state === 'aborted',
    `${forced.outcome ?? '?'}; status says: ${status.message}`,
  );
  const settled = await waitFor(async () =>
    (await stage.rollout()).proxies.every(
      (proxy) => proxy.parts.outbound.set === 'stable' && proxy.parts.outbound.phase === 'active' && proxy.parts.inbound.phase === 'active',
    ),
  );
  step.check(
    'every proxy is back at stable, and active',
    settled,
    (await stage.rollout()).proxies
      .map((proxy) => `${proxy.instance} ${proxy.parts.outbound.set}/${proxy.parts.outbound.phase}`)
      .join(', '),
  );
  const now = Object.keys(await versionsSeen(stage, 40)).sort();
  step.check(
    'traffic flows as before',
    JSON.stringify(now) === JSON.stringify(versions),
    `${versions.join(', ')} before, ${now.join(', ')} now`,
  );
  const back = await stage.reverted('take it back for good');
  step.check('the branch is good again', back.outcome === 'live' || back.outcome === 'unchanged', back.outcome ?? '?');
  await stage.mesh.restartLoop({ envoyValidate: true });
}

async function waitFor(holds: () => Promise<boolean>): Promise<boolean> {
  for (let turn = 0; turn < 1_200; turn += 1) {
    if (await holds().catch(() => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

/** f) A comment is no change: no object, no proxy. */
export async function ignoresComments(stage: Stage, step: Step): Promise<void> {
  const before = await stage.responses();
  const generation = (await stage.rollout()).generation;
  const file = 'policies/books/access.policy.ts';
  const attempt = await stage.pushed('say what the rules are for', [
    { file, whole: `// Who may call the book shop.\n\n${await stage.policies.read(file)}` },
  ]);
  step.check('the commit changes no object', attempt.outcome === 'unchanged', attempt.outcome ?? '?');
  const after = await stage.responses();
  step.check(
    'and moves no proxy',
    [...after].every(([instance, count]) => before.get(instance) === count) && (await stage.rollout()).generation === generation,
    `generation ${generation}`,
  );
}
