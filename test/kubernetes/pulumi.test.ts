/** Deployment to a real API server by Pulumi's real engine through the Automation API. The Kubernetes provider is stood in for (test/kit/pulumi-resource-kubernetes). */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { formatTrust } from '../../core/bundle/trust';
import { deploy, preview, recover, refresh, type DeployTarget } from '../../deploy/automation';
import type { DeployEvent } from '../../deploy/report';
import { resources } from '../../platform/kube';
import { fakeControlPlane, type FakeControlPlane } from '../kit/fake-control-plane';
import { startPulumiCluster, type PulumiCluster } from '../kit/pulumi-cluster';
import { until } from '../kit/until';
import { newTestSigner, signTestBundle, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';

jest.setTimeout(1_800_000);

const rules = (value: string): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { environment: 'prod', trustDomain: `${value}.example`, namespaces: ['shop'], deploys: [] },
});

describe('Pulumi on Kubernetes', () => {
  let cluster: PulumiCluster;
  let plane: FakeControlPlane;
  let signer: TestSigner;
  let target: DeployTarget;

  beforeAll(async () => {
    cluster = await startPulumiCluster();
    signer = await newTestSigner();
  }, 20 * 60_000);
  afterAll(() => cluster?.close());
  beforeEach(async () => {
    const { folder, server, kube } = cluster;
    const trustFile = path.join(folder, 'trust.json');
    await fs.writeFile(trustFile, formatTrust({ environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }));
    const stateDir = path.join(folder, `state-${performance.now()}`);
    target = { kind: 'kubernetes', kubeconfig: server.kubeconfig, stateDir, stack: 'prod', trustFile };
    plane = fakeControlPlane(kube);
  });
  afterEach(async () => {
    plane.close();
    const { kube } = cluster;
    for (const resource of [resources.releases, resources.admissionRules])
      for (const { metadata } of (await kube.list(resource)).items) await kube.remove(resource, metadata);
  });

  const one = testRelease([rules('one')]);
  const bundleOf = (release: Release, value: string): Promise<Bundle> => signTestBundle(signer, release, [rules(value)]);
  const options = () => ({ pulumi: cluster.cli });
  const steps = (report: { steps: readonly { operation: string; type: string }[] }): string[] =>
    report.steps.map((s) => `${s.operation} ${s.type.split(':').at(-1)}`);
  const held = async (): Promise<number> => (await cluster.kube.list(resources.admissionRules)).items.length;

  test('preview, update, empty preview, empty after refresh, the next release, and what is old goes', async () => {
    const first = await bundleOf(one, 'one');
    const planned = await preview(first, target, { ...options(), diff: 'who gains what' });
    expect(planned).toMatchObject({ ok: true, empty: false, diagnostics: [] });
    expect(steps(planned)).toEqual(['create AdmissionRules', 'create Release']);
    expect(planned.text.indexOf('who gains what')).toBe(0);
    expect(await held()).toBe(0);

    const done = await deploy(first, target, options());
    expect(done).toMatchObject({ ok: true, diagnostics: [] });
    expect(plane.taken).toEqual([first.release.digest]);
    expect(await held()).toBe(1);

    expect(await preview(first, target, options())).toMatchObject({ ok: true, empty: true });
    expect(await refresh(target, options())).toMatchObject({ ok: true, empty: true });
    expect(await preview(first, target, options())).toMatchObject({ ok: true, empty: true });
    expect(await preview(first, target, { ...options(), refresh: true })).toMatchObject({ ok: true, empty: true });

    const two = testReleaseAfter(one, [rules('two')]);
    const second = await deploy(await bundleOf(two, 'two'), target, options());
    expect(second).toMatchObject({ ok: true, diagnostics: [] });
    expect(steps(second)).toEqual(['create AdmissionRules', 'update Release']);
    expect(await held()).toBe(2);

    const three = testReleaseAfter(two, [rules('three')]);
    const third = await deploy(await bundleOf(three, 'three'), target, options());
    expect(steps(third)).toEqual(['create AdmissionRules', 'update Release', 'delete AdmissionRules']);
    expect(await held()).toBe(2);

    const settled = testReleaseAfter(three, [rules('three')]);
    expect(await preview(await bundleOf(settled, 'three'), target, options())).toMatchObject({ ok: true, empty: true });
  });

  test('an aborted roll-out ends the update at once with what the control plane says; the next release goes on from there', async () => {
    expect(await deploy(await bundleOf(one, 'one'), target, options())).toMatchObject({ ok: true });
    const proxies = { total: 2, concerned: 2, active: 0, pending: 1, rejected: 1, unknown: 0, unconfigured: 0 };
    plane.script = [
      { state: 'rolling', step: 0, wave: 0, steps: 2, proxies, message: 'waiting for reviews' },
      {
        state: 'rolling',
        step: 0,
        wave: 0,
        steps: 2,
        proxies,
        trouble: [{ instance: 'reviews', phase: 'rejected', error: 'unknown filter' }],
      },
      {
        state: 'aborted',
        proxies,
        message: 'reviews rejected it: unknown filter',
        conditions: [
          {
            type: 'Aborted',
            status: 'True',
            reason: 'Rejected',
            message: '',
            lastTransitionTime: '2026-11-22T10:00:00Z',
            observedGeneration: 0,
          },
        ],
      },
    ];
    const events: DeployEvent[] = [];
    const two = testReleaseAfter(one, [rules('two')]);
    const failed = await deploy(await bundleOf(two, 'two'), target, { ...options(), onEvent: (event) => events.push(event) });
    expect(failed.diagnostics).toEqual([
      expect.objectContaining({ code: 'MW7003', message: expect.stringContaining('reviews rejected it: unknown filter') }),
    ]);
    const lines = events.flatMap((event) => (event.kind === 'progress' && !event.passing ? [event.message] : []));
    expect(lines).toEqual(expect.arrayContaining(['step 1 of 2, wave 1', 'reviews: rejected: unknown filter']));

    plane.script = [{ state: 'converged' }];
    const three = testReleaseAfter(two, [rules('three')], { stable: one.candidate });
    const next = await deploy(await bundleOf(three, 'three'), target, options());
    expect(next).toMatchObject({ ok: true, diagnostics: [] });
    expect(steps(next)).toEqual(['create AdmissionRules', 'update Release', 'delete AdmissionRules']);
    expect(await held()).toBe(2);
    expect(await preview(await bundleOf(three, 'three'), target, options())).toMatchObject({ ok: true, empty: true });
  });

  test('without its state Pulumi begins anew on what the cluster has, and keeps what is in force', async () => {
    expect(await deploy(await bundleOf(one, 'one'), target, options())).toMatchObject({ ok: true });
    const two = testReleaseAfter(one, [rules('two')]);
    expect(await deploy(await bundleOf(two, 'two'), target, options())).toMatchObject({ ok: true });
    const elsewhere = { ...target, stateDir: `${target.stateDir}-lost` };
    const again = await deploy(await bundleOf(two, 'two'), elsewhere, options());
    expect(again).toMatchObject({ ok: true, diagnostics: [] });
    expect(steps(again)).toEqual(['create AdmissionRules', 'create AdmissionRules', 'create Release']);
    expect(await held()).toBe(2);
    const three = testReleaseAfter(two, [rules('three')]);
    expect(steps(await deploy(await bundleOf(three, 'three'), elsewhere, options()))).toEqual([
      'create AdmissionRules',
      'update Release',
      'delete AdmissionRules',
    ]);
  });

  test('a roll-out that does not end is told with what it waits for; the same release is waited for again', async () => {
    plane.script = [{ state: 'rolling', message: 'waiting for ratings' }];
    const first = await bundleOf(one, 'one');
    const { kube } = cluster;
    const ref = { namespace: 'meshwright', name: 'prod' };
    const late = (timeoutMs: number) => deploy(first, target, { ...options(), timeoutMs });
    expect((await late(1_000)).diagnostics.map(({ code }) => code)).toEqual(['MW7004']);
    await until(
      'it is waited',
      async () => Object((await kube.get(resources.releases, ref))?.['status']).message === 'waiting for ratings',
    );
    expect((await late(10_000)).diagnostics).toEqual([
      expect.objectContaining({ code: 'MW7004', message: expect.stringContaining('waiting for ratings') }),
    ]);
    await kube.patch(resources.releases, ref, { status: { converged: first.release.digest } }, { type: 'merge', subresource: 'status' });
    expect(await deploy(first, target, options())).toMatchObject({ ok: true, diagnostics: [] });
    expect(await preview(first, target, options())).toMatchObject({ ok: true, empty: true });
  });

  test('a release that no proxy can prove is live, and the update says so', async () => {
    plane.script = [{ state: 'unproven', message: 'no proxy is connected' }];
    const report = await deploy(await bundleOf(one, 'one'), target, options());
    expect(report).toMatchObject({ ok: true, diagnostics: [{ code: 'MW7011' }] });
  });

  test('what the vendor takes for success in a preview is refused here: rights, a cluster that is away', async () => {
    const first = await bundleOf(one, 'one');
    const nobody = await cluster.server.kubeconfigFor('nobody', ['system:authenticated']);
    const rights = await preview(first, { ...target, kind: 'kubernetes', kubeconfig: nobody }, options());
    expect(rights).toMatchObject({ ok: false, diagnostics: [{ code: 'MW7021' }] });
    const away = path.join(cluster.folder, 'away.kubeconfig');
    await fs.writeFile(away, (await fs.readFile(cluster.server.kubeconfig, 'utf8')).replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    const silent = await preview(first, { ...target, kind: 'kubernetes', kubeconfig: away }, options());
    expect(silent).toMatchObject({ ok: false, diagnostics: [{ code: 'MW7020' }] });
  });

  test('a damaged state is put aside, the lock of a dead process is broken, an interrupted operation is done again', async () => {
    const first = await bundleOf(one, 'one');
    expect(await deploy(first, target, options())).toMatchObject({ ok: true });
    const at = (name: string): string => path.join(target.stateDir, 'backend/.pulumi', name);
    const checkpoint = at('stacks/meshwright/prod.json');
    const state = JSON.parse(await fs.readFile(checkpoint, 'utf8'));
    const release = state.checkpoint.latest.resources.find(
      ({ type }: { type: string }) => type === 'kubernetes:meshwright.dev/v1alpha1:Release',
    );
    state.checkpoint.latest.pending_operations = [{ resource: release, type: 'updating' }];
    await fs.writeFile(checkpoint, JSON.stringify(state));
    await fs.mkdir(at('locks/organization/meshwright/prod'), { recursive: true });
    const lock = { pid: 2 ** 22 - 1, username: 'x', hostname: os.hostname(), timestamp: new Date().toISOString() };
    await fs.writeFile(at('locks/organization/meshwright/prod/dead.json'), JSON.stringify(lock));
    expect((await recover(target, options())).diagnostics.map(({ code }) => code)).toEqual(['MW7008', 'MW7009']);
    expect(await preview(first, target, options())).toMatchObject({ ok: true, empty: true, diagnostics: [] });

    await fs.writeFile(checkpoint, '{"version":3,"checkp');
    const two = testReleaseAfter(one, [rules('two')]);
    const again = await deploy(await bundleOf(two, 'two'), target, options());
    expect(again).toMatchObject({ ok: true, diagnostics: [{ code: 'MW7013' }] });
    expect(await held()).toBe(2);
  });
});
