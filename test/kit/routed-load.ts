/**
 * Requests at a constant rate, each along one of very many routes, and each answer compared with where that route goes: before the change, after it, or either
 * while it is made. One in `freshEvery` goes over a connection of its own.
 */
import * as http from 'node:http';
import { constantArrival } from './constant-arrival';
import { moments } from './judged-load';
import { requestOf, type Routes, versionOf } from './routes-mesh';

export interface RoutedLoadPlan {
  readonly kind: Routes;
  readonly routes: number;
  readonly perSecond: number;
  /** The caller's proxy. */
  readonly proxy: { readonly host: string; readonly port: number };
  readonly freshEvery: number;
  readonly connections: number;
  /** See `constantArrival`; absent: any number. */
  readonly mostUnderWay?: number;
}
export interface RoutedLoadReport {
  readonly sent: number;
  readonly fresh: number;
  /** No answer, or another status than 200. */
  readonly failed: number;
  readonly failures: readonly string[];
  /** Answered by another version than the route's. */
  readonly wrong: number;
  readonly wrongs: readonly string[];
  /** Milliseconds from the moment a request was due. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly seconds: number;
}
export interface RoutedLoad {
  /** From now on routes go this way; `either` while they change. */
  set(right: 'plain' | 'turned' | 'either'): void;
  /** So many were sent by now. */
  sent(): number;
  stop(): Promise<RoutedLoadReport>;
}

/** Begins at once, with routes as they are before they are turned. */
export function routedLoad(plan: RoutedLoadPlan): RoutedLoad {
  const { kind, routes, proxy } = plan;
  const right = moments<'plain' | 'turned' | 'either'>('plain');
  const kept = new http.Agent({ keepAlive: true, maxSockets: plan.connections, scheduling: 'fifo' });
  const latencies: number[] = [];
  const failures: string[] = [];
  const wrongs: string[] = [];
  let [sent, fresh, failed, wrong] = [0, 0, 0, 0];
  const started = performance.now();
  const ask = (index: number, due: number): Promise<void> =>
    new Promise((resolve) => {
      const route = index % routes;
      const { host, path } = requestOf(kind, route);
      const alone = index % plan.freshEvery === 0;
      const mark = right.mark();
      const fail = (why: string): void => {
        failed += 1;
        if (failures.length < 20) failures.push(`${alone ? 'fresh' : 'kept'} ${host}${path}: ${why}`);
        resolve();
      };
      sent += 1;
      if (alone) fresh += 1;
      const call = http.request(
        { host: proxy.host, port: proxy.port, path, headers: { host }, agent: alone ? false : kept, timeout: 60_000 },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (text: string) => (body += text));
          response.on('error', (error) => fail(error.message));
          response.on('end', () => {
            if (response.statusCode !== 200) return fail(`${response.statusCode} ${body.trim()}`);
            latencies.push(performance.now() - due);
            const may = new Set(right.since(mark).flatMap((truth) => (truth === 'either' ? [false, true] : [truth === 'turned'])));
            if (![...may].some((turned) => body === `reviews-${versionOf(route, turned).slice(1)} ${path}`)) {
              wrong += 1;
              if (wrongs.length < 20) wrongs.push(`${host}${path}: ${body}`);
            }
            resolve();
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer within 60 s')));
      call.on('error', (error) => fail(error.message));
      call.end();
    });
  const arrivals = constantArrival(plan.perSecond, ask, { mostUnderWay: plan.mostUnderWay ?? Number.POSITIVE_INFINITY });
  return {
    set: (truth) => right.set(truth),
    sent: () => sent,
    async stop() {
      await arrivals.stop();
      kept.destroy();
      latencies.sort((a, b) => a - b);
      const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
      const seconds = (performance.now() - started) / 1000;
      return { sent, fresh, failed, failures, wrong, wrongs, latency: { p50: at(0.5), p99: at(0.99), max: at(1) }, seconds };
    },
  };
}
