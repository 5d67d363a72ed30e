import { once } from '../client';
import { versionsSeen, type Stage } from '../stage';
import type { Step } from '../report';

/** a) The mesh comes up; traffic flows from the edge through the Envoys, and only where policy allows. */
export async function comesUp(stage: Stage, step: Step, firstCommit: string): Promise<void> {
  const first = await stage.finished(firstCommit);
  step.check(
    'the first commit is live',
    first.outcome === 'live',
    `${first.outcome ?? '?'}${first.diagnostics.map((one) => ` ${one.code} ${one.message}`).join(';')}`,
  );
  const status = await stage.rollout();
  const active = status.proxies.filter((proxy) => proxy.parts.inbound.phase === 'active' && proxy.parts.outbound.phase === 'active');
  step.check(
    'every proxy is active',
    active.length === status.proxies.length && active.length === stage.layout.inventory.instances.length,
    `${active.length} of ${status.proxies.length}, generation ${status.generation}`,
  );

  const page = await stage.page();
  step.check('the product page answers by the edge', page.status === 200, `status ${page.status}`);
  const body = page.status === 200 ? (JSON.parse(page.body) as { details: { status: number }; reviews: { status: number } }) : null;
  step.check(
    'it has its details and reviews, through its own Envoy',
    body?.details.status === 200 && body.reviews.status === 200,
    JSON.stringify(body && { details: body.details.status, reviews: body.reviews.status }),
  );
  step.check('every review comes from v1', JSON.stringify(Object.keys(await versionsSeen(stage, 10))) === '["v1"]', '10 requests');

  const other = await once(stage.layout.edge, stage.host, '/health', {
    ca: (await stage.identity('platform/edge')).trustPem,
    serverName: stage.host,
  });
  step.check('another path of it is not served to the outside', other.status === 404, `GET /health: ${other.status}`);
  const plain = await once(stage.inbound('details-1'), 'details:9080', '/details/0').then(
    (reply) => `status ${reply.status}`,
    (error: Error) => `refused: ${error.message}`,
  );
  step.check('plain HTTP to an inbound port gets no answer (mutual TLS only)', plain.startsWith('refused'), plain);
}
