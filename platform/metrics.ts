import type { IncomingMessage, ServerResponse } from 'node:http';
import { reasonOf } from '../core/lib/reason';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Seconds, from half a millisecond to a minute: stages, requests and roll-outs all fit. */
export const secondsBuckets: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Described {
  /** `meshwright_<server>_<what>_<unit>`, counters end with `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}
/** One server's metrics: a registry of its own, so that two servers in one process do not mix. */
export interface Metrics {
  readonly registry: Registry;
  counter(described: Described): Counter;
  gauge(described: Described): Gauge;
  /** Seconds, unless `buckets` say otherwise. */
  histogram(described: Described & { readonly buckets?: readonly number[] }): Histogram;
}

/** A fresh registry, with the process's own metrics (memory, CPU, event loop) unless `process: false`. */
export function createMetrics(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.process !== false) collectDefaultMetrics({ register: registry });
  const common = (described: Described): { name: string; help: string; labelNames: string[]; registers: Registry[] } => ({
    name: described.name,
    help: described.help,
    labelNames: [...(described.labels ?? [])],
    registers: [registry],
  });
  return {
    registry,
    counter: (described) => new Counter(common(described)),
    gauge: (described) => new Gauge(common(described)),
    histogram: (described) => new Histogram({ ...common(described), buckets: [...(described.buckets ?? secondsBuckets)] }),
  };
}

/** Answers `GET /metrics` in Prometheus' text format. Fits node:http and express. */
export function metricsHandler(metrics: Metrics): (request: IncomingMessage, response: ServerResponse) => void {
  return (_request, response) => {
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(reasonOf(error)),
    );
  };
}
