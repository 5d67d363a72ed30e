/** Deployment to a real API server by Pulumi's real engine through the Automation API. The Kubernetes provider is stood in for (test/kit/pulumi-resource-kubernetes). */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { apiVersion, type MeshObject, type Release } from '../../core/bundle/objects';
import { formatTrust } from '../../core/bundle/trust';
import { deploy, preview, refresh, type DeployTarget } from '../../deploy/automation';
import { customResourceDefinitions } from '../../deploy/crds';
import type { DeployEvent } from '../../deploy/report';
import { temporaryFolder } from '../../platform/files';
import { kubeFromFile, resources, type Kube } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { fakeControlPlane, type FakeControlPlane } from '../kit/fake-control-plane';
import { standInPlugins, type StandInPlugins } from '../kit/pulumi-plugins';
import { newTestSigner, signTestBundle, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';

jest.setTimeout(60_000);

const rules = (value: string): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { environment: 'prod', trustDomain: `${value}.example`, namespaces: ['shop'], deploys: [] },
});

describe('Pulumi on Kubernetes', () => {
  let folder: string;
  let server: KubernetesServer;
  let kube: Kube;
  let plugins: StandInPlugins;
  let plane: FakeControlPlane;
  let signer: TestSigner;
  let cli: string;
  let target: DeployTarget;
  const before = process.env['PATH'];

  beforeAll(async () => {
    cli = await obtainPulumi();
    folder = await temporaryFolder('pulumi-kubernetes');
    plugins = await standInPlugins();
    process.env['PATH'] = `${plugins.path}${path.delimiter}${before}`;
    // with controllers: a delete in the foreground ends by the garbage collector
    server = await startKubernetes({ dir: path.join(folder, 'cluster') });
    kube = await kubeFromFile(server.kubeconfig);
    const items = [...customResourceDefinitions(), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'meshwright' } }];
    const applied = await server.kubectl(['apply', '--server-side', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    expect(applied.stderr).toBe('');
    expect((await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s'])).code).toBe(0);
    signer = await newTestSigner();
  }, 20 * 60_000);
  afterAll(async () => {
    process.env['PATH'] = before;
    await server?.stop();
    await plugins?.close();
    await fs.rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    const trustFile = path.join(folder, 'trust.json');
    await fs.writeFile(trustFile, formatTrust({ environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }));
    const stateDir = path.join(folder, `state-${expect.getState().currentTestName?.length}-${performance.now()}`);
    target = { kind: 'kubernetes', kubeconfig: server.kubeconfig, stateDir, stack: 'prod', trustFile };
    plane = fakeControlPlane(kube);
  });
  afterEach(async () => {
    plane.close();
    for (const resource of [resources.releases, resources.admissionRules])
      for (const { metadata } of (await kube.list(resource)).items) await kube.remove(resource, metadata);
  });

  const one = testRelease([rules('one')]);
  const bundleOf = (release: Release, value: string): Promise<Bundle> => signTestBundle(signer, release, [rules(value)]);
  const options = () => ({ pulumi: cli });
  const steps = (report: { steps: readonly { operation: string; type: string }[] }): string[] =>
    report.steps.map((s) => `${s.operation} ${s.type.split(':').at(-1)}`);
  const held = async (): Promise<number> => (await kube.list(resources.admissionRules)).items.length;

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
});
