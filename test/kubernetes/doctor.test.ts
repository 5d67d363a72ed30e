/** `meshwright doctor` on the real API server: nothing blocks in a good installation, and each thing that is broken is named. */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { releaseResource } from '../../core/bundle/custom-resource';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { installObjects } from '../../deploy/install/install';
import { shared } from '../../deploy/install/names';
import type { KubernetesObject } from '../../deploy/install/object';
import { defaultValues } from '../../deploy/install/values';
import { systemClock } from '../../platform/clock';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog } from '../../platform/log';
import { runCommand } from '../../platform/process';
import { managedCertificates } from '../../webhook/certificates/managed';
import { testAuthority } from '../kit/certificates';
import { patientKube } from '../kit/patient-kube';
import { newTestSigner, signTestRelease, testRelease } from '../kit/signing';
import { isDone, until } from '../kit/until';

let dir: string;
let cluster: KubernetesServer;
let installed: readonly KubernetesObject[];

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return stdout;
}
const apply = (items: readonly object[]): Promise<string> =>
  kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

beforeAll(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-doctor-'));
  cluster = await startKubernetes({ dir: path.join(dir, 'kubernetes'), controllers: false });
  const signer = await newTestSigner();
  installed = installObjects({ ...defaultValues, trustRoot: { environments: { prod: { keys: [signer.jwk], generationFloor: 0 } } } });
  const of = (test: (kind: string) => boolean): readonly KubernetesObject[] => installed.filter(({ kind }) => test(kind));
  await apply(of((kind) => kind === 'CustomResourceDefinition'));
  await kubectl(['wait', '--for=condition=Established', '--timeout=180s', 'crd', '--all']);
  await apply(of((kind) => kind !== 'CustomResourceDefinition' && !kind.endsWith('WebhookConfiguration')));
  const release = releaseResource(await signTestRelease(signer, testRelease([])));
  await apply([release]);
  const now = new Date().toISOString().replace(/\.\d+/, '');
  const status = {
    observedGeneration: 1,
    state: 'converged',
    steps: 1,
    message: 'every proxy is active',
    proxies: { total: 1, concerned: 1, active: 1, pending: 0, rejected: 0, unknown: 0, unconfigured: 0 },
    conditions: [
      { type: 'Converged', status: 'True', reason: 'Converged', message: 'yes', lastTransitionTime: now, observedGeneration: 1 },
    ],
  };
  await kubectl(['patch', 'release', 'prod', '-n', 'meshwright', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);
  await apply([slice(true)]);
  await apply(of((kind) => kind.endsWith('WebhookConfiguration')));
  const kube = await patientKube(cluster.kubeconfig);
  const certificates = await managedCertificates({
    kube,
    namespace: 'meshwright',
    secret: shared.webhookCertificates,
    dnsNames: ['webhook.meshwright.svc'],
    validating: ['meshwright'],
    mutating: ['meshwright'],
    clock: systemClock,
    log: silentLog,
  });
  // The configurations carry the bundle a moment after there is something to serve.
  await until('there are bundles', async () =>
    (await kubectl(['get', 'mutatingwebhookconfiguration', 'meshwright', '-o', 'yaml'])).includes('caBundle'),
  );
  certificates.close();
}, 1_800_000);
afterAll(async () => {
  await cluster?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

const slice = (ready: boolean): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'webhook-1', namespace: 'meshwright', labels: { 'kubernetes.io/service-name': 'webhook' } },
  addressType: 'IPv4',
  ports: [{ name: 'https', port: 9443, protocol: 'TCP' }],
  endpoints: [{ addresses: ['10.1.2.3'], conditions: { ready } }],
});

async function doctor(kubeconfig = cluster.kubeconfig): Promise<{ readonly code: number | null; readonly found: readonly Diagnostic[] }> {
  const program = path.join(__dirname, '..', '..', 'bin', 'meshwright.js');
  const { code, stdout, stderr } = await runCommand(process.execPath, [program, 'doctor', '--json', '--kubeconfig', kubeconfig], {
    timeoutMs: 300_000, // against hanging
  });
  if (stdout === '') throw new Error(stderr);
  const document = JSON.parse(stdout) as { readonly diagnostics?: readonly Diagnostic[] };
  return { code, found: document.diagnostics ?? [] };
}
const codes = (found: readonly Diagnostic[]): string => found.map(({ severity, code }) => `${severity} ${code}`).join(', ');

test('a good installation has nothing that blocks, and says who can switch it off', async () => {
  const { code, found } = await doctor();
  expect(codes(found)).toBe('info MW7316');
  expect(found[0]?.message).toContain('Group `system:masters` (cluster-admin)');
  expect(code).toBe(0);
});

const patched =
  (what: readonly string[], patch: unknown): (() => Promise<unknown>) =>
  () =>
    kubectl(['patch', ...what, '--type=json', '-p', JSON.stringify([patch].flat())]);
