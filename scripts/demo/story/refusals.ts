import { connect, load } from '../client';
import { firstError, type Stage } from '../stage';
import type { Edit } from '../policy-repository';
import type { Step } from '../report';

interface Bad {
  readonly what: string;
  readonly edits: readonly Edit[];
  /** The code family that must refuse it: a pattern over codes. */
  readonly code: RegExp;
}
const bad: readonly Bad[] = [
  {
    what: 'a reference to something that is not there any more',
    edits: [{ file: 'policies/orders/public.ts', replace: ['export const { reporter } = share(own);', 'share(own);\nexport {};'] }],
    code: /^MW1/,
  },
  {
    what: 'two route lists for one host and port',
    edits: [
      {
        file: 'policies/books/again.policy.ts',
        whole:
          "import { reviews } from './services.policy';\n\nexport const reviewsRoutesAgain = reviews.ports.web.route({ otherwise: { to: 'v2' } });\n",
      },
    ],
    code: /^MW[34]/,
  },
  {
    what: 'a module that takes too much fuel',
    edits: [
      {
        file: 'policies/books/busy.policy.ts',
        whole:
          "import { reviews } from './services.policy';\n\nlet turns = 0;\nwhile (turns >= 0) turns += 1;\nexport const busy = reviews;\n",
      },
    ],
    code: /^MW2/,
  },
  {
    what: "a rule of team orders over team books' service",
    edits: [
      {
        file: 'policies/orders/takeover.policy.ts',
        whole: [
          "import { anyRequest, http, namespace, service } from 'meshwright/policy';",
          "import { reporter } from './services.policy';",
          '',
          "export const theirs = namespace('bookinfo', { team: 'books' });",
          "export const details = service(theirs, 'details', { serviceAccount: 'bookinfo-details', ports: { web: http(9080) } });",
          'export const opened = details.ports.web.allow({ from: reporter, requests: anyRequest });',
          '',
        ].join('\n'),
      },
    ],
    code: /^MW3107$/,
  },
  {
    what: 'a module that is not type-correct',
    edits: [{ file: 'policies/books/traffic.policy.ts', replace: ["staging: '2s'", "staging: '2 seconds'"] }],
    code: /^MW1/,
  },
];

/** c) Bad commits are refused, each with code, message and place, while traffic goes on. */
export async function refusesBadCommits(stage: Stage, step: Step): Promise<void> {
  const generation = (await stage.rollout()).generation;
  const trust = (await stage.identity('platform/edge')).trustPem;
  const traffic = load(
    2,
    10,
    async (connection) => (await connection.send(stage.host, '/productpage')).status,
    () => connect(stage.layout.edge, { ca: trust, serverName: stage.host }),
  );
  try {
    for (const { what, edits, code } of bad) {
      const attempt = await stage.pushed(what, edits);
      const error = firstError(attempt);
      const matching = attempt.diagnostics.find((one) => one.severity === 'error' && one.span !== undefined && code.test(one.code));
      const shown = matching?.span
        ? `${matching.code} ${matching.span.file}:${matching.span.line}:${matching.span.column} ${matching.message}`
        : `${error.code} ${error.place} ${error.message}`;
      step.check(`refused: ${what}`, attempt.outcome === 'refused' && matching?.span !== undefined, shown);
      const back = await stage.reverted(`take back: ${what}`);
      if (back.outcome !== 'unchanged') step.check('taking it back changes nothing', false, `${back.outcome ?? '?'}`);
    }
  } finally {
    const counts = await traffic.stop();
    const failed = Object.entries(counts).filter(([status]) => status !== '200');
    step.check('traffic was not disturbed', failed.length === 0 && (counts[200] ?? 0) > 0, JSON.stringify(counts));
  }
  const now = (await stage.rollout()).generation;
  step.check('nothing was released', now === generation, `generation ${now}`);
}
