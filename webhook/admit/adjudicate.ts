/** From a review to its verdict: which adjudicator, by group and resource. No I/O, no clock. */
import { admit } from '../../core/diagnostics/admit';
import { assertNever } from '../../core/lib/brand';
import { memberOf } from '../review/json';
import { nameOf, type Review } from '../review/review';
import type { AdmitContext } from './context';
import { coveredBy, isMeshGroup } from './coverage';
import { adjudicateDefinition } from './definitions';
import { adjudicateObject } from './objects';
import { adjudicateRelease } from './release';
import { allow, deny, type Verdict } from './verdict';
import { adjudicateWorkload } from './workloads';

/** Decides about one review. Never throws for what a review holds. */
export async function adjudicate(review: Review, context: AdmitContext): Promise<Verdict> {
  const what = describeReview(review);
  const resource = review.subresource === '' ? review.resource.resource : `${review.resource.resource}/${review.subresource}`;
  const by = coveredBy(review.resource.group, resource);
  if (review.operation === 'CONNECT' || by === null) {
    // A path of ours that nobody thought of is closed; what is not ours was never asked for.
    if (!isMeshGroup(review.resource.group)) return allow('outside');
    return deny('outside', what, 'kind', admit.unknownPath({ resource }));
  }
  switch (by) {
    case 'object':
      return adjudicateObject(review, what, context);
    case 'release':
      return adjudicateRelease(review, what, context);
    case 'definition':
      return adjudicateDefinition(review, what, context);
    case 'workload':
      return adjudicateWorkload(review, what, context);
    default:
      return assertNever(by);
  }
}

/** `ServiceConfig/bookinfo/reviews.web.3f2a90b1c4de`. A name that the server has yet to make is shown by its prefix: `web-*`. */
export function describeReview(review: Review): string {
  const { kind, namespace, object, oldObject } = review;
  const name = nameOf(review);
  const prefix = memberOf(memberOf(object ?? oldObject, 'metadata'), 'generateName');
  const shown = name !== '' ? name : typeof prefix === 'string' ? `${prefix}*` : '*';
  return [kind.kind, ...(namespace === '' ? [] : [namespace]), shown].join('/');
}
