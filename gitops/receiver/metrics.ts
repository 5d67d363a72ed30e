import { createMetrics, type Metrics } from '../../platform/metrics';
import type { AttemptOutcome, Leg } from '../reconcile/state';

export interface LoopMetrics {
  readonly metrics: Metrics;
  delivery(verdict: 'accepted' | 'ignored' | 'duplicate' | 'unsigned' | 'malformed'): void;
  leg(leg: Leg, ms: number): void;
  outcome(outcome: AttemptOutcome): void;
}

/** The loop's metrics; `state` is read when they are scraped. */
export function loopMetrics(
  state: () => { readonly generation: number; readonly quarantined: number; readonly ready: boolean },
): LoopMetrics {
  const metrics = createMetrics();
  const deliveries = metrics.counter({
    name: 'meshwright_gitops_deliveries_total',
    help: 'Push webhook deliveries by verdict',
    labels: ['verdict'],
  });
  const legs = metrics.histogram({
    name: 'meshwright_gitops_leg_seconds',
    help: 'Time of each leg from commit to convergence',
    labels: ['leg'],
  });
  const outcomes = metrics.counter({
    name: 'meshwright_gitops_attempts_total',
    help: 'Attempts to bring a commit into force by outcome',
    labels: ['outcome'],
  });
  const generation = metrics.gauge({
    name: 'meshwright_gitops_live_generation',
    help: 'Generation of the release that the loop brought into force last',
  });
  const held = metrics.gauge({ name: 'meshwright_gitops_quarantined_commits', help: 'Commits that are not tried again' });
  const ready = metrics.gauge({
    name: 'meshwright_gitops_ready',
    help: '1 when the repository and the control plane answered at the last look',
  });
  const serialise = metrics.registry.metrics.bind(metrics.registry);
  metrics.registry.metrics = () => {
    const now = state();
    generation.set(now.generation);
    held.set(now.quarantined);
    ready.set(now.ready ? 1 : 0);
    return serialise();
  };
  return {
    metrics,
    delivery: (verdict) => deliveries.inc({ verdict }),
    leg: (leg, ms) => legs.observe({ leg }, ms / 1_000),
    outcome: (outcome) => outcomes.inc({ outcome }),
  };
}
