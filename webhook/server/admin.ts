/** The second listener, without TLS: whether it lives, whether it may be asked, and what it counts. Nothing here changes anything. */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostPort } from '../../core/lib/host-port';
import { listenHost } from '../../platform/listen-host';
import { metricsHandler, type Metrics } from '../../platform/metrics';

/** One thing that readiness depends on, or that is only told. */
export interface Check {
  readonly name: string;
  readonly good: boolean;
  /** false: said, and ready nevertheless. */
  readonly needed: boolean;
  readonly detail: string;
}

export async function serveAdmin(
  options: { readonly host: string; readonly port: number },
  metrics: Metrics,
  checks: () => readonly Check[],
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const answerMetrics = metricsHandler(metrics);
  const server = http.createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const say = (status: number, text: string): void =>
      void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
    if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'only GET');
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return say(200, 'ok');
      case '/readyz': {
        const all = checks();
        const lines = all.map(({ name, good, detail }) => `[${good ? '+' : '-'}] ${name}: ${detail}`);
        return say(all.every(({ good, needed }) => good || !needed) ? 200 : 503, lines.join('\n'));
      }
      case '/metrics':
        return answerMetrics(request, response);
      default:
        return say(404, 'there is nothing here');
    }
  });
  server.maxConnections = 64;
  const host = listenHost(options.host);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, host, resolve));
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    url: `http://${hostPort(host, port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
