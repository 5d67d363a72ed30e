import * as https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { localAuthority } from '../../test/kit/serving-certificate';
import { listen } from './listener';

test('told to end, it waits for whoever still uses the connections that are there, not only for who opens new ones', async () => {
  const authority = await localAuthority();
  const pair = await authority.serving();
  const certificate = { current: () => pair, onChange: () => undefined, problem: () => null, close: () => undefined };
  let closing = false;
  const listener = await listen(
    (_request, response) => {
      // All of them together take longer than it waits for new connections.
      void sleep(100).then(() => response.setHeader('connection', closing ? 'close' : 'keep-alive').end('yes'));
    },
    { host: '127.0.0.1', port: 0, certificate, clientCa: null, connections: 100, requestMs: 10_000 },
  );
  const ask = (agent: https.Agent): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const request = https.get(listener.url, { agent, ca: authority.ca }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      request.once('error', reject);
    });
  const agents = Array.from({ length: 12 }, () => new https.Agent({ keepAlive: true, maxSockets: 1 }));
  await Promise.all(agents.map(ask));
  closing = true;
  const closed = listener.close();
  for (const agent of agents) expect(await ask(agent)).toBe(200);
  await closed;
  for (const agent of agents) agent.destroy();
}, 60_000);
