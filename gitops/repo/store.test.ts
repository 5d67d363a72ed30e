import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fs from 'node:fs';
import { readBlob } from 'isomorphic-git';
import { startRepository } from '../../test/kit/git-server';
import { defaultLimits, openStore, type GitStore, type StoreOptions } from './store';

/** Nobody is given up for a machine that is busy. */
const patient = { ...defaultLimits, timeoutMs: 300_000 };
const undo: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function repository(options: Parameters<typeof startRepository>[0] = {}): Promise<Awaited<ReturnType<typeof startRepository>>> {
  const made = await startRepository(options);
  undo.push(made.close);
  return made;
}
async function store(url: string, options: Partial<StoreOptions> = {}): Promise<GitStore & { dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'meshwright-store-'));
  undo.push(() => rm(dir, { recursive: true, force: true }));
  const opened = await openStore({
    dir,
    url,
    branch: 'main',
    authorization: () => Promise.resolve(null),
    limits: patient,
    ...options,
  });
  return { ...opened, dir };
}
const text = async (from: GitStore, oid: string, filepath: string): Promise<string> =>
  Buffer.from((await readBlob({ fs, gitdir: from.gitdir, oid, filepath })).blob).toString();

test('follows the branch: clone, fetch, nothing new, force push, rewind', async () => {
  const { server, work } = await repository();
  const first = await work.push({ 'policies/a.policy.ts': 'one' });
  const from = await store(server.url);
  expect(await from.fetch()).toEqual({ kind: 'ok', value: first, diagnostics: [] });
  const second = await work.push({ 'policies/a.policy.ts': 'two', 'policies/deep/b.policy.ts': 'b' });
  expect(await from.fetch()).toEqual({ kind: 'ok', value: second, diagnostics: [] });
  expect(await text(from, second, 'policies/deep/b.policy.ts')).toBe('b');
  expect(await from.fetch()).toEqual({ kind: 'ok', value: second, diagnostics: [] });
  await work.git('reset', '--quiet', '--hard', first);
  const other = await work.push({ 'policies/a.policy.ts': 'three' }, { force: true });
  expect(await from.fetch()).toEqual({ kind: 'ok', value: other, diagnostics: [] });
  expect(await text(from, other, 'policies/a.policy.ts')).toBe('three');
  await work.git('push', '--quiet', '--force', 'origin', `${first}:main`);
  expect(await from.fetch()).toEqual({ kind: 'ok', value: first, diagnostics: [] });
  expect(await text(from, first, 'policies/a.policy.ts')).toBe('one');
});

test('a damaged or overgrown store is cloned anew', async () => {
  const { server, work } = await repository();
  await work.push({ 'policies/a.policy.ts': 'one' });
  const from = await store(server.url, { limits: { ...patient, fetches: 3 } });
  await from.fetch();
  const packs = join(from.gitdir, 'objects', 'pack');
  for (const name of await readdir(packs)) if (name.endsWith('.pack')) await writeFile(join(packs, name), 'broken');
  const second = await work.push({ 'policies/b.policy.ts': 'two' });
  const healed = await from.fetch();
  expect(healed).toMatchObject({ kind: 'ok', value: second });
  expect(await text(from, second, 'policies/a.policy.ts')).toBe('one');
  const said: string[] = [];
  for (let i = 0; i < 4; i++) said.push(...(await from.fetch()).diagnostics.map((d) => d.code));
  expect(said).toEqual(['MW7106']);
});

test('credentials: none, wrong, right, as password and as bearer', async () => {
  const { server, work } = await repository({ auth: { user: 'git', password: 'pw-1', bearer: 'tok-1' } });
  const oid = await work.push({ 'policies/a.policy.ts': 'one' });
  const basic = (value: string): string => `Basic ${Buffer.from(value).toString('base64')}`;
  for (const [header, expected] of [
    [null, 'MW7102'],
    [basic('git:pw-2'), 'MW7102'],
    [basic('git:pw-1'), oid],
    ['Bearer tok-1', oid],
  ] as const) {
    const result = await (await store(server.url, { authorization: () => Promise.resolve(header) })).fetch();
    expect(result.kind === 'ok' ? result.value : result.diagnostics[0]?.code).toBe(expected);
  }
});

test('a missing branch, a pack that is too large, nobody listening', async () => {
  const { server, work } = await repository();
  await work.push({ 'big.bin': Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i * 7919) % 251)).toString('base64') });
  const code = async (url: string, options: Partial<StoreOptions> = {}): Promise<string | undefined> =>
    (await (await store(url, options)).fetch()).diagnostics[0]?.code;
  expect(await code(server.url, { branch: 'prod' })).toBe('MW7103');
  expect(await code(server.url, { limits: { ...patient, packBytes: 1_000 } })).toBe('MW7104');
  await server.close();
  expect(await code(server.url)).toBe('MW7101');
});

test('a redirect is not followed and a server that never ends is given up', async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    if (request.url?.startsWith('/moved')) response.writeHead(302, { location: '/elsewhere' }).end();
    else
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' }).write('001e# service=git-upload-pack\n');
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  undo.push(() => new Promise((resolve) => (server.closeAllConnections(), server.close(() => resolve()))));
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const authorization = (): Promise<string> => Promise.resolve('Bearer t');
  expect((await (await store(`${base}/moved.git`, { authorization })).fetch()).diagnostics[0]?.code).toBe('MW7107');
  expect(
    (await (await store(`${base}/endless.git`, { authorization, limits: { ...defaultLimits, timeoutMs: 300 } })).fetch()).diagnostics[0]
      ?.code,
  ).toBe('MW7105');
  expect(seen.some((line) => line.startsWith('/elsewhere'))).toBe(false);
});
