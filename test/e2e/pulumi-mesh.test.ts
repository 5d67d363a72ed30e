/** Pulumi's real engine against the real control plane, with an agent and a real Envoy beside each workload. */
import * as path from 'node:path';
import type { MeshObject, Release } from '../../core/bundle/objects';
import { deploy, preview, refresh, type UniversalTarget } from '../../deploy/automation';
import type { DeployEvent, DeployReport } from '../../deploy/report';
import { obtainPulumi } from '../../platform/tools/pulumi';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { signTestBundle, testRelease, testReleaseAfter } from '../kit/signing';
import { objectsOf, pagePrincipal, reviewsPrincipal, smallMesh } from '../kit/small-mesh';

jest.setTimeout(900_000);
const workloads = [
  { id: 'page-1', workload: 'shop/page', principal: pagePrincipal, ports: [] },
  { id: 'reviews-1', workload: 'shop/reviews', principal: reviewsPrincipal, version: 'v1', ports: ['web'] },
];
const host = 'reviews.shop:9080';

/** What Envoy refuses though it can be parsed: every cluster of the service waits less than no time. */
function poisoned(objects: readonly MeshObject[]): readonly MeshObject[] {
  return objects.map((object) =>
    object.kind !== 'ServiceConfig'
      ? object
      : { ...object, spec: { ...object.spec, clusters: object.spec.clusters.map((cluster) => ({ ...cluster, connectTimeout: '-1s' })) } },
  );
}

describe('pulumi and the mesh', () => {
  let mesh: RunningMesh;
  let target: UniversalTarget;
  let pulumi: string;
  let live: Release;

  beforeAll(async () => {
    pulumi = await obtainPulumi();
    mesh = await runMesh(workloads);
    for (const { id } of workloads) await mesh.startAgent(id);
    const { adminTokenFile, trustFile } = mesh.controlPlaneConfig;
    target = { adminUrl: mesh.adminUrl, tokenFile: adminTokenFile, trustFile, stateDir: path.join(mesh.folder, 'pulumi'), stack: 'prod' };
  }, 25 * 60_000);
  afterAll(() => mesh.stop());

  const put = async (release: Release, objects: readonly MeshObject[], onEvent?: (event: DeployEvent) => void): Promise<DeployReport> =>
    deploy(await signTestBundle(mesh.signer, release, objects), target, { pulumi, ...(onEvent ? { onEvent } : {}) });

  test('an update ends when every Envoy is active, and traffic flows', async () => {
    const objects = objectsOf(smallMesh());
    live = testRelease(objects);
    const bundle = await signTestBundle(mesh.signer, live, objects);
    expect(await preview(bundle, target, { pulumi })).toMatchObject({ ok: true, empty: false, diagnostics: [] });
    expect((await mesh.status()).release).toBeNull();
    const lines: string[] = [];
    const report = await deploy(bundle, target, {
      pulumi,
      onEvent: (event) => void (event.kind === 'progress' && lines.push(event.message)),
    });
    expect(report).toMatchObject({ ok: true, diagnostics: [] });
    expect(await mesh.status()).toMatchObject({ state: 'converged', release: bundle.release.digest });
    expect(lines).toEqual(expect.arrayContaining(['page-1: candidate active', 'reviews-1: candidate active']));
    expect(await mesh.call('page-1', host, '/a')).toEqual({ status: 200, body: 'reviews-1 /a' });
    expect(await preview(bundle, target, { pulumi })).toMatchObject({ ok: true, empty: true });
    expect(await refresh(target, { pulumi })).toMatchObject({ ok: true, empty: true });
    expect(await preview(bundle, target, { pulumi })).toMatchObject({ ok: true, empty: true });
  });

  test('what Envoy rejects fails the update in its words, and stable stays in force', async () => {
    const objects = poisoned(objectsOf(smallMesh()));
    const next = testReleaseAfter(live, objects);
    const report = await put(next, objects);
    expect(report.ok).toBe(false);
    expect(report.diagnostics).toEqual([
      expect.objectContaining({
        code: 'MW7003',
        message: expect.stringMatching(/page-1` rejected its outbound configuration: .*duration/),
      }),
    ]);
    expect(await mesh.call('page-1', host, '/b')).toMatchObject({ status: 200 });
    live = next;
  });

  test('the release after an aborted one converges, what nobody names any more is removed, and drift is seen', async () => {
    const stable = (await mesh.status()).inForce === 'candidate' ? live.candidate : live.stable;
    const objects = objectsOf(smallMesh({ allowed: false }));
    const next = testReleaseAfter(live, objects, { stable });
    expect(await put(next, objects)).toMatchObject({ ok: true });
    expect(await mesh.call('page-1', host, '/c')).toMatchObject({ status: 403 });
    for (const [name, digest] of Object.entries(live.candidate)) {
      const named = [next.stable, next.candidate].some((set) => Object.values(set).includes(digest));
      expect([name, (await mesh.admin('GET', `/v1/objects/${digest}`)).status]).toEqual([name, named ? 200 : 404]);
    }
    expect(await refresh(target, { pulumi })).toMatchObject({ ok: true, empty: true });
    // Somebody deploys past Pulumi.
    const past = objectsOf(smallMesh());
    const other = testReleaseAfter(next, past, { commit: 'e'.repeat(40) });
    const bundle = await signTestBundle(mesh.signer, other, past);
    for (const object of bundle.objects) await mesh.admin('PUT', `/v1/objects/${object.digest}`, object);
    expect((await mesh.admin('PUT', '/v1/release', bundle.release)).status).toBe(202);
    await mesh.until('the other release', (status) => status.release === bundle.release.digest && status.state === 'converged');
    expect((await refresh(target, { pulumi })).steps).toEqual([{ operation: 'update', type: 'meshwright:index:Release', name: 'prod' }]);
  });
});
