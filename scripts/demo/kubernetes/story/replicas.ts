import { meshNamespace } from '../../../../core/bundle/custom-resource';
import type { Supervised } from '../../../../cli/up/supervisor';
import { connect, load } from '../../client';
import type { Step } from '../../report';
import { lastLine } from '../cluster';
import type { People } from '../people';
import type { ClusterSetUp } from '../set-up';

/** j) A control plane and a webhook are killed under traffic, and nobody notices. */
export async function survivesKills({ cluster, layout, stage, mesh }: ClusterSetUp, people: People, step: Step): Promise<void> {
  const trust = (await stage.identity('platform/edge')).trustPem;
  const traffic = load(
    2,
    10,
    async (connection) => (await connection.send(stage.host, '/productpage')).status,
    () => connect(layout.edge, { ca: trust, serverName: stage.host }),
  );
  try {
    const leader = await leading(cluster);
    const killed = mesh.controlPlanes.find(({ name }) => name === leader) ?? mesh.controlPlanes[0];
    if (!killed) throw new Error('there is no control plane');
    await kill(killed);
    step.say(`${killed.name}, which held the lease, was killed`);
    const attempt = await stage.pushed('reviews may ask whether ratings are well', [
      {
        file: 'policies/books/access.policy.ts',
        replace: ["requests: ['GET /ratings/{id}'] });", "requests: ['GET /ratings/{id}', 'GET /health'] });"],
      },
    ]);
    step.check('a push meanwhile is live', attempt.outcome === 'live', `${attempt.outcome ?? '?'} ${attempt.summary ?? ''}`);
    // Started again, the same one may have it back: what counts is that the lease is held.
    const next = await leading(cluster);
    step.check('a control plane leads', next !== '', next);
    const all = await until(async () => (await stage.rollout()).proxies.every(({ connected }) => connected));
    step.check('every proxy is connected', all, `${(await stage.rollout()).proxies.length} proxies`);

    const [webhook] = mesh.webhooks;
    if (!webhook) throw new Error('there is no webhook');
    let failed = '';
    for (let turn = 0; turn < 12; turn += 1) {
      if (turn === 3) {
        await kill(webhook);
        step.say(`${webhook.name} was killed`);
      }
      const args = ['annotate', 'release', 'prod', '--namespace', meshNamespace, '--dry-run=server', '--overwrite', `demo=${turn}`];
      const { code, stderr } = await cluster.kubectl(args, { kubeconfig: people.gitops });
      if (code !== 0) failed = lastLine(stderr);
    }
    step.check('every review was answered', failed === '', failed || '12 of 12');
  } finally {
    const counts = await traffic.stop();
    const lost = Object.entries(counts).filter(([status]) => status !== '200');
    step.check('no request was lost', lost.length === 0 && (counts[200] ?? 0) > 0, JSON.stringify(counts));
  }
  const { stdout } = await cluster.kubectl(['get', 'releases', '--namespace', meshNamespace]);
  const [head = '', row = ''] = stdout.trim().split('\n');
  step.say(head);
  step.say(row);
  step.check('`kubectl get releases` shows its convergence', /\bconverged\b/.test(row), row.split(/\s+/).slice(0, 5).join(' '));
}

async function kill(one: Supervised): Promise<void> {
  const starts = one.starts();
  one.signal('SIGKILL');
  await until(() => Promise.resolve(one.pid() === null || one.starts() > starts));
}

/** Who holds the lease. */
async function leading({ kubectl }: ClusterSetUp['cluster']): Promise<string> {
  const { stdout } = await kubectl([
    ...['get', 'lease', 'control-plane-prod', '--namespace', meshNamespace],
    ...['--output', 'jsonpath={.spec.holderIdentity}'],
  ]);
  return stdout.trim();
}

async function until(holds: () => Promise<boolean>): Promise<boolean> {
  for (let turn = 0; turn < 2_400; turn += 1) {
    if (await holds().catch(() => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
