/** Hosts outside the mesh where objects are custom resources of a real API server, and the gateway is pods behind a Service with one port. */
import * as http from 'node:http';
import * as net from 'node:net';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { serveControlPlane, type ControlPlaneConfig, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { silentLog } from '../../platform/log';
import { freePorts } from '../../platform/ports';
import { egress, named, running } from '../kit/declarations';
import { runKubernetesMesh, type KubernetesMesh, type PodSpec } from '../kit/kubernetes-mesh';
import { lowered } from '../kit/layered-mesh';
import { openOutsideWorld, type OutsideWorld } from '../kit/outside-world';
import { present } from '../kit/present';
import { until } from '../kit/until';

const pageOf = (ledger: number): PodSpec => ({
  ...{ name: 'page-1', namespace: 'bookinfo', workload: 'productpage', serviceAccount: 'sa-productpage', called: true },
  annotations: { 'meshwright.dev/outbound.outside.ledger.it': `127.0.0.1:${ledger}` },
});
const egressOf = (index: number): PodSpec => ({
  ...{ name: `egress-${index}`, namespace: 'platform', workload: 'egress', serviceAccount: 'egress', called: true, port: 'egress' },
});
const external = (name: string, host: string, protocol: string, number: number, through: boolean): DeclarationValue => ({
  ...{ kind: 'external', name, team: 'books', hosts: [host], ports: { it: { protocol, number } } },
  ...(through ? { through: { ref: 'platform/egress' } } : {}),
});
const allow = (ref: string): DeclarationValue => ({
  ...{ kind: 'access', action: 'allow', port: { ref, port: 'it' }, from: [named('books/productpage')], requests: 'any' },
});

let world: OutsideWorld;
let mesh: KubernetesMesh;
let config: ControlPlaneConfig;
let controlPlane: RunningControlPlane;
let page: PodSpec;
let ports = { plain: 0, ledger: 0, dialled: 0 };
beforeAll(async () => {
  world = await openOutsideWorld();
  const [dialled = 0] = await freePorts(1);
  const ledger = net.createServer((socket) => void socket.on('error', () => undefined).end('220 ledger\n'));
  ports = { dialled, plain: await world.plain(), ledger: await world.listens(ledger) };
  const ir = lowered({
    ...running,
    ...egress,
    'books/reviewsRoutes': null,
    'books/partner': external('partner', 'partner.localhost', 'http', ports.plain, true),
    'books/ledger': external('ledger', 'ledger.localhost', 'tcp', ports.ledger, true),
    'books/direct': external('direct', 'direct.localhost', 'http', ports.plain, false),
    'books/pagePartner': allow('books/partner'),
    'books/pageLedger': allow('books/ledger'),
    'books/pageDirect': allow('books/direct'),
  });
  const { services, proxies } = present(emitEnvoy(ir).value);
  const run = new Set(['bookinfo/productpage', 'platform/egress']);
  mesh = await runKubernetesMesh();
  config = await mesh.controlPlaneConfig('control-plane-0');
  page = pageOf(ports.dialled);
  for (const pod of [page, egressOf(1)]) await mesh.createPod(pod);
  controlPlane = await serveControlPlane(config, { log: silentLog });
  for (const pod of [page, egressOf(1)]) await mesh.startAgent(pod, config.listen);
  const signed = await mesh.release([...services, ...proxies.filter(({ spec }) => run.has(spec.workload))]);
  await mesh.until('converged', ({ converged }) => converged === signed.digest);
  await untilCalled(1);
  await untilOut();
}, 1_800_000);
afterAll(async () => {
  await controlPlane?.close();
  await mesh?.stop();
  world?.close();
});
beforeEach(() => world.forget());

/** What Envoy's admin interface says; nothing where it is not there yet. */
const admin = (socketPath: string, path: string): Promise<string> =>
  new Promise((resolve) => {
    const ask = http.get({ socketPath, path, headers: { host: 'admin' } }, (answer) => {
      let whole = '';
      answer.on('data', (data: Buffer) => (whole += data.toString())).on('end', () => resolve(whole));
    });
    ask.on('error', () => resolve(''));
  });
/** Until the page's Envoy knows so many gateways that are well: one that is not yet up is known, and not called. */
function untilCalled(wanted: number): Promise<void> {
  const { adminSocket } = present(mesh.agents.get(page.name));
  const well = async (): Promise<number> =>
    (await admin(adminSocket, '/clusters')).split('\n').filter((line) => /^outside\/partner\.it::.*::health_flags::healthy$/.test(line))
      .length;
  return until(`the page's Envoy has ${wanted} gateways that are well`, async () => (await well()) === wanted, well);
}
/** Every way out is open: what Envoy's main thread knows, its workers know a moment later. */
const untilOut = (): Promise<void> =>
  until('it is heard outside', async () => {
    const statuses = [await mesh.call(page, 'partner.localhost', '/'), await mesh.call(page, `direct.localhost:${ports.plain}`, '/')];
    return statuses.every(({ status }) => status === 200) && (await hears()) === '220 ledger\n';
  });
const hears = (): Promise<string> =>
  new Promise((resolve) => {
    const socket = net.connect(ports.dialled, '127.0.0.1');
    socket.on('data', (data) => resolve(data.toString()));
    socket.on('error', () => resolve('closed'));
    socket.on('close', () => resolve('closed'));
  });

test('what is called outside lies with its caller: nothing is in a namespace that there is not', async () => {
  const { stdout } = await mesh.server.kubectl([
    'get',
    'serviceconfigs',
    '-A',
    '-o',
    'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}',
  ]);
  const names = stdout.split('\n').map((name) => name.replace(/\.[0-9a-f]{12}$/, ''));
  expect(names).toEqual(
    expect.arrayContaining(['direct', 'ledger', 'partner'].map((name) => `bookinfo/outside.${name}.it--bookinfo.productpage`)),
  );
  expect(names.filter((name) => name.startsWith('outside/'))).toEqual([]);
});
test('HTTP by both ways, TCP at the address that the pod says', async () => {
  expect(await mesh.call(page, 'partner.localhost', '/x')).toEqual({ status: 200, body: 'from outside' });
  expect(await mesh.call(page, `direct.localhost:${ports.plain}`, '/x')).toEqual({ status: 200, body: 'from outside' });
  expect(await hears()).toBe('220 ledger\n');
  expect((await mesh.call(page, 'other.localhost', '/x')).status).toBe(403);
  expect(world.seen.map(({ host }) => host)).toEqual(['partner.localhost', `direct.localhost:${ports.plain}`]);
});
test('another pod of the gateway is called as soon as it is there, and one that goes is not called any more', async () => {
  await mesh.createPod(egressOf(2));
  // a kubelet says that a pod is ready when its proxy takes calls, not before
  await mesh.setReady(egressOf(2), false);
  await untilCalled(1);
  const { adminSocket } = await mesh.startAgent(egressOf(2), config.listen);
  const takesCalls = (listeners: string): boolean => listeners.includes('inbound/platform/egress.egress::');
  await until('the new one takes calls', async () => takesCalls(await admin(adminSocket, '/listeners')));
  await mesh.setReady(egressOf(2), true);
  await untilCalled(2);
  await mesh.forcePodGone(egressOf(1));
  await untilCalled(1);
  expect(await mesh.call(page, 'partner.localhost', '/y')).toMatchObject({ status: 200 });
  expect(await hears()).toBe('220 ledger\n');
});
