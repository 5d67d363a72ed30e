import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { createLog } from '../../platform/log';
import { adminToken, serveAdmin } from './admin-http';

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

test('a token is made once, kept, and refused by the name of its file where no header can carry it', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-admin-'));
  const file = path.join(folder, 'admin-token');
  try {
    const made = await adminToken(file);
    expect(await adminToken(file)).toBe(made);
    for (const bad of ['\0'.repeat(48), 'two words', 'caf\u00e9', 'x'.repeat(4_097)]) {
      await fs.writeFile(file, `${bad}\n`);
      await expect(adminToken(file)).rejects.toThrow(`${file} holds no token`);
    }
  } finally {
    await fs.rm(folder, { recursive: true });
  }
});
