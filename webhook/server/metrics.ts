/** What the webhook counts. Labels are closed lists: nothing that a user writes becomes one. */
import { createMetrics, type Metrics } from '../../platform/metrics';
import type { RuleName } from '../admit/verdict';

export type VerdictLabel = 'allowed' | 'patched' | 'warned' | 'denied' | 'undecided';
export interface Sampled {
  readonly certificateExpiry: number;
  readonly rulesGeneration: number;
  readonly rulesKnown: boolean;
  readonly synced: boolean;
  readonly stale: boolean;
  readonly trustIsGood: boolean;
  /** By path: whether a failure denies. */
  readonly failsClosed: ReadonlyMap<string, boolean>;
}
export interface WebhookMetrics {
  readonly metrics: Metrics;
  decision(path: string, rule: RuleName, verdict: VerdictLabel, dryRun: boolean): void;
  answered(path: string, seconds: number): void;
  refused(path: string, status: number): void;
  body(bytes: number): void;
  inFlight(change: 1 | -1): void;
}

const bodyBuckets: readonly number[] = [1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000, 8_000_000];

/** The metrics; `sample` is read when they are scraped. */
export function webhookMetrics(sample: () => Sampled): WebhookMetrics {
  const metrics = createMetrics();
  const decisions = metrics.counter({
    name: 'meshwright_webhook_decisions_total',
    help: 'Reviews decided, by what decided and how',
    labels: ['path', 'rule', 'verdict', 'dry_run'],
  });
  const seconds = metrics.histogram({
    name: 'meshwright_webhook_review_seconds',
    help: 'From the head of a request to its answer',
    labels: ['path'],
  });
  const refusals = metrics.counter({
    name: 'meshwright_webhook_refused_requests_total',
    help: 'Requests answered with an HTTP error, which the API server takes for a failure',
    labels: ['path', 'status'],
  });
  const underWay = metrics.gauge({ name: 'meshwright_webhook_in_flight', help: 'Requests under way' });
  const bytes = metrics.histogram({ name: 'meshwright_webhook_body_bytes', help: 'Size of the bodies of reviews', buckets: bodyBuckets });
  const expiry = metrics.gauge({
    name: 'meshwright_webhook_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that is served lapses',
  });
  const generation = metrics.gauge({
    name: 'meshwright_webhook_rules_generation',
    help: 'Generation of the release whose admission rules are in force; 0 when none are',
  });
  const known = metrics.gauge({ name: 'meshwright_webhook_rules_known', help: '0 when there are rules that cannot be had or believed' });
  const synced = metrics.gauge({
    name: 'meshwright_webhook_state_synced',
    help: '1 when what is decided by was listed from the API server',
  });
  const stale = metrics.gauge({ name: 'meshwright_webhook_state_stale', help: '1 while the API server cannot be followed' });
  const trust = metrics.gauge({
    name: 'meshwright_webhook_trust_root_good',
    help: '0 when the trust root on disk cannot be used and the last good one stays',
  });
  const closed = metrics.gauge({
    name: 'meshwright_webhook_fails_closed',
    help: '1 when a failure of this path denies, 0 when it lets everything in',
    labels: ['path'],
  });
  const serialise = metrics.registry.metrics.bind(metrics.registry);
  metrics.registry.metrics = () => {
    const now = sample();
    expiry.set(now.certificateExpiry / 1_000);
    generation.set(now.rulesGeneration);
    known.set(now.rulesKnown ? 1 : 0);
    synced.set(now.synced ? 1 : 0);
    stale.set(now.stale ? 1 : 0);
    trust.set(now.trustIsGood ? 1 : 0);
    closed.reset();
    for (const [path, closes] of now.failsClosed) closed.set({ path }, closes ? 1 : 0);
    return serialise();
  };
  return {
    metrics,
    decision: (path, rule, verdict, dryRun) => decisions.inc({ path, rule, verdict, dry_run: String(dryRun) }),
    answered: (path, took) => seconds.observe({ path }, took),
    refused: (path, status) => refusals.inc({ path, status: String(status) }),
    body: (size) => bytes.observe(size),
    inFlight: (change) => underWay.inc(change),
  };
}
