import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMetrics, metricsHandler } from './metrics';

describe('metrics', () => {
  it('serves its own registry only, with labels', async () => {
    const metrics = createMetrics({ process: false });
    const other = createMetrics({ process: false });
    metrics.counter({ name: 'meshwright_test_things_total', help: 'things', labels: ['kind'] }).inc({ kind: 'a' }, 3);
    other.counter({ name: 'meshwright_test_things_total', help: 'things' }).inc(9);
    const server = http.createServer(metricsHandler(metrics));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    try {
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`);
      expect(response.headers.get('content-type')).toContain('text/plain');
      expect(await response.text()).toContain('meshwright_test_things_total{kind="a"} 3');
    } finally {
      await new Promise((done) => server.close(done));
    }
  });
});
