/** `meshwright build --admin` and `rollout rollback BUNDLE`: a release made by hand follows what is live, in the order that the change needs. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Release } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import { generateKeys, serveSigner } from '../../compiler/sign';
import { readBundleFolder } from '../../platform/bundle-folder';
import { temporaryFolder } from '../../platform/files';
import { runGit } from '../../platform/git';
import { runCommand } from '../../platform/process';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { startAdminApi, type AdminApi } from '../kit/admin-api';

const root = path.resolve(__dirname, '..', '..');
jest.setTimeout(900_000);
let folder: string;
let api: AdminApi;
beforeAll(async () => {
  folder = await temporaryFolder('build-follows');
  api = await startAdminApi(folder);
  await fs.cp(path.join(root, 'policies'), path.join(folder, 'mesh', 'policies'), { recursive: true });
  await runGit(['init', '--quiet', '--initial-branch=main'], { cwd: path.join(folder, 'mesh') });
});
afterAll(async () => {
  await api.close();
  await fs.rm(folder, { recursive: true, force: true });
});

const commit = async (): Promise<void> => {
  await runGit(['add', '-A'], { cwd: path.join(folder, 'mesh') });
  await runGit(['commit', '--quiet', '--message', 'policies'], { cwd: path.join(folder, 'mesh') });
};
const build = async (out: string, ...more: readonly string[]): Promise<{ readonly release: Release; readonly stderr: string }> => {
  const { code, stderr } = await runCommand(
    process.execPath,
    [path.join(root, 'bin', 'meshwright.js'), 'build', 'policies', '--env', 'prod', '--out', path.join(folder, out), ...more],
    { cwd: path.join(folder, 'mesh'), env: { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache') }, timeoutMs: 300_000 },
  );
  if (code !== 0) throw new Error(stderr);
  const { release } = JSON.parse(await fs.readFile(path.join(folder, out, 'release.json'), 'utf8')) as { release: Release };
  return { release, stderr };
};

test('without a live release it is the first; with one it is the next, its parent the live one, access taken from the caller first', async () => {
  await commit();
  const admin = ['--admin', api.url, '--token-file', api.tokenFile];
  const first = await build('first', ...admin);
  expect(first.release).toMatchObject({ generation: 1, parent: null, stable: {} });
  api.release = { release: first.release, digest: digestOfJson(first.release), jws: '' };

  const file = path.join(folder, 'mesh', 'policies', 'books', 'access.policy.ts');
  const text = await fs.readFile(file, 'utf8');
  await fs.writeFile(file, text.replace(/export const pageReadsDetails.*\n/, ''));
  await commit();
  const second = await build('second', ...admin);
  expect(second.release).toMatchObject({ generation: 2, parent: digestOfJson(first.release), stable: first.release.candidate });
  expect(second.release.steps.map((step) => step.parts)).toEqual([
    [{ proxy: 'bookinfo/bookinfo-productpage', part: 'outbound' }],
    [{ proxy: 'bookinfo/bookinfo-details', part: 'inbound' }],
  ]);
});

test('a rollback to a bundle gives access to the callee first, and begins with the set that the control plane says is in force', async () => {
  const live = (await readBundleFolder(path.join(folder, 'second'))).value;
  if (!live) throw new Error('the first test has not built the second bundle');
  const second = live.release;
  for (const object of live.objects) api.objects.set(object.digest, object);
  const pulumi = await obtainPulumi();
  const keyFile = path.join(folder, 'keys.json');
  await generateKeys({ keyFile, trustFile: path.join(folder, 'trust.json') }, ['prod']);
  const signer = await serveSigner({ keyFile, socketPath: path.join(folder, 's', 's.sock'), stateFile: path.join(folder, 'floors.json') });
  const rollback = async (turn: string): Promise<Release | undefined> => {
    const { code, stderr, stdout } = await runCommand(
      process.execPath,
      [
        ...[path.join(root, 'bin', 'meshwright.js'), 'rollout', 'rollback', path.join(folder, 'first')],
        ...['--admin', api.url, '--token-file', api.tokenFile, '--signer', path.join(folder, 's', 's.sock')],
        ...['--state-dir', path.join(folder, `pulumi-${turn}`)],
      ],
      {
        cwd: path.join(folder, 'mesh'),
        env: { ...process.env, XDG_CACHE_HOME: path.join(folder, 'cache'), MESHWRIGHT_PULUMI: pulumi },
        timeoutMs: 300_000,
      },
    );
    if (code !== 0) throw new Error(`${stderr}${stdout}`);
    return api.release?.release;
  };
  try {
    for (const inForce of ['candidate', 'stable'] as const) {
      // No proxy has proved it, and it was not aborted either: only the control plane knows which set proxies have.
      api.release = { release: second.release, digest: digestOfJson(second.release), jws: '' };
      api.script = [{ state: 'converged', message: '', inForce }];
      const back = await rollback(inForce);
      expect(back).toMatchObject({ generation: 3, parent: digestOfJson(second.release), stable: second.release[inForce] });
      expect(back?.candidate).toEqual(second.release.stable);
      expect(back?.steps.map((step) => step.parts)).toEqual(
        inForce === 'stable'
          ? []
          : [[{ proxy: 'bookinfo/bookinfo-details', part: 'inbound' }], [{ proxy: 'bookinfo/bookinfo-productpage', part: 'outbound' }]],
      );
    }
  } finally {
    await signer.value?.close();
  }
});

test('where the live commit is not here it says that no order is kept', async () => {
  const first = api.release;
  if (!first) throw new Error('the first test has not put a release');
  const release = { ...first.release, commit: 'f'.repeat(40) };
  api.release = { ...first, release, digest: digestOfJson(release) };
  const { release: third, stderr } = await build('third', '--admin', api.url, '--token-file', api.tokenFile);
  expect(third.steps).toEqual([]);
  expect(stderr).toContain('no order across proxies is kept');
});
