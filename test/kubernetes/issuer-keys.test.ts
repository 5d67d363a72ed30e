/**
 * `jwks.fetch` on Kubernetes: the control plane runs by the configuration that an installation's values gave it, as the real API server has it, and fetches from a real
 * HTTPS server that is in no network of the internet, by a certificate of no authority of the system.
 */
import * as fs from 'node:fs/promises';
import type * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import * as jose from 'jose';
import { meshNamespace } from '../../core/bundle/custom-resource';
import type { MeshIr } from '../../core/ir/ir';
import type { RuleId } from '../../core/mesh/ids';
import { checkValues } from '../../deploy/install/check';
import { installObjects } from '../../deploy/install/install';
import { silentLog } from '../../platform/log';
import { serveControlPlane, type ControlPlaneConfig, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import { runKubernetesMesh, type KubernetesMesh, type PodSpec } from '../kit/kubernetes-mesh';
import { present } from '../kit/present';
import { localAuthority } from '../kit/serving-certificate';
import { objectsOf, smallMesh } from '../kit/small-mesh';
import { until } from '../kit/until';

const iss = 'https://accounts.acme.example';
const page: PodSpec = { name: 'page-1', namespace: 'shop', workload: 'page', serviceAccount: 'page', called: false };
const reviews = (n: number): PodSpec => ({
  ...{ name: `reviews-${n}`, namespace: 'shop', workload: 'reviews', serviceAccount: 'reviews', version: 'v1' },
  called: true,
});
const log = { log: silentLog };

let mesh: KubernetesMesh;
let config: ControlPlaneConfig;
let controlPlane: RunningControlPlane;
let issuer: https.Server;
let token: string;
let answer: (response: http.ServerResponse) => void;
let egress: unknown;

const forUsers = (url: string): MeshIr => {
  const base = smallMesh();
  return {
    ...base,
    issuers: [{ ...{ id: 'platform/acme' as RuleId, name: 'acme', url: iss, audiences: ['shop'] }, keys: { kind: 'fetched', url } }],
    access: base.access.map((rule) => (rule.id === 'shop/pageReads' ? { ...rule, user: { issuer: iss, claims: [] } } : rule)),
  };
};
async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const result = await mesh.server.kubectl(args, input === undefined ? {} : { input });
  if (result.code !== 0) throw new Error(`${result.stdout}${result.stderr}`);
  return result.stdout;
}
/** What the API server holds of the control plane's configuration, at the paths where its pod would have it. */
async function installed(authorities: string): Promise<NonNullable<ControlPlaneConfig['issuerKeys']>> {
  const { value, diagnostics } = checkValues({
    issuerKeys: { networks: ['127.0.0.0/8', '::1/128'], authorities, everySeconds: 1 },
    networkPolicies: { issuers: [{ to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ protocol: 'TCP', port: 8443 }] }] },
  });
  expect(diagnostics).toEqual([]);
  const items = installObjects(present(value)).filter(
    ({ kind, metadata }) => kind === 'NetworkPolicy' || metadata.name === 'control-plane-config',
  );
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const read = async (kind: string, name: string): Promise<{ readonly data: Record<string, string>; readonly spec: { egress: unknown } }> =>
    JSON.parse(await kubectl(['-n', meshNamespace, 'get', kind, name, '-o', 'json']));
  egress = (await read('networkpolicy', 'control-plane')).spec.egress;
  const { data } = await read('configmap', 'control-plane-config');
  const settings = present((JSON.parse(present(data['config.json'])) as ControlPlaneConfig).issuerKeys);
  const trustFile = path.join(mesh.folder, path.basename(present(settings.trustFile)));
  await fs.writeFile(trustFile, present(data[path.basename(trustFile)]));
  return { ...settings, trustFile };
}

beforeAll(async () => {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const keys = [{ ...(await jose.exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }];
  token = await new jose.SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(iss)
    .setAudience('shop')
    .setExpirationTime('1h')
    .sign(privateKey);
  answer = (response) => void response.end(JSON.stringify({ keys }));
  const authority = await localAuthority();
  issuer = https.createServer(await authority.serving(), (_request, response) => answer(response));
  await new Promise<void>((resolve, reject) => issuer.once('error', reject).listen(0, 'localhost', resolve));
  mesh = await runKubernetesMesh(log);
  config = { ...(await mesh.controlPlaneConfig('control-plane-0')), issuerKeys: await installed(authority.ca) };
  for (const pod of [page, reviews(1)]) await mesh.createPod(pod);
  controlPlane = await serveControlPlane(config, log);
  for (const pod of [page, reviews(1)]) await mesh.startAgent(pod, config.listen);
  const { port } = issuer.address() as AddressInfo; // a TCP server that listens has one
  const signed = await mesh.release(objectsOf(forUsers(`https://localhost:${port}/jwks`)));
  await mesh.until('converged', ({ converged }) => converged === signed.digest);
}, 1_800_000);
afterAll(async () => {
  await controlPlane?.close();
  await mesh?.stop();
  issuer?.closeAllConnections();
  issuer?.close();
});

const ask = async (authorization?: string): Promise<number> =>
  (await mesh.call(page, 'reviews.shop:9080', '/7', undefined, authorization === undefined ? {} : { authorization })).status;

test('keys are fetched from the network, and by the authorities, that the installation names', async () => {
  await until('the keys are there', async () => (await ask(`Bearer ${token}`)) === 200);
  expect([await ask(`Bearer ${token}`), await ask(), await ask(`Bearer ${token.slice(0, -8)}AAAAAAAA`)]).toEqual([200, 403, 401]);
});
test('the network policy lets the control plane go where the installation says that issuers are', () => {
  expect(egress).toContainEqual({ to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ protocol: 'TCP', port: 8443 }] });
});
test('a replica that starts while the issuer is away takes nothing from pods that have its keys', async () => {
  answer = (response) => void response.destroy();
  await controlPlane.close();
  controlPlane = await serveControlPlane(config, log);
  const connected = (): number => controlPlane.status().proxies.filter((proxy) => proxy.connected).length;
  await until('both are connected', () => connected() === 2);
  expect([await ask(`Bearer ${token}`), await ask()]).toEqual([200, 403]);
});
