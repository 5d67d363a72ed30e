/** Pulumi's real engine, our provider process as it is shipped (dist/), and a control plane's admin API in memory. */
import { fork } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { formatTrust } from '../../core/bundle/trust';
import { deploy, preview, recover, refresh, type UniversalTarget } from '../../deploy/automation';
import type { DeployEvent } from '../../deploy/report';
import { writeBundleFolder } from '../../platform/bundle-folder';
import { temporaryFolder } from '../../platform/files';
import { startTimeOf } from '../../platform/process';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { proxyStatus, startAdminApi, type AdminApi } from '../kit/admin-api';
import { newTestSigner, signTestBundle, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';
import { until } from '../kit/until';

const rules = (value: string): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'mesh', name: 'rules' },
  spec: { value },
});

jest.setTimeout(900_000);

describe('pulumi', () => {
  let folder: string;
  let api: AdminApi;
  let target: UniversalTarget;
  let signer: TestSigner;
  let cli: string;

  beforeAll(async () => {
    cli = await obtainPulumi();
    signer = await newTestSigner();
  }, 20 * 60_000);
  beforeEach(async () => {
    folder = await temporaryFolder('pulumi');
    api = await startAdminApi(folder);
    const trustFile = path.join(folder, 'trust.json');
    await fs.writeFile(trustFile, formatTrust({ environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }));
    target = { adminUrl: api.url, tokenFile: api.tokenFile, stateDir: path.join(folder, 'state'), stack: 'prod', trustFile };
  });
  afterEach(async () => {
    await api.close();
    await fs.rm(folder, { recursive: true, force: true });
  });

  const one = testRelease([rules('one')]);
  const bundleOf = (release: Release, value: string): Promise<Bundle> => signTestBundle(signer, release, [rules(value)]);
  const options = () => ({ pulumi: cli });
  const codes = (report: { diagnostics: readonly { code: string }[] }): string[] => report.diagnostics.map((d) => d.code);
  const steps = (report: { steps: readonly { operation: string; type: string }[] }): string[] =>
    report.steps.map((s) => `${s.operation} ${s.type.split(':').at(-1)}`);

  test('preview, update, empty preview, empty after refresh, the next release, and what is old goes', async () => {
    const first = await bundleOf(one, 'one');
    const planned = await preview(first, target, { ...options(), diff: 'who gains what' });
    expect(planned).toMatchObject({ ok: true, empty: false, diagnostics: [] });
    expect(steps(planned)).toEqual(['create MeshObject', 'create Release']);
    expect(planned.text.indexOf('who gains what')).toBe(0);
    expect(planned.text).toContain('AdmissionRules/mesh/rules');
    expect(api.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);

    const done = await deploy(first, target, options());
    expect(done).toMatchObject({ ok: true, diagnostics: [] });
    expect(api.release?.digest).toBe(first.release.digest);
    expect([...api.objects.values()]).toEqual([...first.objects]);

    expect(await preview(first, target, options())).toMatchObject({ ok: true, empty: true });
    expect(await refresh(target, options())).toMatchObject({ ok: true, empty: true });
    expect(await preview(first, target, options())).toMatchObject({ ok: true, empty: true });
    expect(await preview(first, target, { ...options(), refresh: true })).toMatchObject({ ok: true, empty: true });

    const two = testReleaseAfter(one, [rules('two')]);
    const second = await deploy(await bundleOf(two, 'two'), target, options());
    expect(second.ok).toBe(true);
    expect(steps(second)).toEqual(['create MeshObject', 'update Release']);
    expect(api.objects.size).toBe(2);

    const three = testReleaseAfter(two, [rules('three')]);
    const third = await deploy(await bundleOf(three, 'three'), target, options());
    expect(steps(third)).toEqual(['create MeshObject', 'update Release', 'delete MeshObject']);
    expect(api.objects.size).toBe(2);

    const settled = testReleaseAfter(three, [rules('three')]);
    expect(await preview(await bundleOf(settled, 'three'), target, options())).toMatchObject({
      ok: true,
      steps: [{ operation: 'delete' }],
    });
  });

  test('each proxy is told as it comes along, and drift is seen', async () => {
    api.script = [
      {
        state: 'rolling',
        message: 'waiting for reviews',
        proxies: [proxyStatus('reviews', 'candidate', 'sent'), proxyStatus('ratings', 'stable', 'active')],
      },
      {
        state: 'rolling',
        message: 'waiting for ratings',
        proxies: [proxyStatus('reviews', 'candidate', 'active'), proxyStatus('ratings', 'candidate', 'acked')],
      },
      {
        state: 'converged',
        message: '',
        proxies: [proxyStatus('reviews', 'candidate', 'active'), proxyStatus('ratings', 'candidate', 'active')],
      },
    ];
    const events: DeployEvent[] = [];
    const first = await bundleOf(one, 'one');
    expect((await deploy(first, target, { ...options(), onEvent: (event) => events.push(event) })).ok).toBe(true);
    const lines = events.flatMap((event) => (event.kind === 'progress' && !event.passing ? [event.message] : []));
    expect(lines).toEqual(
      expect.arrayContaining([
        'step 1 of 1, wave 1',
        'reviews: candidate sent',
        'reviews: candidate active',
        'ratings: candidate acked',
        'ratings: candidate active',
      ]),
    );

    const elsewhere = await bundleOf(testReleaseAfter(one, [rules('else')], { commit: 'd'.repeat(40) }), 'else');
    for (const object of elsewhere.objects) api.objects.set(object.digest, object);
    api.release = elsewhere.release;
    const seen = await refresh(target, options());
    expect(steps(seen)).toEqual(['update Release']);
    api.objects.delete(first.objects[0]?.digest ?? '');
    expect(steps(await refresh(target, options()))).toEqual(['delete MeshObject']);
  });

  test('an aborted roll-out fails the update with what the control plane said; the next release goes on from there', async () => {
    await deploy(await bundleOf(one, 'one'), target, options());
    api.script = [
      { state: 'rolling', message: 'wave 1', proxies: [proxyStatus('reviews', 'candidate', 'sent')] },
      { state: 'aborted', message: 'reviews rejected it: unknown filter', proxies: [proxyStatus('reviews', 'stable', 'active')] },
    ];
    const two = testReleaseAfter(one, [rules('two')]);
    const failed = await deploy(await bundleOf(two, 'two'), target, options());
    expect(failed.ok).toBe(false);
    expect(failed.diagnostics).toEqual([
      expect.objectContaining({ code: 'MW7003', message: expect.stringContaining('reviews rejected it: unknown filter') }),
    ]);
    api.script = [{ state: 'converged', message: '' }];
    const three = testReleaseAfter(two, [rules('three')], { stable: one.candidate });
    expect(await deploy(await bundleOf(three, 'three'), target, options())).toMatchObject({ ok: true });
    expect(await preview(await bundleOf(three, 'three'), target, options())).toMatchObject({ ok: true, empty: true });
    expect(api.objects.size).toBe(2);
  });

  test('a refused release changes nothing and says why; an unsigned bundle never reaches Pulumi', async () => {
    await deploy(await bundleOf(one, 'one'), target, options());
    api.refuseWith = { code: 'MW6011', message: 'the release was good until yesterday' };
    const two = await bundleOf(testReleaseAfter(one, [rules('two')]), 'two');
    const refused = await deploy(two, target, options());
    expect(refused.ok).toBe(false);
    expect(refused.diagnostics).toEqual([expect.objectContaining({ code: 'MW6011', message: 'the release was good until yesterday' })]);
    expect(api.release?.release.generation).toBe(1);
    const before = api.requests.length;
    const unsigned = { ...two, release: { ...two.release, jws: '' } };
    expect(codes(await deploy(unsigned, target, options()))).toEqual(['MW6002']);
    expect(api.requests.length).toBe(before);
  });

  test('a preview sees a release that does not follow, a wrong environment, and a control plane that is away', async () => {
    await deploy(await bundleOf(one, 'one'), target, options());
    const late = await preview(await bundleOf(testRelease([rules('x')], { generation: 7 }), 'x'), target, options());
    expect(codes(late)).toEqual(['MW7002']);
    const closed = await startAdminApi(folder);
    await closed.close();
    expect(
      codes(
        await preview(await bundleOf(one, 'one'), { ...target, stateDir: path.join(folder, 'other'), adminUrl: closed.url }, options()),
      ),
    ).toEqual(['MW7006']);
  });

  test('the lock of a dead process is broken, a live one is respected, an interrupted operation is repaired', async () => {
    const first = await bundleOf(one, 'one');
    await deploy(first, target, options());
    const locks = path.join(target.stateDir, 'backend/.pulumi/locks/organization/meshwright/prod');
    await fs.mkdir(locks, { recursive: true });
    const lock = (pid: number, hostname: string) => JSON.stringify({ pid, username: 'x', hostname, timestamp: new Date().toISOString() });
    const { hostname } = await import('node:os');
    await fs.writeFile(path.join(locks, 'dead.json'), lock(2 ** 22 - 1, hostname()));
    await fs.writeFile(path.join(locks, 'reused.json'), lock(process.pid, hostname())); // alive, and no Pulumi
    const two = await bundleOf(testReleaseAfter(one, [rules('two')]), 'two');
    const done = await deploy(two, target, options());
    expect(done.ok).toBe(true);
    expect(codes(done)).toEqual(['MW7008', 'MW7008']);

    await fs.writeFile(path.join(locks, 'elsewhere.json'), lock(1, 'another-host'));
    const blocked = await deploy(two, target, { ...options(), lockWaitMs: 0 });
    expect(blocked).toMatchObject({ ok: false, diagnostics: [{ code: 'MW7007' }] });
    await fs.rm(path.join(locks, 'elsewhere.json'));

    const checkpoint = path.join(target.stateDir, 'backend/.pulumi/stacks/meshwright/prod.json');
    const state = JSON.parse(await fs.readFile(checkpoint, 'utf8'));
    const release = state.checkpoint.latest.resources.find((resource: { type: string }) => resource.type === 'meshwright:index:Release');
    state.checkpoint.latest.pending_operations = [{ resource: release, type: 'updating' }];
    await fs.writeFile(checkpoint, JSON.stringify(state));
    expect(codes(await recover(target, options()))).toEqual(['MW7009']);
    expect(await preview(two, target, options())).toMatchObject({ ok: true, empty: true, diagnostics: [] });
  });

  test('killed while proxies are being waited for: the next run breaks the lock, repairs, and ends well', async () => {
    await deploy(await bundleOf(one, 'one'), target, options());
    const two = await bundleOf(testReleaseAfter(one, [rules('two')]), 'two');
    await writeBundleFolder(path.join(folder, 'bundle'), two);
    const root = path.resolve(__dirname, '..', '..', 'dist');
    const script = path.join(folder, 'child.js');
    await fs.writeFile(
      script,
      `const { deploy } = require(${JSON.stringify(path.join(root, 'deploy', 'automation.js'))});
       const { readBundleFolder } = require(${JSON.stringify(path.join(root, 'platform', 'bundle-folder.js'))});
       readBundleFolder(${JSON.stringify(path.join(folder, 'bundle'))}).then(({ value }) => deploy(value, ${JSON.stringify(target)}, ${JSON.stringify(options())}));`,
    );
    api.script = [{ state: 'rolling', message: 'waiting', proxies: [proxyStatus('reviews', 'candidate', 'sent')] }];
    const child = fork(script, { stdio: 'ignore' });
    await until('proxies are waited for', () => api.release?.release.generation === 2 || child.exitCode !== null);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    // the engine ends by itself, and before there is anything to be glad of
    const locks = path.join(target.stateDir, 'backend/.pulumi/locks/organization/meshwright/prod');
    const [lock = ''] = (await fs.readdir(locks)).filter((name) => name.endsWith('.json'));
    const engine: { readonly pid: number } = JSON.parse(await fs.readFile(path.join(locks, lock), 'utf8'));
    await until('the engine has ended', async () => (await startTimeOf(engine.pid)) === null);
    api.script = [{ state: 'converged', message: '' }];
    const next = await deploy(two, target, options());
    expect(next.ok).toBe(true);
    expect(codes(next)).toEqual(['MW7008', 'MW7009']);
    expect(await preview(two, target, options())).toMatchObject({ ok: true, empty: true, diagnostics: [] });
  });
});
