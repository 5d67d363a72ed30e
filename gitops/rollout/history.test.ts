import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { apiVersion, objectName, type MeshObject, type Release } from '../../core/bundle/objects';
import { completed } from '../../core/ir/earlier';
import type { MeshIr } from '../../core/ir/ir';
import { digestOfJson } from '../../core/lib/digest';
import { openStorage } from '../reconcile/storage';
import { openHistory, type History } from './history';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-history-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = async (keep = 3): Promise<History> => openHistory(await openStorage(dir), keep);
const object = (name: string, text: string): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'n', name },
  spec: { text },
});
const ir = (generation: number): MeshIr =>
  ({
    environment: `ir of ${generation}`,
    services: [],
    gateways: [],
    routes: [],
    hostRoutes: [],
    access: [],
    needs: [],
  }) as unknown as MeshIr;

function bundle(generation: number, objects: readonly MeshObject[]): Bundle {
  const signed = objects.map((one) => ({ object: one, digest: digestOfJson(one), jws: 'jws' }));
  const release: Release = {
    apiVersion,
    kind: 'Release',
    environment: 'e',
    generation,
    parent: null,
    commit: `c${generation}`,
    repository: 'r',
    compiler: '1',
    asOf: '2026-11-22',
    notAfter: '2026-11-23T00:00:00Z',
    stable: {},
    candidate: Object.fromEntries(signed.map((one) => [objectName(one.object), one.digest])),
    steps: [],
    waves: [100],
    holdMs: 0,
  };
  return { release: { release, digest: digestOfJson(release), jws: 'jws' }, objects: signed, sources: {} };
}
async function release(
  history: History,
  generation: number,
  objects: readonly MeshObject[],
  outcome: 'live' | 'aborted' = 'live',
): Promise<Bundle> {
  const made = bundle(generation, objects);
  await history.record(made, ir(generation));
  await history.settle(generation, outcome);
  return made;
}

test('every kept release is whole, whichever release its objects came with, also after a restart', async () => {
  const history = await open();
  const made: Bundle[] = [];
  for (let i = 1; i <= 6; i++)
    made.push(await release(history, i, [object('same', 'as ever'), object('two', String(i % 2)), object('own', String(i))]));
  const again = await open();
  expect(again.list().map((entry) => entry.generation)).toEqual([6, 5, 4]);
  for (const kept of made.slice(3)) {
    const { generation } = kept.release.release;
    expect(await again.bundle(generation)).toEqual(kept);
    expect(await again.ir(generation, kept.release.digest)).toEqual(completed(ir(generation)));
  }
  expect(await again.bundle(3)).toBeNull();
  expect((await readdir(dir)).filter((name) => name.startsWith('ir-'))).toHaveLength(3);
});

test('an IR that an earlier compiler kept says nothing about what came later', async () => {
  const history = await open();
  const { release: kept } = await release(history, 1, [object('a', '1')]);
  expect(await history.ir(1, kept.digest)).toEqual({
    ...ir(1),
    deploys: [],
    products: [],
    connectionRoutes: [],
    hostConnections: [],
    issuers: [],
  });
});

test('an intended release that never went out is written over by the next of its generation', async () => {
  const history = await open();
  await release(history, 1, [object('a', '1')]);
  await history.record(bundle(2, [object('a', '1'), object('b', 'never')]), ir(2));
  const real = await release(history, 2, [object('a', '1'), object('b', 'real')]);
  expect(await (await open()).bundle(2)).toEqual(real);
  expect(history.list().map((entry) => entry.outcome)).toEqual(['live', 'live']);
});

test('what is damaged is left out, and another digest of the same generation is not taken for it', async () => {
  const history = await open();
  const first = await release(history, 1, [object('a', '1')]);
  await release(history, 2, [object('a', '2')], 'aborted');
  expect(await history.ir(1, digestOfJson('another'))).toBeNull();
  await writeFile(join(dir, 'objects-000000001.json'), '[');
  expect(await (await open()).bundle(1)).toBeNull();
  await writeFile(join(dir, 'release-000000002.json'), '{"format":2}');
  expect((await open()).list()).toMatchObject([{ generation: 1, digest: first.release.digest, outcome: 'live' }]);
});
