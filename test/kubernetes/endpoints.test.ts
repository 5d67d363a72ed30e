/** Hundreds of pods come and go behind a Service of a real API server, whose own controller writes the EndpointSlices: only endpoints reach Envoy. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { writeFileAtomic } from '../../platform/files';
import { resources, type KubeObject } from '../../platform/kube';
import { silentLog } from '../../platform/log';
import { envoyAdmin } from '../../runtime-proxy/agent/envoy-admin';
import { serveControlPlane, type ControlPlaneConfig, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { runKubernetesMesh, type KubernetesMesh, type PodSpec } from '../kit/kubernetes-mesh';
import { present } from '../kit/present';
import { objectsOf, reviewsWeb, smallMesh } from '../kit/small-mesh';
import { until } from '../kit/until';

let compiled = 0;
jest.mock('../../compiler/emit/envoy', () => {
  const real = jest.requireActual<typeof import('../../compiler/emit/envoy')>('../../compiler/emit/envoy');
  return { ...real, emitEnvoy: (...given: Parameters<typeof real.emitEnvoy>) => ((compiled += 1), real.emitEnvoy(...given)) };
});

const page: PodSpec = { name: 'page-1', namespace: 'shop', workload: 'page', serviceAccount: 'page', called: false };
const reviews: PodSpec = {
  name: 'reviews-1',
  namespace: 'shop',
  workload: 'reviews',
  serviceAccount: 'reviews',
  version: 'v1',
  called: true,
};
let mesh: KubernetesMesh;
let config: ControlPlaneConfig;
let inventoryFile: string;
let controlPlane: RunningControlPlane;
beforeAll(async () => {
  mesh = await runKubernetesMesh();
  inventoryFile = path.join(mesh.folder, 'outside.json');
  await writeFileAtomic(inventoryFile, JSON.stringify({ instances: [] }));
  config = { ...(await mesh.controlPlaneConfig('control-plane-0')), inventoryFile };
  for (const pod of [page, reviews]) await mesh.createPod(pod);
  controlPlane = await serveControlPlane(config, { log: silentLog });
  for (const pod of [page, reviews]) await mesh.startAgent(pod, config.listen);
  const signed = await mesh.release(objectsOf(smallMesh()));
  await mesh.until('converged', ({ converged }) => converged === signed.digest);
}, 1_800_000);
afterAll(async () => {
  await controlPlane?.close();
  await mesh?.stop();
});

async function untilHosts(wanted: number): Promise<void> {
  const admin = envoyAdmin(present(mesh.agents.get(page.name)).adminSocket);
  const hosts = async (): Promise<number | undefined> => (await admin.activity()).hosts[reviewsWeb];
  await until(`Envoy has ${wanted} hosts`, async () => (await hosts()) === wanted, hosts);
}
async function versions(): Promise<{ readonly endpoints: unknown; readonly rest: unknown }> {
  const token = (await fs.readFile(config.adminTokenFile, 'utf8')).trim();
  const where = `${controlPlane.adminUrl}/v1/proxies/page-1.shop/config`;
  const answer = await fetch(where, { headers: { authorization: `Bearer ${token}` } });
  const read = JSON.parse(await answer.text()) as {
    readonly [type: string]: readonly { readonly name: string; readonly version: string }[];
  }; // the product's own answer
  const of = (type: string) => present(read[type]).map(({ name, version }) => `${name} ${version}`);
  return { endpoints: of('endpoints'), rest: ['listeners', 'routes', 'clusters'].map(of) };
}
/** A pod of which only the address matters: it is called, and nobody is there. */
async function createPod(index: number, annotations: Readonly<Record<string, string>> = {}): Promise<void> {
  const name = `many-${index}`;
  const object = {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name, namespace: 'shop', labels: { app: 'reviews', version: 'v1' }, annotations },
    spec: {
      nodeName: 'node-1',
      serviceAccountName: 'reviews',
      containers: [{ name: 'app', image: 'app:1', ports: [{ name: 'http', containerPort: 9080 }] }],
    },
  };
  await mesh.kube.create(resources.pods, object satisfies KubeObject);
  const podIP = `10.42.${index >> 8}.${(index & 255) + 1}`;
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions: [{ type: 'Ready', status: 'True' }] };
  await mesh.kube.patch(resources.pods, { namespace: 'shop', name }, { status }, { type: 'merge', subresource: 'status' });
}

test('an EDS version moves, and nothing is compiled or released', async () => {
  await untilHosts(1);
  const [before, release] = [await versions(), await mesh.status()];
  const indices = Array.from({ length: 250 }, (_, index) => index);
  for (let from = 0; from < indices.length; from += 25) await Promise.all(indices.slice(from, from + 25).map((index) => createPod(index)));
  await untilHosts(251);
  const grown = await versions();
  expect(grown.endpoints).not.toEqual(before.endpoints);
  expect(grown.rest).toEqual(before.rest);
  const gone = indices.filter((index) => index % 2 === 0).map((index) => `many-${index}`);
  await mesh.server.kubectl(['-n', 'shop', 'delete', 'pod', ...gone, '--grace-period=0', '--force']);
  await untilHosts(126);
  expect((await versions()).rest).toEqual(before.rest);
  expect(compiled).toBe(1);
  const { observedGeneration, converged } = await mesh.status();
  expect([observedGeneration, converged]).toEqual([release.observedGeneration, release.converged]);
  expect((await versions()).endpoints).not.toEqual(grown.endpoints);
});

test('what a pod says wrong of itself is about that pod alone: no state is damaged by it', async () => {
  const admin = envoyAdmin(present(mesh.agents.get(page.name)).adminSocket);
  const before = (await admin.activity()).hosts[reviewsWeb] ?? 0;
  await createPod(900, { 'meshwright.dev/app-host': '10.0.0.9' });
  await createPod(901);
  await untilHosts(before + 1);
  const metrics = await (await fetch(`${controlPlane.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/^meshwright_control_plane_damaged_state 0$/m);
  await mesh.server.kubectl(['-n', 'shop', 'delete', 'pod', 'many-900', 'many-901', '--grace-period=0', '--force']);
  await untilHosts(before);
});

test('machines outside of the cluster come by file, beside its pods', async () => {
  const { rest } = await versions();
  const admin = envoyAdmin(present(mesh.agents.get(page.name)).adminSocket);
  const before = (await admin.activity()).hosts[reviewsWeb] ?? 0;
  const vm = (index: number) => ({
    id: `vm-${index}`,
    workload: 'shop/reviews',
    version: 'v1',
    inbound: { web: { host: `10.9.0.${index}`, port: 9080 } },
    endpointOnly: true,
  });
  await writeFileAtomic(inventoryFile, JSON.stringify({ instances: [1, 2, 3].map(vm) }));
  await untilHosts(before + 3);
  await writeFileAtomic(inventoryFile, JSON.stringify({ instances: [] }));
  await untilHosts(before);
  expect((await versions()).rest).toEqual(rest);
});