const validating = ['validatingwebhookconfiguration', 'meshwright'];
const entry = (path: string, value: unknown): object => ({ op: 'replace', path: `/webhooks/${path}`, value });
const added = (path: string, value: unknown): object => ({ op: 'add', path: `/webhooks/${path}`, value });

const broken: readonly [string, () => Promise<unknown>, string, number][] = [
  [
    'pods of kube-system and of its own namespace reviewed',
    patched(validating, entry('1/namespaceSelector', {})),
    'error MW7302, error MW7302',
    1,
  ],
  ['its service gone', () => kubectl(['delete', 'service', 'webhook', '-n', 'meshwright']), 'error MW7303, error MW7303, error MW7318', 1],
  ['no replica ready', () => apply([slice(false)]), 'error MW7304, error MW7304', 1],
  [
    'one replica',
    patched(['deployment', 'webhook', '-n', 'meshwright'], { op: 'replace', path: '/spec/replicas', value: 1 }),
    'warning MW7305',
    0,
  ],
  ['its disruption budget gone', () => kubectl(['delete', 'pdb', 'webhook', '-n', 'meshwright']), 'warning MW7306', 0],
  ['a timeout of half a minute', patched(validating, entry('0/timeoutSeconds', 30)), 'warning MW7307', 0],
  [
    'the bundle of another CA',
    async () => {
      const caBundle = Buffer.from((await testAuthority('other.local')).trust).toString('base64');
      await patched(validating, entry('0/clientConfig/caBundle', caBundle))();
    },
    'error MW7308',
    1,
  ],
  [
    'a second installation',
    async () => {
      const one = installed.find(({ kind }) => kind === 'ValidatingWebhookConfiguration');
      await apply([{ ...one, metadata: { name: 'older' } }]);
    },
    'error MW7308, error MW7308, error MW7308, error MW7310',
    1,
  ],
  ['a webhook that fails open', patched(validating, entry('0/failurePolicy', 'Ignore')), 'warning MW7311', 0],
  [
    'another image',
    patched(['deployment', 'ca', '-n', 'meshwright'], {
      op: 'replace',
      path: '/spec/template/spec/containers/0/image',
      value: 'meshwright:0.0.9',
    }),
    'warning MW7312',
    0,
  ],
  [
    'a role that was widened',
    patched(['clusterrole', 'meshwright-webhook'], {
      op: 'add',
      path: '/rules/-',
      value: { apiGroups: [''], resources: ['secrets'], verbs: ['list'] },
    }),
    'warning MW7315',
    0,
  ],
  [
    'a kind gone',
    async () => {
      // nobody answers here, and admission hears a moment later that this is ignored
      await patched(validating, entry('2/failurePolicy', 'Ignore'))();
      await until('it is gone', () => isDone(kubectl(['delete', 'crd', 'proxyconfigs.meshwright.dev', '--ignore-not-found'])));
      await patched(validating, entry('2/failurePolicy', 'Fail'))();
    },
    'error MW7318',
    1,
  ],
  [
    'a way past the review',
    patched(validating, added('0/matchConditions', [{ name: 'x', expression: "request.userInfo.username != 'eve'" }])),
    'error MW7319',
    1,
  ],
];
test.each(broken)('%s', async (_name, make, wanted, exit) => {
  // What is applied again below is all that an installation owns: the bundles stay as they were written.
  const before = JSON.parse(await kubectl(['get', 'validatingwebhookconfiguration', 'meshwright', '-o', 'json'])) as {
    readonly webhooks: readonly object[];
  };
  await make();
  try {
    const { code, found } = await doctor();
    expect(codes(found.filter(({ severity }) => severity !== 'info'))).toMatch(new RegExp(`^${wanted}`));
    expect(code).toBe(exit);
    for (const { help } of found) expect(help).toBeDefined();
  } finally {
    await kubectl(['delete', 'validatingwebhookconfiguration', 'older', '--ignore-not-found']);
    await apply([...installed.filter(({ kind }) => !kind.endsWith('WebhookConfiguration')), slice(true)]);
    await patched(validating, { op: 'replace', path: '/webhooks', value: before.webhooks })();
  }
});

test('what somebody may not read is named, and nothing is concluded from it: it is not healthy either', async () => {
  const { code, found } = await doctor(await cluster.kubeconfigFor('eve'));
  expect(codes(found)).not.toContain('error');
  expect(found.map(({ code: one }) => one)).toContain('MW7320');
  expect(code).toBe(1);
});

test('a cluster that does not answer is exit code 2, in one line', async () => {
  const text = JSON.parse(await fs.readFile(cluster.kubeconfig, 'utf8')) as { clusters: { cluster: { server: string } }[] };
  for (const one of text.clusters) one.cluster.server = 'https://127.0.0.1:1';
  const file = path.join(dir, 'nobody.kubeconfig');
  await fs.writeFile(file, JSON.stringify(text));
  const { code } = await doctor(file);
  expect(code).toBe(2);
});
