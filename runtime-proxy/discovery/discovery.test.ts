import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { systemClock } from '../../platform/clock';
import { temporaryFolder } from '../../platform/files';
import type { Instance, Inventory } from '../inventory';
import { discover, type Discovery, type Kept } from './discovery';

const workload = workloadKey('shop', 'reviews');
const web = portKey(workload, 'web');
const at = (id: string, host: string): Instance => ({ id, workload, app: {}, inbound: { web: { host, port: 9080 } } });
const nothing: Kept = { file: null, names: {} };
const addresses = (inventory: Inventory | undefined) => inventory?.instances.map(({ id, inbound }) => `${id} ${inbound['web']?.host}`);

let folder: string;
let file: string;
const open: Discovery[] = [];
beforeEach(async () => {
  folder = await temporaryFolder('discovery');
  file = path.join(folder, 'inventory.json');
});
afterEach(async () => {
  for (const one of open.splice(0)) one.close();
  await fs.rm(folder, { recursive: true, force: true });
});
async function begin(over: { readonly file?: string | null; readonly cluster?: boolean; readonly kept?: Kept } = {}) {
  const [seen, said, kept]: [Inventory[], string[], Kept[]] = [[], [], []];
  const discovery = await discover({
    ...{ file, cluster: false, kept: nothing, clock: systemClock, ...over },
    // nobody answers there
    dns: { servers: [{ host: '127.0.0.1', port: 1 }], settings: { timeoutMs: 100 } },
    onChange: (inventory) => seen.push(inventory),
    keep: (next) => kept.push(next),
    say: ({ code, message }) => said.push(`${code} ${message}`),
  });
  open.push(discovery);
  return { discovery, seen, said, kept };
}

test('beside a cluster a file adds what is not in it; one name is taken from the cluster, and that is said once', async () => {
  const virtual = { [web]: [{ host: '10.96.0.1', port: 80 }] };
  await fs.writeFile(
    file,
    JSON.stringify({ instances: [at('vm-1', '10.0.0.1'), at('reviews-1.shop', '10.0.0.2')], virtual, alsoOfMesh: ['10.0.0.3'] }),
  );
  const { discovery, seen, said } = await begin({ cluster: true });
  // half of it would take the pods away
  expect(seen).toEqual([]);
  const cluster: Inventory = {
    instances: [at('reviews-1.shop', '10.42.0.1')],
    virtual: { [web]: [{ host: '10.96.0.9', port: 80 }] },
    alsoOfMesh: ['10.42.0.1'],
  };
  discovery.fromCluster(cluster);
  discovery.fromCluster({ ...cluster, instances: [] });
  discovery.fromCluster(cluster);
  expect(seen.map(addresses)).toEqual([
    ['reviews-1.shop 10.42.0.1', 'vm-1 10.0.0.1'],
    ['vm-1 10.0.0.1', 'reviews-1.shop 10.0.0.2'],
    ['reviews-1.shop 10.42.0.1', 'vm-1 10.0.0.1'],
  ]);
  expect(seen[0]?.virtual).toEqual(cluster.virtual);
  expect(seen[0]?.alsoOfMesh).toEqual(['10.0.0.3', '10.42.0.1']);
  expect(said[0]).toBe('MW9043 `reviews-1.shop` of the inventory file has the name of another instance, and is left out');
});

test('where a gateway is reached is an address of the mesh when the file says so, not when a pod says it of itself', async () => {
  const door = (id: string, host: string): Instance => ({
    ...{ id, workload, app: {}, inbound: {} },
    ...{ listeners: { 'east-west': { host, port: 15443 } }, eastWest: { host: host.replace(/1$/, '2'), port: 15443 } },
  });
  await fs.writeFile(file, JSON.stringify({ instances: [door('vm-1', '10.0.0.1')] }));
  const { discovery, seen } = await begin({ cluster: true });
  discovery.fromCluster({ instances: [door('edge-1.shop', '198.51.100.1')] });
  expect(seen[0]?.alsoOfMesh).toEqual(['10.0.0.1', '10.0.0.2']);
});

test('a virtual address of the file that is another port in the cluster is left out', async () => {
  const [own, others] = [portKey(workload, 'rows'), portKey(workloadKey('shop', 'ratings'), 'rows')];
  const free = { host: '10.96.0.2', port: 5432 };
  const taken = { host: 'fd00:0:0::a', port: 5432 };
  await fs.writeFile(file, JSON.stringify({ instances: [], virtual: { [own]: [taken, free] } }));
  const { discovery, seen, said } = await begin({ cluster: true });
  discovery.fromCluster({ instances: [], virtual: { [others]: [{ host: 'fd00::a', port: 5432 }] } });
  expect(seen[0]?.virtual).toEqual({ [own]: [free], [others]: [{ host: 'fd00::a', port: 5432 }] });
  expect(said).toEqual([
    `MW9044 the virtual address [fd00::a]:5432 of \`${own}\` is the one of \`${others}\` in the cluster, and is left out`,
  ]);
});

test('a cluster goes on without a file that cannot be used', async () => {
  await fs.writeFile(file, '{');
  const { discovery, seen, said } = await begin({ cluster: true });
  discovery.fromCluster({ instances: [at('reviews-1.shop', '10.42.0.1')] });
  expect(seen.map(addresses)).toEqual([['reviews-1.shop 10.42.0.1']]);
  expect(said).toEqual([expect.stringMatching(/^MW9002 /)]);
});

test('without a cluster nothing is known before the file is; what an earlier run knew of names is in force while nobody answers', async () => {
  const dns = [{ workload, name: 'reviews.example', ports: { web: 9080 } }];
  await fs.writeFile(file, JSON.stringify({ instances: [at('vm-1', '10.0.0.1')], dns }));
  const names = { 'A reviews.example': [{ type: 'A', address: '10.0.0.7' }] } as const;
  const { seen, said, kept } = await begin({ kept: { file: null, names } });
  expect(addresses(seen.at(-1))).toEqual(['vm-1 10.0.0.1', expect.stringMatching(/^dns-10-0-0-7-[0-9a-f]{12} 10\.0\.0\.7$/)]);
  expect(said).toEqual([expect.stringMatching(/^MW9040 `reviews\.example` of `shop\/reviews` cannot be looked up: .*its last 1 stay$/)]);
  expect(kept.at(-1)).toMatchObject({ file: { dns }, names });
  await fs.rm(file);
  const later = await begin();
  expect([later.seen, later.said]).toEqual([[], []]);
});
