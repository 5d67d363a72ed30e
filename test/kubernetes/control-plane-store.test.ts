/** What the control plane believes of what lies in a real API server, and who may write the decision there. */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { meshNamespace, releaseResource } from '../../core/bundle/custom-resource';
import { objectResources } from '../../core/bundle/parts';
import { objectName, type MeshObject, type Release, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import type { ReleaseStatusResource } from '../../core/bundle/release-status';
import type { TrustRoot } from '../../core/bundle/trust';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { customResourceDefinitions } from '../../deploy/crds';
import { resources, type Kube, type KubeObject } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { followStore, type ClusterStore } from '../../runtime-proxy/kubernetes/store';
import { patientKube } from '../kit/patient-kube';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';
import { objectsOf, smallMesh } from '../kit/small-mesh';
import { until as untilSo } from '../kit/until';

const kinds = {
  ServiceConfig: resources.serviceConfigs,
  ProxyConfig: resources.proxyConfigs,
  AdmissionRules: resources.admissionRules,
} as const;
let dir: string;
let server: KubernetesServer;
let kube: Kube;
let signer: TestSigner;
let trust: TrustRoot;
const open: ClusterStore[] = [];
const said: Diagnostic[] = [];
/** Who holds the lease, for the stores of this suite. */
let writer = 'a/1';

const store = (own: () => string | null, overtaken: () => void = () => undefined, by = kube): ClusterStore => {
  const made = followStore(by, {
    ...{ environment: 'prod', trust: () => Promise.resolve(trust), now: Date.now, writer: own, overtaken },
    say: (diagnostic) => said.push(diagnostic),
    log: silentLog,
  });
  open.push(made);
  return made;
};
const leading = (): ClusterStore => {
  const made = store(() => writer);
  made.lead();
  return made;
};
/** As custom resources are: plain data. */
const plain = (value: object): KubeObject => JSON.parse(JSON.stringify(value));
const put = async (signed: SignedObject, environment = 'prod'): Promise<void> => {
  for (const resource of objectResources(signed, environment))
    await kube.apply(kinds[signed.object.kind], plain(resource), { fieldManager: 'test', force: true });
};
const putAll = async (objects: readonly MeshObject[]): Promise<void> => {
  for (const object of objects) await put(await signTestObject(signer, object, 'prod'));
};
const putRelease = async (release: Release, by: TestSigner = signer): Promise<SignedRelease> => {
  const signed = await signTestRelease(by, release);
  await kube.apply(resources.releases, plain(releaseResource(signed)), { fieldManager: 'test', force: true });
  return signed;
};
const ref = { namespace: meshNamespace, name: 'prod' };
const status = async (): Promise<Partial<ReleaseStatusResource>> =>
  ((await kube.get(resources.releases, ref))?.['status'] ?? {}) as Partial<ReleaseStatusResource>;
const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilSo(what, holds, async () => [await status(), said.map(({ message }) => message)]);
const accepted = async (): Promise<string> => (await status()).conditions?.find(({ type }) => type === 'Accepted')?.reason ?? '';

beforeAll(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'mw-store-'));
  server = await startKubernetes({ dir, controllers: false });
  kube = await patientKube(server.kubeconfig);
  for (const definition of customResourceDefinitions()) await kube.create(resources.customResourceDefinitions, plain(definition));
  for (const name of [meshNamespace, 'shop'])
    await kube.create(resources.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  await until('the definitions are served', async () => {
    const answers = await Promise.allSettled([...Object.values(kinds), resources.releases].map((kind) => kube.list(kind)));
    return answers.every((answer) => answer.status === 'fulfilled');
  });
}, 1_800_000);
afterAll(async () => {
  await server?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  signer = await newTestSigner();
  trust = { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } };
  said.length = 0;
  writer = 'a/1';
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await kube.remove(resources.releases, ref);
  for (const kind of Object.values(kinds))
    for (const { metadata } of (await kube.list(kind)).items) await kube.remove(kind, { namespace: 'shop', name: metadata.name });
});

test('an object that a stranger signed, that was altered, or that is of another environment does not count: its Release waits and says for what', async () => {
  const objects = objectsOf(smallMesh());
  const [first, second, third] = objects;
  if (!first || !second || !third) throw new Error('three objects are wanted');
  await put(await signTestObject(await newTestSigner(), first, 'prod'));
  const altered = await signTestObject(signer, second, 'prod');
  await put({ ...altered, jws: `${altered.jws.slice(0, -4)}AAAA` });
  await put(await signTestObject(signer, third, 'dev'), 'dev');
  const own = leading();
  await putRelease(testRelease(objects));
  await until('it waits', async () => (await accepted()) === 'ObjectsMissing');
  expect((await status()).message).toContain('waits for 3 of its objects');
  expect([own.live(), own.isDamaged()]).toEqual([null, true]);
  expect(said.map(({ code }) => code)).toEqual(['MW9104', 'MW9104']);
  await putAll(objects.slice(0, 1));
  await until('fewer are missing', async () => (await status()).message?.includes('waits for 2') ?? false);
});

test('a Release is begun by the leader, in its status before anybody serves it; a follower reads it there', async () => {
  const objects = objectsOf(smallMesh());
  await putAll(objects);
  const [own, follower] = [leading(), store(() => null)];
  const signed = await putRelease(testRelease(objects));
  await until('both have it', () => own.live()?.signed.digest === signed.digest && follower.live()?.signed.digest === signed.digest);
  expect(follower.live()).toEqual(own.live());
  expect((await status()).progress).toEqual(own.live()?.progress);
  const live = own.live();
  if (!live) throw new Error('it was live');
  await own.setLive({ ...live, progress: { ...live.progress, phase: { kind: 'converged', at: 7 } } });
  await until('the follower hears', () => follower.live()?.progress.phase.kind === 'converged');
  expect(await status()).toMatchObject({ converged: signed.digest, writer: 'a/1' });
});

