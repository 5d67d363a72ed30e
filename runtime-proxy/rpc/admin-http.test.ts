import * as http from 'node:http';
import { createLog } from '../../platform/log';
import { serveAdmin } from './admin-http';

test('what is no address at all is the asker’s mistake, answered without a token and not logged as trouble', async () => {
  const said: unknown[] = [];
  const log = Object.assign(createLog('test'), { error: (...words: unknown[]) => void said.push(words) });
  const server = await serveAdmin({ host: '127.0.0.1', port: 0 }, 'token', [], log);
  const { port } = new URL(server.url);
  const statusOf = (path: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });
  try {
    expect(await statusOf('//')).toBe(400);
    expect(await statusOf('/nothing')).toBe(404);
    expect(said).toEqual([]);
  } finally {
    await server.close();
  }
});
