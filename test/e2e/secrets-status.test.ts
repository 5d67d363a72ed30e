/** The status says which secret of a gateway does not serve, and why, for as long as it is so: by a real agent, a real Envoy and the control plane. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { webcrypto } from 'node:crypto';
import * as tls from 'node:tls';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { formatStatus } from '../../cli/status-text';
import { styleOf } from '../../cli/output';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { MeshObject } from '../../core/bundle/objects';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { principalOf, workloadKey } from '../../core/mesh/ids';
import { temporaryFolder } from '../../platform/files';
import { eventually, lowered } from '../kit/layered-mesh';
import { present } from '../kit/present';
import { runMesh, type RunningMesh } from '../kit/running-mesh';
import { localAuthority, type LocalAuthority, type Pair } from '../kit/serving-certificate';

jest.setTimeout(400_000);
const edge = workloadKey('platform', 'edge');
const objectsOf = (partners: boolean): readonly MeshObject[] => {
  const declarations: { readonly [id: string]: DeclarationValue | null } = {
    'books/shop': null,
    'platform/edge': {
      ...{ kind: 'gateway', namespace: { ref: 'platform/platform' }, name: 'edge', serviceAccount: 'edge' },
      listeners: {
        web: { port: 443, hosts: { 'shop.example': 'books' }, certificate: 'platform/edge-tls' },
        ...(partners
          ? {
              partners: {
                port: 9443,
                hosts: { 'partners.example': 'books' },
                certificate: 'platform/partners-tls',
                clients: { trust: 'platform/partners-ca', certificate: 'required' as const },
              },
            }
          : {}),
      },
    },
  };
  const { services, proxies } = present(emitEnvoy(lowered(declarations)).value);
  return [...services, ...proxies];
};

let mesh: RunningMesh;
let folder: string;
let own: LocalAuthority;
beforeAll(async () => {
  folder = await temporaryFolder('secrets-status');
  own = await localAuthority();
  const { trustDomain } = lowered({});
  const place = { id: 'edge', workload: edge, principal: principalOf(trustDomain, 'platform', 'edge'), ports: [] };
  mesh = await runMesh([{ ...place, listeners: ['web', 'partners'] }], { trustDomain, agent: { certificatesDir: folder } });
  await mesh.release(objectsOf(true));
  await mesh.startAgent('edge');
});
afterAll(async () => {
  await mesh?.stop();
  if (folder) await fs.rm(folder, { recursive: true, force: true });
});

const put = async (name: string, files: { readonly [file: string]: string }): Promise<void> => {
  await fs.mkdir(path.join(folder, name), { recursive: true });
  for (const [file, text] of Object.entries(files)) await fs.writeFile(path.join(folder, name, file), text);
};
const putPair = (name: string, { cert, key }: Pair): Promise<void> => put(name, { 'tls.crt': cert, 'tls.key': key });
/** What the status says of secrets, `kind name state`, once it is this. */
async function secretsBecome(...wanted: readonly string[]): Promise<readonly string[]> {
  const said = (status: Awaited<ReturnType<RunningMesh['status']>>): readonly string[] =>
    status.proxies.flatMap(({ secrets = [] }) => secrets.map(({ kind, name, state }) => `${kind} ${name} ${state}`));
  const status = await mesh.until(`secrets: ${wanted.join()}`, (now) => said(now).join() === wanted.join(), 60_000);
  return status.proxies.flatMap(({ secrets = [] }) => secrets.map(({ reason }) => reason));
}
/** A key that is too short for Envoy, which alone knows so. */
async function shortKey(): Promise<Pair> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 1024 };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=partners.example',
    keys,
    signingAlgorithm: algorithm,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { cert: certificate.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
}
const metric = async (state: string): Promise<string | undefined> => {
  const text = await (await fetch(`${mesh.adminUrl}/metrics`)).text();
  return new RegExp(`^meshwright_control_plane_secrets\\{state="${state}"\\} (\\d+)$`, 'm').exec(text)?.[1];
};
/** How many are missing, unusable, ending, by the metrics, once it is so many. */
const counted = (wanted: readonly string[]): Promise<readonly (string | undefined)[]> =>
  eventually(
    () => Promise.all(['missing', 'unusable', 'ending'].map(metric)),
    (found) => found.join() === wanted.join(),
  );
