import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { MeshObject, SignedObject } from '../../core/bundle/objects';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { beginRollout } from '../../core/rollout/rollout';
import { bigService } from '../../test/kit/big-objects';
import { newTestSigner, signTestObject, signTestRelease, testRelease, type TestSigner } from '../../test/kit/signing';
import { objectsOf, smallMesh } from '../../test/kit/small-mesh';
import { inForce, missingOf, openStore, planOf, verifiedObject, type Store } from './store';

let folder: string;
let signer: TestSigner;
let objects: readonly MeshObject[];
let signed: readonly SignedObject[];
const said: Diagnostic[] = [];
const open = (): Promise<Store> =>
  openStore(folder, 'prod', { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } }, (diagnostic) => said.push(diagnostic));
beforeAll(async () => {
  signer = await newTestSigner();
  objects = objectsOf(smallMesh());
  signed = await Promise.all(objects.map((object) => signTestObject(signer, object, 'prod')));
});
beforeEach(async () => {
  said.length = 0;
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-store-'));
});
afterEach(() => fs.rm(folder, { recursive: true }));

test('what was put is there after a restart: objects, the release with its progress, whom it has seen', async () => {
  const store = await open();
  for (const one of signed) await store.putObject(one);
  const release = await signTestRelease(signer, testRelease(objects));
  const progress = {
    ...beginRollout(planOf(release), 5),
    hurried: true,
    expected: [{ instance: 'a', steps: [0, 1] }],
    phase: { kind: 'holding', step: 0, wave: 0, until: 9 } as const,
  };
  await store.setLive({ signed: release, progress });
  await store.setSeen(new Map([['a', { workload: 'shop/page', principal: 'spiffe://mesh.test/ns/shop/sa/page', notAfter: 7 }]]));
  const again = await open();
  expect(said).toEqual([]);
  expect(again.live()).toEqual({ signed: release, progress });
  expect([...again.seen()]).toEqual([...store.seen()]);
  expect(missingOf(again, release.release.candidate)).toEqual([]);
  expect(inForce({ signed: release, progress })).toBe(release.release.stable);
  expect(inForce({ signed: release, progress: { ...progress, phase: { kind: 'converged', at: 1 } } })).toBe(release.release.candidate);
});

test('an object that was packed for one signature over its parts verifies after a restart too', async () => {
  const big = await signTestObject(signer, bigService(1_500_000), 'prod');
  const trust = { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } };
  const { value, diagnostics } = await verifiedObject(JSON.stringify(big), 'prod', trust);
  expect(diagnostics).toEqual([]);
  expect(value).toEqual(big);
  if (value) await (await open()).putObject(value);
  expect((await open()).object(big.digest)).toEqual(big);
  expect(said).toEqual([]);
});

test('an object signed anew by the next key is there after the old one is retired', async () => {
  const [object] = objects;
  if (!object) throw new Error('no object');
  const old = await newTestSigner();
  const keys = [old.jwk, signer.jwk];
  const both = await openStore(folder, 'prod', { environments: { prod: { keys, generationFloor: 0 } } }, (diagnostic) =>
    said.push(diagnostic),
  );
  const before = await signTestObject(old, object, 'prod');
  await both.putObject(before);
  const after = await signTestObject(signer, object, 'prod');
  expect(after.digest).toBe(before.digest);
  await both.putObject(after);
  expect((await open()).object(before.digest)).toEqual(after);
  expect(said).toEqual([]);
});

test('an object changed on disk, under another name, or signed by a stranger is not served, and said', async () => {
  const store = await open();
  for (const one of signed) await store.putObject(one);
  const files = await fs.readdir(path.join(folder, 'objects'));
  const [first = '', second = '', third = ''] = files;
  const at = (name: string): string => path.join(folder, 'objects', name);
  await fs.writeFile(at(first), (await fs.readFile(at(first), 'utf8')).replace('"1.', '"0.'));
  await fs.writeFile(
    at(second),
    JSON.stringify(await signTestObject(await newTestSigner(), (await readObject(at(second))).object, 'prod')),
  );
  await fs.rename(at(third), at(`${'0'.repeat(64)}.json`));
  await fs.writeFile(at('.x.json.1.abc.tmp'), 'cut short');
  const again = await open();
  expect(said.map(({ code }) => code)).toEqual(['MW9010', 'MW9010', 'MW9010']);
  expect(signed.filter((one) => again.object(one.digest) !== undefined)).toHaveLength(signed.length - 3);
  const release = await signTestRelease(signer, testRelease(objects));
  await again.setLive({ signed: release, progress: beginRollout(planOf(release), 5) });
  expect(again.isDamaged()).toBe(true);
  for (const one of signed) await again.putObject(one);
  expect(again.isDamaged()).toBe(false);
  expect(await fs.readdir(path.join(folder, 'objects'))).not.toContain('.x.json.1.abc.tmp');
});

test('a release changed on disk is not in force, and said', async () => {
  const store = await open();
  const release = await signTestRelease(signer, testRelease(objects));
  await store.setLive({ signed: release, progress: beginRollout(planOf(release), 5) });
  const file = path.join(folder, 'live.json');
  await fs.writeFile(file, (await fs.readFile(file, 'utf8')).replace('"generation":1', '"generation":2'));
  const again = await open();
  expect(again.live()).toBeNull();
  expect(again.isDamaged()).toBe(true);
  expect(said).toMatchObject([{ code: 'MW9010', message: expect.stringContaining('live.json') }]);
});

const readObject = async (file: string): Promise<SignedObject> => JSON.parse(await fs.readFile(file, 'utf8'));
