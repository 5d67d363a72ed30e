import * as fs from 'node:fs/promises';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../platform/log';
import { localAuthority } from '../../test/kit/serving-certificate';
import { until } from '../../test/kit/until';
import { keysFromFile, keysFromUrl, type IssuerKeys } from './issuer-keys';

const key = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: '1' };
const set = JSON.stringify({ keys: [key] });

describe("an issuer's keys", () => {
  let dir: string;
  let server: https.Server;
  let url: string;
  let answer: { status: number; body: string };
  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-keys-'));
    const authority = await localAuthority();
    await fs.writeFile(join(dir, 'ca.pem'), authority.ca);
    server = https.createServer(await authority.serving(), (_request, response) => response.writeHead(answer.status).end(answer.body));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/keys`; // a TCP server that listens has one
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await fs.rm(dir, { recursive: true, force: true });
  });
  const outcome = async (keys: IssuerKeys): Promise<string> => {
    // A machine that stood still gives up, and fetches again.
    await until('an answer', () => !/^they were not fetched yet$|^it does not answer/.test(keys.problem() ?? ''));
    keys.close();
    return keys.problem() ?? JSON.stringify(keys.current());
  };

  test('are fetched in the background, by a certificate that verifies', async () => {
    answer = { status: 200, body: set };
    expect(await outcome(keysFromUrl(url, join(dir, 'ca.pem'), silentLog))).toBe(set);
    expect(await outcome(keysFromUrl(url, null, silentLog))).toContain('certificate');
  });
  test('are none when the answer is an error, a redirect, too long, or no key set', async () => {
    for (const [status, body, why] of [
      [500, set, 'it answers 500'],
      [302, set, 'it answers 302'],
      [200, 'x'.repeat(2 << 20), 'more than'],
      [200, '{"keys":"all"}', 'no key set'],
    ] as const) {
      answer = { status, body };
      const keys = keysFromUrl(url, join(dir, 'ca.pem'), silentLog);
      expect(await outcome(keys)).toContain(why);
      expect(keys.current()).toBeNull();
    }
  });
  test('are read from a file that only its owner writes', async () => {
    const file = join(dir, 'keys.json');
    await fs.writeFile(file, set, { mode: 0o644 }); // whatever the umask
    const keys = await keysFromFile(file, silentLog);
    expect(keys.current()).toEqual({ keys: [key] });
    keys.close();
    await fs.chmod(file, 0o666);
    await expect(keysFromFile(file, silentLog)).rejects.toThrow('everybody may write it');
  });
});