test('what does not verify, or does not follow, is refused and said; what is in force stays', async () => {
  const objects = objectsOf(smallMesh());
  await putAll(objects);
  const own = leading();
  const first = await putRelease(testRelease(objects));
  await until('live', () => own.live()?.signed.digest === first.digest);
  const next = testReleaseAfter(first.release, objects);
  for (const [release, by, why] of [
    [next, await newTestSigner(), 'key'],
    [{ ...next, generation: 1, commit: 'd'.repeat(40) }, signer, 'generation is 1'],
    [{ ...next, parent: null }, signer, 'parent'],
    [{ ...next, notAfter: '2020-01-01T00:00:00Z' }, signer, 'expired'],
    [{ ...next, stable: Object.fromEntries(Object.entries(next.candidate).slice(1)) }, signer, 'stable'],
  ] as const) {
    await kube.remove(resources.releases, ref); // the API server lets no generation fall; who may delete and create anew could
    await putRelease(release, by);
    await until(`refused: ${why}`, async () => (await accepted()) === 'Refused');
    expect(own.live()?.signed.digest).toBe(first.digest);
  }
  expect(new Set(said.map(({ message }) => message).filter((message) => !message.includes('was deleted'))).size).toBe(5);
  await kube.remove(resources.releases, ref);
  const good = await putRelease(next);
  await until('the good one is live', () => own.live()?.signed.digest === good.digest);
});

test('a Release or an object that is deleted takes nothing away, and the decision is back when the Release is', async () => {
  const objects = objectsOf(smallMesh());
  await putAll(objects);
  const own = leading();
  const signed = await putRelease(testRelease(objects));
  await until('live', () => own.live() !== null);
  const live = own.live();
  if (!live) throw new Error('it was live');
  await own.setLive({ ...live, progress: { ...live.progress, phase: { kind: 'converged', at: 7 } } });
  await kube.remove(resources.releases, ref);
  for (const { metadata } of (await kube.list(kinds.ProxyConfig)).items)
    await kube.remove(kinds.ProxyConfig, { namespace: 'shop', name: metadata.name });
  await until('it is said', () => said.some(({ message }) => message.includes('was deleted')));
  expect([own.live()?.signed.digest, own.live()?.progress.phase.kind, own.isDamaged()]).toEqual([signed.digest, 'converged', false]);
  expect(Object.values(signed.release.candidate).every((digest) => own.object(digest) !== undefined)).toBe(true);
  await putRelease(signed.release);
  await until('the decision is there again', async () => (await status()).converged === signed.digest);
});

test('one that was overtaken writes nothing more, whatever it believes of the lease', async () => {
  const objects = objectsOf(smallMesh());
  await putAll(objects);
  let found = 0;
  const old = store(
    () => 'old/1',
    () => void (found += 1),
  );
  old.lead();
  await putRelease(testRelease(objects));
  await until('live', () => old.live() !== null);
  const next = store(() => 'new/1');
  next.lead();
  await until('the new one has put its name there', async () => (await status()).writer === 'new/1');
  const live = old.live();
  if (!live) throw new Error('it was live');
  await expect(old.setLive({ ...live, progress: { ...live.progress, phase: { kind: 'aborted', at: 1, reason: 'late' } } })).rejects.toThrow(
    '`new/1` writes: this replica was overtaken',
  );
  expect(found).toBeGreaterThan(0);
  expect(await status()).toMatchObject({ writer: 'new/1', state: 'unproven' });
});

test('one that takes over with a watch that lags leaves the decision that lies there, and decides nothing that did not reckon with it', async () => {
  const objects = objectsOf(smallMesh());
  await putAll(objects);
  const own = leading();
  await putRelease(testRelease(objects));
  let frozen: ReadonlyMap<string, KubeObject> | null = null;
  const lagging: Kube = {
    ...kube,
    follow(resource, options, onChange) {
      const follower = kube.follow(resource, options, () => frozen === null && onChange());
      return resource.kind === 'Release' ? { ...follower, items: () => frozen ?? follower.items() } : follower;
    },
  };
  let leads = false;
  const late = store(() => (leads ? 'b/1' : null), undefined, lagging);
  await until('both have it', () => own.live() !== null && late.live() !== null);
  frozen = new Map((await kube.list(resources.releases)).items.map((item) => [`${meshNamespace}/prod`, item]));
  const [live, old] = [own.live(), late.live()];
  if (!live || !old) throw new Error('both have it');
  const aborted = { kind: 'aborted', at: 7, reason: 'by hand' } as const;
  await own.setLive({ ...live, progress: { ...live.progress, phase: aborted } });
  leads = true;
  const decided = late.setLive({ ...old, progress: { ...old.progress, phase: { kind: 'rolling', step: 0, wave: 0 } } });
  await expect(decided).rejects.toThrow('another decision lies there');
  late.lead();
  await until('it writes', async () => (await status()).writer === 'b/1');
  expect((await status()).progress?.phase).toEqual(aborted);
  await until('it knows', () => late.live()?.progress.phase.kind === 'aborted');
});

test('a key that is taken out of the trust root verifies nothing new', async () => {
  const objects = objectsOf(smallMesh());
  await putAll(objects);
  const own = leading();
  trust = { environments: { prod: { keys: [(await newTestSigner()).jwk], generationFloor: 0 } } };
  await putRelease(testRelease(objects));
  await until('refused', async () => (await accepted()) === 'Refused');
  expect(own.live()).toBeNull();
  expect(objects.filter((object) => said.some(({ message }) => message.includes(object.metadata.name))).map(objectName)).toHaveLength(3);
});
