import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { digestOfJson } from '../../core/lib/digest';
import { systemClock } from '../../platform/clock';
import { controlPlane, type ControlPlane } from './control-plane';

let dir = '';
let server: Server;
let plane: ControlPlane;
const seen: string[] = [];
/** Answers by method and path; a list is given out one after the other, its last for good. */
const answers = new Map<string, { status: number; body?: unknown }[]>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-plane-'));
  await writeFile(join(dir, 'token'), 'the-token\n', { mode: 0o600 });
  server = createServer((request, response) => {
    const key = `${request.method} ${request.url}`;
    seen.push(key);
    const queue = answers.get(key) ?? [];
    const answer = request.headers.authorization === 'Bearer the-token' ? (queue.length > 1 ? queue.shift() : queue[0]) : { status: 401 };
    request
      .resume()
      .on('end', () => response.writeHead(answer?.status ?? 404).end(answer?.body === undefined ? '' : JSON.stringify(answer.body)));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  plane = controlPlane({
    adminUrl: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    tokenFile: join(dir, 'token'),
    clock: systemClock,
  });
});
beforeEach(() => {
  seen.length = 0;
  answers.clear();
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

const status = (state: string, generation = 3, connected = true): object => ({ state, generation, proxies: [{ connected }], message: '' });

test('what is live: nothing yet, a release, an answer that is none, one whose digest is not its own', async () => {
  const release = { generation: 3, candidate: {} };
  expect(await plane.liveRelease()).toEqual({ kind: 'ok', value: null, diagnostics: [] });
  answers.set('GET /v1/release', [{ status: 200, body: { release, digest: digestOfJson(release), jws: 'x' } }]);
  expect(await plane.liveRelease()).toMatchObject({ kind: 'ok', value: { release } });
  for (const body of [{ release: { ...release, generation: 4 }, digest: digestOfJson(release), jws: 'x' }, { release }, 7]) {
    answers.set('GET /v1/release', [{ status: 200, body }]);
    expect(await plane.liveRelease()).toMatchObject({ kind: 'unavailable', diagnostics: [{ code: 'MW7140' }] });
  }
});

test('an error of the server is trouble, a refusal is its own words', async () => {
  answers.set('GET /v1/release', [{ status: 500 }]);
  expect(await plane.liveRelease()).toMatchObject({ kind: 'unavailable', diagnostics: [{ code: 'MW7140' }] });
  answers.set('GET /v1/release', [{ status: 422, body: { diagnostics: [{ code: 'MW6010', message: 'another parent' }] } }]);
  expect(await plane.liveRelease()).toMatchObject({ kind: 'refused', diagnostics: [{ code: 'MW6010' }] });
  const nobody = controlPlane({ adminUrl: 'http://127.0.0.1:1', tokenFile: join(dir, 'token'), clock: systemClock });
  expect(await nobody.status()).toMatchObject({ kind: 'unavailable', diagnostics: [{ code: 'MW7140' }] });
  const noToken = controlPlane({ adminUrl: 'http://127.0.0.1:1', tokenFile: join(dir, 'none'), clock: systemClock });
  expect(await noToken.status()).toMatchObject({ kind: 'unavailable', diagnostics: [{ code: 'MW7150' }] });
});

test('a roll-out is followed through a restart of the control plane to its end', async () => {
  answers.set('GET /v1/status', [
    { status: 200, body: status('converged', 2) },
    { status: 200, body: status('rolling') },
    { status: 503 },
    { status: 200, body: status('unproven') },
    { status: 200, body: status('holding') },
    { status: 200, body: status('aborted') },
  ]);
  expect(await plane.converge(3, new AbortController().signal)).toMatchObject({ kind: 'ok', value: { state: 'aborted' } });
  expect(seen).toHaveLength(6);
  answers.set('GET /v1/status', [{ status: 200, body: status('rolling') }]);
  await expect(plane.converge(3, AbortSignal.timeout(60))).rejects.toThrow();
});

test('abort and promote need something that rolls', async () => {
  answers.set('GET /v1/status', [{ status: 200, body: status('converged') }]);
  expect(await plane.abort('x')).toMatchObject({ kind: 'refused', diagnostics: [{ code: 'MW7126' }] });
  answers.set('GET /v1/status', [{ status: 200, body: status('holding') }]);
  answers.set('POST /v1/rollout/promote', [{ status: 202, body: {} }]);
  expect(await plane.promote()).toMatchObject({ kind: 'ok' });
});

test('without Pulumi only the objects that are not there are sent, the release last', async () => {
  const [old, fresh] = ['sha256:1', 'sha256:2'];
  answers.set(`GET /v1/objects/${old}`, [{ status: 200, body: {} }]);
  answers.set(`PUT /v1/objects/${fresh}`, [{ status: 201, body: {} }]);
  answers.set('PUT /v1/release', [{ status: 202, body: {} }]);
  const bundle = { release: {}, objects: [{ digest: old }, { digest: fresh }], sources: {} } as unknown as Bundle;
  expect(await plane.put(bundle)).toMatchObject({ kind: 'ok' });
  expect(seen.filter((line) => line.startsWith('PUT'))).toEqual([`PUT /v1/objects/${fresh}`, 'PUT /v1/release']);
});
