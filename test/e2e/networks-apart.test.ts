/**
 * Two networks that do not reach each other but by the gateway between: machines of their own in network namespaces, with no way from the caller to the
 * destination. Real namespaces, agents and Envoys; skipped only where `MESHWRIGHT_SKIP_NAMESPACES` says why.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { obtainEnvoy } from '../../platform/tools/envoy';
import type { Instance } from '../../runtime-proxy/inventory';
import { declarations, domain, principal } from '../kit/between-networks';
import { eventually, lowered } from '../kit/layered-mesh';
import { openNamespaces, whyNoNamespaces, type Namespaces } from '../kit/namespaces';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { objectsOf } from '../kit/two-networks';

jest.setTimeout(300_000);
const meshwright = [process.execPath, path.join(__dirname, '../../bin/meshwright.js')];
const machines = { app: 'bookinfo/app', gate: 'platform/crossing', back: 'bookinfo/reviews' } as const;
const accounts = { app: principal('sa-app'), gate: principal('crossing', 'platform'), back: principal('sa-reviews') };
let space: Namespaces;
let mesh: RunningMesh;

const application = `require('node:http').createServer((request, response) => response.end('back ' + request.url)).listen(8080, '127.0.0.1')`;
/** One request, or what became of the connection: one line. */
const ask = `
  const [address, port, host, path] = process.argv.slice(1);
  const call = require('node:http').get({ host: address, port: Number(port), path, headers: { host }, timeout: 60000, agent: false }, (response) => {
    let body = ''; response.on('data', (d) => body += d); response.on('end', () => console.log(response.statusCode + ' ' + body));
  });
  call.on('timeout', () => call.destroy(new Error('no answer')));
  call.on('error', (error) => console.log(error.code ?? error.message));
`;
const get = async (from: keyof typeof machines, address: string, port: number, host: string, where: string): Promise<string> => {
  const { stdout } = await space.run(from, [process.execPath, '-e', ask, address, String(port), host, where], { timeoutMs: 90_000 });
  return stdout.trim();
};
const call = (host = 'reviews.bookinfo:9080', where = '/reviews/7'): Promise<string> => get('app', '127.0.0.1', 15_001, host, where);

const reason = process.env['MESHWRIGHT_SKIP_NAMESPACES'];
const cases = reason === undefined ? describe : describe.skip;
if (reason !== undefined) process.stderr.write(`meshwright: networks apart are not tested here: ${reason}\n`);

cases('networks with nothing between but a gateway', () => {
  beforeAll(async () => {
    const missing = await whyNoNamespaces();
    if (missing !== null) throw new Error(`${missing}; to leave this suite out, set MESHWRIGHT_SKIP_NAMESPACES to the reason`);
    const envoy = await obtainEnvoy();
    space = await openNamespaces(Object.keys(machines));
    for (const [from, to] of [
      ['app', 'back'],
      ['back', 'app'],
    ] as const) {
      const done = await space.run(from, ['ip', 'route', 'add', 'unreachable', `${space.addressOf(to)}/32`]);
      if (done.code !== 0) throw new Error(done.stderr);
    }
    mesh = await runMesh([], { host: space.host, trustDomain: domain });
    const at = (id: keyof typeof machines, network: string, over: Partial<Instance>) =>
      ({ id, workload: machines[id], network, app: {}, inbound: {}, ...over }) as Instance;
    const host = space.addressOf('back');
    await mesh.writeInventory({
      instances: [
        at('app', 'east', { outbound: { host: '127.0.0.1', port: 15_001 } }),
        // on all of its addresses; other networks dial what is written beside
        at('gate', 'west', {
          listeners: { 'east-west': { host: '0.0.0.0', port: 15_443 } },
          eastWest: { host: space.addressOf('gate'), port: 15_443 },
        }),
        at('back', 'west', {
          version: 'v2',
          app: { web: { host: '127.0.0.1', port: 8080 }, admin: { host: '127.0.0.1', port: 8080 } },
          inbound: { web: { host, port: 9080 }, admin: { host, port: 9090 } },
          outbound: { host: '127.0.0.1', port: 15_001 },
        }),
      ],
    });
    space.start('back', [process.execPath, '-e', application]);
    for (const id of ['app', 'gate', 'back'] as const) {
      const file = (what: string): string => path.join(mesh.folder, `${id}.${what}`);
      const token = await mesh.mint({ instance: id, workload: machines[id], principal: accounts[id] });
      await fs.writeFile(file('join'), token, { mode: 0o600 });
      const { listen: controlPlane, ca } = mesh.controlPlaneConfig;
      const own = { instance: id, workload: machines[id], trustDomain: domain, runDir: file('run'), joinTokenFile: file('join') };
      await fs.writeFile(file('json'), JSON.stringify({ ...own, controlPlane, ca, envoy, drainMs: 200 }));
      space.start(id, [...meshwright, 'agent', '--config', file('json')]);
    }
    await mesh.until('connected', (status) => status.proxies.filter((proxy) => proxy.connected).length === 3);
    const released = await mesh.release(
      objectsOf(lowered({ ...declarations, 'books/db': null, 'books/appDb': null, 'books/dbAcross': null })),
    );
    expect(released.status).toBe(202);
    await mesh.until('converged', ({ state }) => state === 'converged');
  });
  afterAll(async () => {
    await space?.close();
    await mesh?.stop();
  });

  test('there is no way from the caller to the destination', async () => {
    expect(await get('app', space.addressOf('back'), 9080, 'reviews.bookinfo:9080', '/')).toMatch(/^E(HOSTUNREACH|NETUNREACH)$/);
  });
  test('what is exported is reached through the gateway', async () => {
    expect(
      await eventually(
        () => call(),
        (said) => said.startsWith('200'),
      ),
    ).toBe('200 back /reviews/7');
  });
  test('what is not, is not: another port of the same destination has no endpoint here', async () => {
    expect(await call('reviews.bookinfo:9090', '/')).toMatch(/^503 /);
  });
  test('the rules of the destination hold as ever', async () => {
    expect(await call('reviews.bookinfo:9080', '/admin')).toMatch(/^403 /);
  });
});
