/** The definitions of our kinds: with one of them the server would delete everything of its kind, and ask about none of it. */
import { plurals } from '../../core/bundle/custom-resource';
import { admit } from '../../core/diagnostics/admit';
import { memberOf } from '../review/json';
import type { Review } from '../review/review';
import type { AdmitContext } from './context';
import { isMeshGroup } from './coverage';
import { allow, deny, undecided, type Verdict } from './verdict';

/** The verdict on the deletion of a CustomResourceDefinition. */
export function adjudicateDefinition(review: Review, what: string, { state }: AdmitContext): Verdict {
  const group = memberOf(memberOf(review.oldObject, 'spec'), 'group');
  if (review.operation !== 'DELETE' || typeof group !== 'string' || !isMeshGroup(group)) return allow('outside');
  if (!state.synced || state.stale || state.live === 'unreadable')
    return undecided(what, admit.undecided({ reason: 'what is live is not known' }));
  const plural = memberOf(memberOf(memberOf(review.oldObject, 'spec'), 'names'), 'plural');
  if (state.live === null || !Object.values(plurals).some((one) => one === plural)) return allow('deletion');
  return deny('deletion', what, 'metadata.name', admit.liveKind({ generation: state.live.generation }));
}