/** Whether a listener takes connections. */
const opens = (listener: string, servername: string): Promise<boolean> => {
  const { host, port } = present(present(mesh.inventory.instances.find(({ id }) => id === 'edge')).listeners?.[listener]);
  return new Promise((resolve) => {
    const socket = tls.connect({ host, port, servername, rejectUnauthorized: false }, () => (socket.destroy(), resolve(true)));
    socket.on('error', () => resolve(false));
  });
};

test('those that are not there are missing', async () => {
  const names = ['authorities platform/partners-ca', 'certificate platform/edge-tls', 'certificate platform/partners-tls'];
  const [authorities] = await secretsBecome(...names.map((name) => `${name} missing`));
  expect(authorities).toBe("the agent's folder of certificates has no `platform/partners-ca/ca.crt`");
  expect(await counted(['3', '0', '0'])).toEqual(['3', '0', '0']);
  expect(formatStatus(await mesh.status(), styleOf(false))).toContain('certificate `platform/edge-tls` missing: ');
  expect(await opens('web', 'shop.example')).toBe(false);
});
test('those that cannot be used are unusable: a key that does not fit, another file', async () => {
  await put('platform/edge-tls', { 'tls.crt': (await own.serving()).cert, 'tls.key': (await own.serving()).key });
  await put('platform/partners-ca', { 'ca.crt': (await own.serving()).key });
  const [authorities, certificate] = await secretsBecome(
    'authorities platform/partners-ca unusable',
    'certificate platform/edge-tls unusable',
    'certificate platform/partners-tls missing',
  );
  expect(authorities).toContain('`ca.crt` has no certificate');
  expect(certificate).toContain('is not that of the certificate');
  expect(await counted(['1', '2', '0'])).toEqual(['1', '2', '0']);
});
test('so is one that ended; one that should have been renewed is said while it serves', async () => {
  await put('platform/partners-ca', { 'ca.crt': own.ca });
  await putPair('platform/partners-tls', await own.serving(-60_000));
  await putPair('platform/edge-tls', await own.serving(300_000));
  await secretsBecome('certificate platform/edge-tls ending', 'certificate platform/partners-tls unusable');
  expect(await eventually(() => opens('web', 'shop.example'), Boolean)).toBe(true);
});
test('nothing is said of those that serve', async () => {
  await putPair('platform/edge-tls', await own.serving());
  await putPair('platform/partners-tls', await own.serving());
  expect(await secretsBecome()).toEqual([]);
  expect(await counted(['0', '0', '0'])).toEqual(['0', '0', '0']);
});
test('what Envoy alone finds unusable is said in its words, as long as Envoy finds so', async () => {
  await putPair('platform/partners-tls', await shortKey());
  const [reason] = await secretsBecome('certificate platform/partners-tls unusable');
  expect(reason).toMatch(/^Envoy does not take it: /);
  // what came last is refused, though what it is used with is to blame
  await put('platform/partners-ca', { 'ca.crt': (await localAuthority()).ca });
  await secretsBecome('authorities platform/partners-ca unusable', 'certificate platform/partners-tls unusable');
  await putPair('platform/partners-tls', await own.serving());
  expect(await secretsBecome()).toEqual([]);
});
test('nor of those that nobody has a use for any more', async () => {
  await fs.rm(path.join(folder, 'platform/partners-ca'), { recursive: true });
  const [reason] = await secretsBecome('authorities platform/partners-ca missing');
  expect(reason).toContain('; the one before is used until ');
  await mesh.release(objectsOf(false));
  expect(await secretsBecome()).toEqual([]);
});
