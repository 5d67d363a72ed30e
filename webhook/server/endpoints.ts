/** The paths: what is done with a review, and how it is counted and logged. */
import { admit } from '../../core/diagnostics/admit';
import type { Log } from '../../platform/log';
import { adjudicate, describeReview } from '../admit/adjudicate';
import type { AdmitContext } from '../admit/context';
import { undecided, type Verdict } from '../admit/verdict';
import { mutate } from '../inject/handler';
import { injectPath, validatePath } from '../paths';
import { formatMutation, formatResponse } from '../review/response';
import type { Review } from '../review/review';
import type { Answer, Endpoint } from './app';
import type { VerdictLabel, WebhookMetrics } from './metrics';

export interface EndpointParts {
  /** What is decided by, at this moment. */
  readonly context: () => AdmitContext;
  readonly metrics: WebhookMetrics;
  readonly log: Log;
}

/** `/validate`: everything that is covered. */
export function validateEndpoint(parts: EndpointParts): Endpoint {
  const answer = answers(validatePath, parts);
  return {
    path: validatePath,
    decide: async (review) => answer(review, await adjudicate(review, parts.context())),
    failed: (review, why) => answer(review, unable(review, why)),
  };
}

/** `/inject`: pods that are being made. */
export function injectEndpoint(parts: EndpointParts): Endpoint {
  const answer = answers(injectPath, parts);
  return {
    path: injectPath,
    decide: async (review) => {
      const { injection, state } = parts.context();
      if (injection === null) throw new Error('internal: asked to inject without settings');
      const { subresource, ...rest } = review;
      const labelsOf = (namespace: string): Readonly<Record<string, string>> | null => state.namespaceLabels.get(namespace) ?? null;
      const result = mutate({ ...rest, subResource: subresource }, { settings: injection, labelsOf });
      if (!result.allowed) return answer(review, refused(result.message, result.field));
      const verdict = result.patch === null ? 'allowed' : 'patched';
      return {
        body: formatMutation(review, result),
        sent: () => parts.metrics.decision(injectPath, 'injection', verdict, review.dryRun),
      };
    },
    failed: (review, why) => answer(review, unable(review, why)),
  };
}

const answers =
  (path: string, { metrics, log }: EndpointParts) =>
  (review: Review, verdict: Verdict): Answer => ({
    body: formatResponse(review, verdict),
    sent: () => {
      note(log, review, verdict);
      metrics.decision(path, verdict.rule, labelOf(verdict), review.dryRun);
    },
  });

function unable(review: Review, why: 'late' | 'internal'): Verdict {
  const reason = why === 'late' ? 'there was no time' : 'the webhook has an error of its own';
  return undecided(describeReview(review), admit.undecided({ reason }));
}

/** The injector's refusal: its message begins with the code. */
function refused(message: string, field: string): Verdict {
  const code = /^MW(\d{4})/.exec(message)?.[1] ?? '8101';
  return {
    allowed: false,
    undecided: false,
    rule: 'injection',
    message,
    causes: [{ code: `MW${Number(code)}`, field, message }],
    warnings: [],
    audit: { denied: message },
  };
}

const labelOf = (verdict: Verdict): VerdictLabel =>
  verdict.undecided ? 'undecided' : !verdict.allowed ? 'denied' : verdict.warnings.length > 0 ? 'warned' : 'allowed';

/** One line for each denial; what a rule only notes is in the API server's audit log too. */
function note(log: Log, review: Review, verdict: Verdict): void {
  if (verdict.allowed && verdict.audit['found'] === undefined) return;
  const { uid, operation, user, dryRun } = review;
  const fields = { uid, operation, user: user.username, dryRun, rule: verdict.rule, codes: verdict.causes.map(({ code }) => code) };
  if (verdict.allowed) log.info(fields, verdict.audit['found']);
  else log.warn(fields, verdict.message);
}
