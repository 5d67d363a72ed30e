import { connect, once } from '../client';
import { type Stage } from '../stage';
import type { Step } from '../report';

/** d) Access is revoked under an open connection; what is not allowed is answered 403 by the caller's Envoy and by the destination's; `why` knows the line. */
export async function revokesAccess(stage: Stage, step: Step): Promise<void> {
  const page = await stage.identity('bookinfo/productpage');
  const straight = connect(stage.inbound('details-1'), { identity: page });
  const byProxy = connect(stage.outbound('productpage-1'));
  try {
    const before = await straight.send('details:9080', '/details/0');
    const beforeByProxy = await byProxy.send('details:9080', '/details/0');
    step.check(
      'productpage reads details, on connections that stay open',
      before.status === 200 && beforeByProxy.status === 200,
      `straight ${before.status}, by its Envoy ${beforeByProxy.status}`,
    );
    const attempt = await stage.pushed('productpage no longer reads details', [
      {
        file: 'policies/books/access.policy.ts',
        replace: ["export const pageReadsDetails = details.ports.web.allow({ from: productpage, requests: ['GET /details/{id}'] });\n", ''],
      },
    ]);
    step.check('the revocation is live', attempt.outcome === 'live', `${attempt.outcome ?? '?'} ${attempt.summary ?? ''}`);
    const after = await straight.send('details:9080', '/details/0');
    step.check(
      'the next request on the same connection gets 403',
      after.status === 403 && after.localPort === before.localPort,
      `status ${after.status}, same connection: ${after.localPort === before.localPort}`,
    );
    const afterByProxy = await byProxy.send('details:9080', '/details/0');
    step.check(
      "and so it does on the connection to productpage's own Envoy",
      afterByProxy.status === 403 && afterByProxy.localPort === beforeByProxy.localPort,
      `status ${afterByProxy.status}: ${afterByProxy.body.trim()}`,
    );
  } finally {
    straight.close();
    byProxy.close();
  }

  const ratings = await once(stage.outbound('productpage-1'), 'ratings:9080', '/ratings/0');
  step.check(
    "ratings through productpage's own Envoy: 403 naming the pair",
    ratings.status === 403 && ratings.body.includes('bookinfo/productpage') && ratings.body.includes('ratings:9080'),
    ratings.body.trim(),
  );
  const atRatings = await once(stage.inbound('ratings-1'), 'ratings:9080', '/ratings/0', { identity: page });
  step.check(
    "straight at ratings' inbound with productpage's certificate: 403",
    atRatings.status === 403,
    `${atRatings.status}: ${atRatings.body.trim()}`,
  );

  const logged = await newestDenial(stage);
  const rule = String(logged?.['rule'] ?? '');
  const why = await stage.meshwright('why', rule, `${stage.policies.directory}/policies`);
  const place = /[\w/.-]+\.policy\.ts:\d+/.exec(why.out)?.[0] ?? '';
  step.check(
    '`why` on the logged rule prints file and line',
    why.code === 0 && place !== '',
    `${rule} -> ${place || why.err.trim() || why.out.trim().slice(0, 200)}`,
  );

  const back = await stage.reverted('productpage reads details again');
  step.check(
    'given back, it is served again',
    back.outcome === 'live' && (await stage.page()).body.includes('William Shakespeare'),
    back.outcome ?? '?',
  );
}

/** The access log is written when a request is over, a moment after its answer. */
async function newestDenial(stage: Stage): Promise<Readonly<Record<string, unknown>> | undefined> {
  for (let turn = 0; turn < 1_200; turn += 1) {
    const found = (await stage.accessLog('ratings-1')).filter((line) => Number(line['status']) === 403).at(-1);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return undefined;
}
