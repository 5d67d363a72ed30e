import type { ReleaseSet } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';

/** Which of a release's sets is in force, and so what the next release must name as `stable`. The control plane's word, where it gives it. */
export function inForce(status: Pick<RolloutStatus, 'state' | 'inForce'>): 'stable' | 'candidate' {
  return status.inForce ?? (status.state === 'aborted' ? 'stable' : 'candidate');
}

/** Whether two sets put the same objects in force. */
export function sameSet(a: ReleaseSet, b: ReleaseSet): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
