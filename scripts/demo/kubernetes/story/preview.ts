import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Step } from '../../report';
import { environment } from '../../set-up';
import { lastLine } from '../cluster';
import type { People } from '../people';
import type { ClusterSetUp } from '../set-up';

/** k) A preview is judged by the webhook like an update: it is green exactly for whom the update succeeds. */
export async function previewsWhatUpdates({ stage, mesh }: ClusterSetUp, people: People, step: Step): Promise<void> {
  const work = join(mesh.dir, 'by-hand');
  await cp(stage.policies.directory, work, { recursive: true });
  const file = join(work, 'policies', 'books', 'traffic.policy.ts');
  await writeFile(file, (await readFile(file, 'utf8')).replace("prod: '2s'", "prod: '3s'"));
  const built = await stage.meshwright(
    ...['build', join(work, 'policies'), '--env', environment, '--out', join(work, 'bundle')],
    ...['--admin', mesh.adminUrl, '--token-file', mesh.adminTokenFile, '--signer', join(mesh.dir, 'signer', 's.sock')],
  );
  if (built.code !== 0) throw new Error(built.err.trim() || built.out.trim());
  const { generation } = await stage.rollout();
  const as = async (who: keyof People, verb: 'preview' | 'deploy'): Promise<{ readonly ok: boolean; readonly said: string }> => {
    const { code, out, err } = await stage.meshwright(
      ...[verb, join(work, 'bundle'), '--kubeconfig', people[who], '--state-dir', join(work, who), '--stack', 'by-hand'],
    );
    const lines = `${out}\n${err}`.split('\n');
    return { ok: code === 0, said: lines.find((line) => /MW\d{4}/.test(line))?.trim() ?? lastLine(out) };
  };
  const asked = await as('dan', 'preview');
  const tried = await as('dan', 'deploy');
  step.check('for a developer the preview is red, and so is the update', !asked.ok && !tried.ok && /MW8008/.test(asked.said), asked.said);
  step.check('nothing moved', (await stage.rollout()).generation === generation, `generation ${generation}`);
  const green = await as('gitops', 'preview');
  const done = await as('gitops', 'deploy');
  step.check("for the loop's account it is green, and the update converges", green.ok && done.ok, `${green.said}; then ${done.said}`);
  const again = await as('gitops', 'preview');
  step.check('a second preview is empty', again.ok && again.said.includes('nothing changes'), again.said);
  step.check('proxies have it', (await stage.rollout()).generation === generation + 1, `generation ${generation + 1}`);
}
