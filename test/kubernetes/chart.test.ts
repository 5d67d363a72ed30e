/** The chart by real helm: it gives what `installObjects` gives, for the values as they are and for others. */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { loadAll } from 'js-yaml';
import { checkValues } from '../../deploy/install/check';
import { installObjects } from '../../deploy/install/install';
import { objectKey, type KubernetesObject } from '../../deploy/install/object';
import { runCommand, type CommandResult } from '../../platform/process';
import { obtainHelm } from '../../platform/tools/kubernetes';
import { thumbprint } from '../../core/bundle/trust';

const chart = path.join(__dirname, '..', '..', 'deploy', 'chart');
let dir: string;
let program: string;
beforeAll(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-chart-'));
  program = await obtainHelm();
}, 1_800_000);
afterAll(() => fs.rm(dir, { recursive: true, force: true }));

const helm = (...args: readonly string[]): Promise<CommandResult> =>
  runCommand(program, args, { env: { PATH: process.env['PATH'], HOME: dir }, timeoutMs: 300_000 });
async function valuesFile(name: string, values: unknown): Promise<string> {
  const file = path.join(dir, `${name}.yaml`);
  await fs.writeFile(file, JSON.stringify(values));
  return file;
}
const byKey = (objects: readonly KubernetesObject[]): Readonly<Record<string, KubernetesObject>> =>
  Object.fromEntries(objects.map((object) => [objectKey(object), object]));

async function rendered(file?: string): Promise<readonly KubernetesObject[]> {
  const result = await helm(
    'template',
    'meshwright',
    chart,
    '--namespace',
    'meshwright',
    '--kube-version',
    '1.34.4',
    ...(file === undefined ? [] : ['--values', file]),
  );
  expect(result.stderr).toBe('');
  return loadAll(result.stdout).filter((one): one is KubernetesObject => typeof one === 'object' && one !== null);
}

const x = 'A'.repeat(43);
const key = { kty: 'OKP', crv: 'Ed25519', x, kid: thumbprint({ kty: 'OKP', crv: 'Ed25519', x }) };
const trustRoot = { environments: { stage: { keys: [key], generationFloor: 7 } } };
const other = {
  environment: 'stage',
  trustDomain: 'stage.acme.example',
  image: `ghcr.io/acme/meshwright:0.1.0@sha256:${'0123456789abcdef'.repeat(4)}`,
  imagePullPolicy: 'Always',
  imagePullSecrets: [{ name: 'registry' }, { name: 'mirror' }],
  logLevel: 'debug',
  trustRoot,
  deployers: [
    { kind: 'github', repository: 'acme/policies', branch: 'main', environment: 'stage' },
    { kind: 'group', name: 'platform <&> "quoted" \\ é' },
  ],
  replicas: { webhook: 3 },
  resources: { webhook: { limits: { memory: '1Gi', cpu: '2' } } },
  webhook: {
    failurePolicy: 'Ignore',
    timeoutSeconds: 3,
    exemptNamespaces: ['kube-system', 'cni'],
    settings: { issuers: [{ issuer: 'https://token.actions.example', jwksUrl: 'https://token.actions.example/jwks?a=1&b=2' }] },
  },
  injection: { failurePolicy: 'Ignore' },
  gitops: {
    enabled: true,
    storage: '10Gi',
    settings: {
      repositoryUrl: 'https://git.acme.example/policies.git',
      branch: 'release/1',
      pollMs: 30000,
      credentialsFile: '/run/meshwright/gitops/credentials',
    },
  },
  networkPolicies: {
    apiServer: [{ ipBlock: { cidr: '10.0.0.1/32' } }],
    issuers: [{ to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ protocol: 'TCP', port: 8443 }] }],
  },
  issuerKeys: {
    networks: ['10.1.0.0/16', 'fd00::/8'],
    authorities:
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n',
    everySeconds: 60,
  },
  gatewayCertificates: { 'edge/shop': { hosts: ['shop.acme.example'], principals: ['spiffe://stage.acme.example/ns/edge/sa/edge'] } },
};

test.each([
  ['the values as they are', undefined],
  ['other values', other],
  ['everything off', { injection: { enabled: false }, networkPolicies: { enabled: false }, gitops: { enabled: false } }],
  ['the loop without network policies', { gitops: { enabled: true }, networkPolicies: { enabled: false } }],
])('helm template gives exactly the objects of installObjects: %s', async (_name, given) => {
  const checked = checkValues(given);
  expect(checked.diagnostics).toEqual([]);
  if (checked.value === undefined) throw new Error('no values');
  const wanted: unknown = JSON.parse(JSON.stringify(byKey(installObjects(checked.value))));
  const objects = await rendered(given === undefined ? undefined : await valuesFile('given', given));
  expect(byKey(objects)).toEqual(wanted);
  expect(objects).toHaveLength(installObjects(checked.value).length);
});

test('helm lint finds nothing', async () => {
  for (const file of [undefined, await valuesFile('other', other)]) {
    const result = await helm('lint', '--strict', chart, ...(file === undefined ? [] : ['--values', file]));
    expect(`${result.stdout}${result.stderr}`).toContain('1 chart(s) linted, 0 chart(s) failed');
    expect(result.code).toBe(0);
  }
});

test.each([
  ['a value that is not known', { webhok: {} }, 'webhok'],
  ['no replicas', { replicas: { ca: 0 } }, 'ca'],
  ['another failure policy', { webhook: { failurePolicy: 'Open' } }, 'failurePolicy'],
  ['a network policy that would be one for everywhere', { networkPolicies: { apiServer: [] } }, 'apiServer'],
  ['issuers that would be everywhere', { networkPolicies: { issuers: [{ to: [], ports: [{ protocol: 'TCP', port: 443 }] }] } }, 'issuers'],
  ['authorities of issuers that are a key', { issuerKeys: { authorities: '-----BEGIN PRIVATE KEY-----' } }, 'authorities'],
  ['a text that could leave its quotes', { trustDomain: 'a"b' }, 'trustDomain'],
])('helm and checkValues both refuse %s', async (_name, given, named) => {
  const checked = checkValues(given);
  expect(checked.value).toBeUndefined();
  expect(checked.diagnostics.map(({ code, message }) => `${code} ${message}`).join('\n')).toContain(named);
  const result = await helm('template', 'meshwright', chart, '--values', await valuesFile('wrong', given));
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain(named);
});

test('the notes say what is missing', async () => {
  const result = await helm('install', 'meshwright', chart, '--namespace', 'meshwright', '--dry-run=client');
  expect(result.stderr).toBe('');
  expect(result.stdout).toContain('NOTHING IS ADMITTED YET');
  expect(result.stdout).toContain('meshwright doctor');
});
