import type { Release, ReleaseSet } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';

/** What proxies have under a release whose roll-out is over: its candidate, or what was there before where it was given up. */
export function inForce(release: Release, status: Pick<RolloutStatus, 'state'>): ReleaseSet {
  return status.state === 'aborted' ? release.stable : release.candidate;
}

/** Whether two sets put the same objects in force. */
export function sameSet(a: ReleaseSet, b: ReleaseSet): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
