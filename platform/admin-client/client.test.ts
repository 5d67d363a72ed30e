import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfJson } from '../../core/lib/digest';
import { adminApi, type AdminApi } from './client';

let dir = '';
let server: Server;
let adminUrl = '';
let tokenFile = '';
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const seen: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-admin-'));
  tokenFile = join(dir, 'token');
  server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? '');
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  adminUrl = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});
beforeEach(async () => {
  seen.length = 0;
  await writeFile(tokenFile, 'first\n', { mode: 0o600 });
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

const client = (limits: Parameters<typeof adminApi>[1] = {}): AdminApi =>
  adminApi({ adminUrl, tokenFile }, { timeoutMs: 300_000, ...limits });
const json = (status: number, body: unknown) => (_: unknown, response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

test('the token is read for each request, and only from a file that is its own', async () => {
  answer = json(200, {});
  const api = client();
  await api.ask('GET', '/x');
  await writeFile(tokenFile, 'second\n');
  await api.ask('GET', '/x');
  expect(seen).toEqual(['Bearer first', 'Bearer second']);
  const { chmod } = await import('node:fs/promises');
  await chmod(tokenFile, 0o644);
  expect(await api.ask('GET', '/x')).toMatchObject({ kind: 'unreachable', diagnostics: [{ code: 'MW7150' }] });
  await chmod(tokenFile, 0o600);
  expect(seen).toHaveLength(2);
});

test('what is no token is not sent, and not repeated either', async () => {
  for (const text of ['{\n  "d": "PRIVATE"\n}\n', 'PRIVATE\u00a0KEY', 'PRIVATE ключ', 'PRIVATE KEY']) {
    await writeFile(tokenFile, text);
    const said = await client().ask('GET', '/x');
    expect(said).toMatchObject({ kind: 'unreachable', diagnostics: [{ code: 'MW7150' }] });
    expect(JSON.stringify(said)).not.toContain('PRIVATE');
  }
  expect(seen).toEqual([]);
});

test('an answer that is too large, too late, no JSON or elsewhere is no answer', async () => {
  answer = json(200, { text: 'x'.repeat(5_000) });
  expect(await client({ maxBytes: 1_000 }).ask('GET', '/x')).toMatchObject({ kind: 'unreachable', reason: 'its answer is too large' });
  answer = () => undefined;
  expect(await client({ timeoutMs: 50 }).ask('GET', '/x')).toMatchObject({ kind: 'unreachable', reason: 'it took too long' });
  answer = (_, response) => void response.end('<html>');
  expect(await client().ask('GET', '/x')).toMatchObject({ kind: 'unreachable', reason: 'its answer is not JSON' });
  answer = (_, response) => void response.writeHead(307, { location: adminUrl }).end();
  expect(await client().ask('GET', '/x')).toMatchObject({ kind: 'unreachable' });
  expect(seen).toHaveLength(4);
});

test('a refusal has its words; a wrong token and a failure of the server are none', async () => {
  answer = json(422, { diagnostics: [{ code: 'MW6010', message: 'another parent' }, 'x'] });
  expect(await client().ask('PUT', '/v1/release', {})).toMatchObject({ kind: 'refused', status: 422, diagnostics: [{ code: 'MW6010' }] });
  answer = json(405, { error: 'not here' });
  expect(await client().ask('PUT', '/v1/release', {})).toMatchObject({ kind: 'refused', reason: 'not here', diagnostics: [] });
  for (const status of [401, 403, 500, 503]) {
    answer = json(status, { diagnostics: [{ code: 'MW6010', message: 'x' }] });
    expect(await client().ask('GET', '/x')).toMatchObject({ kind: 'unreachable', diagnostics: [] });
  }
});

test('a live release is believed when its digest is its own', async () => {
  const release = { generation: 3, candidate: {} };
  const signed = { release, digest: digestOfJson(release), jws: 'x' };
  answer = json(200, signed);
  expect(await client().release()).toMatchObject({ kind: 'ok', value: signed });
  answer = json(404, {});
  expect(await client().release()).toMatchObject({ kind: 'ok', value: null });
  for (const wrong of [{ ...signed, release: { ...release, generation: 4 } }, { ...signed, jws: 1 }, { release }, 7]) {
    answer = json(200, wrong);
    expect(await client().release()).toMatchObject({ kind: 'unreachable', reason: 'its release is not of the documented form' });
  }
});

test('events are read across chunks, and one that never ends is given up', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"a":');
    setTimeout(() => response.end('1}\n\n: a comment\n\ndata: 2\n\n'), 20);
  };
  const events = client().events('/v1/status?watch=1');
  const values: unknown[] = [];
  for await (const event of events) values.push(event);
  expect(values).toEqual([{ a: 1 }, 2]);
  answer = (_, response) => void response.end(`data: "${'x'.repeat(5_000)}`);
  expect(await client({ maxBytes: 1_000 }).events('/x').next()).toMatchObject({
    done: true,
    value: { reason: 'one of its events is too large' },
  });
  answer = json(503, {});
  expect(await client().events('/x').next()).toMatchObject({ done: true, value: { kind: 'unreachable' } });
});
