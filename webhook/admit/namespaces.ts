import type { Review } from '../review/review';
import type { AdmitContext } from './context';

/** Whether this is the namespace controller emptying a namespace that is being deleted: it must not be held up, or the namespace never goes. */
export const emptiesNamespace = (review: Review, { state, namespaceControllers }: AdmitContext): boolean =>
  review.operation === 'DELETE' && namespaceControllers.includes(review.user.username) && state.terminating.has(review.namespace);
