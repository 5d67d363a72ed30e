/** Generated meshes and requests: what `decide` says against what one client and one server Envoy answer, configurations swapped over ADS. */
import { setTimeout as sleep } from 'node:timers/promises';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { MeshIr } from '../../core/ir/ir';
import { decide } from '../../core/semantics/decide';
import type { MeshRequest } from '../../core/semantics/decision';
import { freePorts } from '../../platform/ports';
import { type AdsServer, startAdsServer } from '../kit/ads-server';
import { askEnvoy, difference } from '../kit/ask-envoy';
import { testAuthority, type TestAuthority } from '../kit/certificates';
import { type RunningEnvoy, startEnvoy } from '../kit/envoy';
import { generateMesh, generateRequests } from '../kit/mesh-generator';
import { testApps } from '../kit/raw-http';
import { adsBootstrap, layOut, snapshotOf, wholeMesh, type WholeMesh } from '../kit/whole-mesh';

/** `MESHWRIGHT_MESHES=200 MESHWRIGHT_REQUESTS=50 MESHWRIGHT_SEED=1000` for a longer run. */
const meshes = Number(process.env['MESHWRIGHT_MESHES'] ?? 20);
const requestsEach = Number(process.env['MESHWRIGHT_REQUESTS'] ?? 25);
const firstSeed = Number(process.env['MESHWRIGHT_SEED'] ?? 1);
/** Services of a mesh. */
const size = 6;

const apps = testApps();
let ads: AdsServer;
let client: RunningEnvoy;
let server: RunningEnvoy;
let authority: TestAuthority;

beforeAll(async () => {
  authority = await testAuthority('acme.example');
  ads = await startAdsServer();
  const nothing = { listeners: new Map(), routes: new Map(), clusters: new Map(), endpoints: new Map(), secrets: new Map() };
  ads.set('client', nothing);
  ads.set('server', nothing);
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  [client, server] = await Promise.all([
    startEnvoy(adsBootstrap('client', clientAdmin, ads.port), clientAdmin),
    startEnvoy(adsBootstrap('server', serverAdmin, ads.port), serverAdmin),
  ]);
}, 600_000);
afterAll(async () => {
  await Promise.all([client?.stop(), server?.stop(), apps.close()]);
  ads?.close();
});

/** Puts a mesh in force in both Envoys and waits until nothing warms and every listener is there. */
async function putInForce(ir: MeshIr, prefix: string): Promise<WholeMesh> {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((d) => d.message).join('\n'));
  const mesh = await wholeMesh(ir, value, await layOut(ir, prefix), authority);
  await apps.listen(mesh.apps.keys());
  ads.set('server', snapshotOf(mesh.server));
  ads.set('client', snapshotOf(mesh.client));
  await Promise.all(
    [
      [server, mesh.server.proxy.listeners.map((listener) => listener.name)] as const,
      [client, mesh.client.proxy.listeners.map((listener) => listener.name)] as const,
    ].map(([envoy, names]) => active(envoy, names)),
  );
  return mesh;
}

async function active(envoy: RunningEnvoy, listeners: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const there = new Set((await envoy.admin('/listeners')).split('\n').map((line) => line.split('::')[0]));
    const warming = await envoy.admin('/stats?filter=warming&usedonly');
    if (listeners.every((name) => there.has(name)) && !/warming\w*: [1-9]/.test(warming)) return;
    if (ads.refusals.length > 0) break;
    await sleep(25);
  }
  throw new Error(`the configuration did not get active: ${ads.refusals.join('; ') || (await envoy.admin('/listeners'))}`);
}

async function differs(ir: MeshIr, mesh: WholeMesh, request: MeshRequest): Promise<string | null> {
  const answer = await askEnvoy(ir, mesh, request).catch((error: unknown) => error);
  return answer instanceof Error ? answer.message : difference(ir, mesh, request, answer as Awaited<ReturnType<typeof askEnvoy>>); // what is no error is an answer
}

/** The same request with less in it, as long as it still differs. */
async function shrink(ir: MeshIr, mesh: WholeMesh, request: MeshRequest): Promise<MeshRequest> {
  for (let smaller = true; smaller;) {
    smaller = false;
    for (const candidate of simpler(request)) {
      if ((await differs(ir, mesh, candidate)) === null) continue;
      request = candidate;
      smaller = true;
      break;
    }
  }
  return request;
}
function* simpler(request: MeshRequest): Generator<MeshRequest> {
  for (const name of Object.keys(request.headers))
    yield { ...request, headers: Object.fromEntries(Object.entries(request.headers).filter(([other]) => other !== name)) };
  const query = request.path.indexOf('?');
  if (query >= 0) yield { ...request, path: request.path.slice(0, query) };
  const slash = request.path.lastIndexOf('/');
  if (query < 0 && slash > 0) yield { ...request, path: request.path.slice(0, slash) };
  if (request.method !== 'GET') yield { ...request, method: 'GET' };
}

test(`${meshes * requestsEach} generated requests over ${meshes} generated meshes: Envoy answers what the definition says`, async () => {
  const found: string[] = [];
  const outcomes = new Map<string, number>();
  for (let seed = firstSeed; seed < firstSeed + meshes; seed += 1) {
    const ir = generateMesh(seed, size);
    const mesh = await putInForce(ir, `m${seed}-`);
    for (const request of generateRequests(ir, seed, requestsEach)) {
      const { outcome, stage, status } = decide(ir, request);
      const kind = `${outcome} ${stage} ${status ?? 'application'}`;
      outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
      if ((await differs(ir, mesh, request)) === null) continue;
      const least = await shrink(ir, mesh, request);
      found.push(`seed ${seed}: ${JSON.stringify(least)}: ${await differs(ir, mesh, least)}`);
    }
  }
  expect(found).toEqual([]);
  expect(ads.refusals).toEqual([]);
  // the run is worth something only when every way of answering came up
  const seen = (prefix: string): boolean => [...outcomes.keys()].some((kind) => kind.startsWith(prefix));
  expect(
    ['allow inbound', 'allow route', 'deny canonical', 'deny outbound', 'deny inbound', 'deny route'].filter((prefix) => !seen(prefix)),
  ).toEqual([]);
  process.stdout.write(
    `differential: seeds ${firstSeed} to ${firstSeed + meshes - 1}, ${[...outcomes]
      .sort()
      .map(([kind, count]) => `${kind}: ${count}`)
      .join(', ')}\n`,
  );
}, 900_000);
