/** `status` of a Release as the control plane leaves it once every proxy is active. */
import type { ReleaseStatusResource } from '../../core/bundle/release-status';
import type { Digest } from '../../core/lib/digest';

export const convergedStatus = (release: Digest): ReleaseStatusResource => ({
  observedGeneration: 1,
  state: 'converged',
  steps: 0,
  message: 'converged',
  proxies: { total: 0, concerned: 0, active: 0, pending: 0, rejected: 0, unknown: 0, unconfigured: 0 },
  converged: release,
  progress: { release, startedAt: 1, expected: [], hurried: false, phase: { kind: 'converged', at: 2 } },
  conditions: [],
});
