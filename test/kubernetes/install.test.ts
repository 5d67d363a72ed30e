/** An installation on the real API server: by helm and by kubectl, again without a change, and away without a trace that could lock the cluster. */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { loadAll } from 'js-yaml';
import { installObjects } from '../../deploy/install/install';
import type { KubernetesObject } from '../../deploy/install/object';
import { defaultValues, type InstallValues } from '../../deploy/install/values';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { runCommand, type CommandResult } from '../../platform/process';
import { obtainHelm } from '../../platform/tools/kubernetes';
import { until } from '../kit/until';

const chart = path.join(__dirname, '..', '..', 'deploy', 'chart');
const values: InstallValues = { ...defaultValues, gitops: { ...defaultValues.gitops, enabled: true } };
const objects = installObjects(values);
let dir: string;
let cluster: KubernetesServer;
let program: string;
beforeAll(async () => {
  dir = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-install-'));
  program = await obtainHelm();
  cluster = await startKubernetes({ dir: path.join(dir, 'kubernetes') });
}, 1_800_000);
afterAll(async () => {
  await cluster?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

const helm = (...args: readonly string[]): Promise<CommandResult> =>
  runCommand(program, [...args, '--namespace', 'meshwright', '--kubeconfig', cluster.kubeconfig], {
    env: { PATH: process.env['PATH'], HOME: dir },
    timeoutMs: 300_000, // against hanging
  });
const ok = (result: CommandResult): string => {
  if (result.code !== 0) throw new Error(`${result.stdout}${result.stderr}`);
  return result.stdout;
};
const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
/** What the API server would change if helm applied its manifest once more, by a server-side dry run as helm's field manager; empty when nothing. */
async function wouldChange(manifest: string): Promise<string> {
  const items = loadAll(manifest)
    .filter((one): one is KubernetesObject => typeof one === 'object' && one !== null)
    .map((object) => ({
      ...object,
      // What helm itself adds to everything that it applies.
      metadata: {
        ...object.metadata,
        labels: { ...object.metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: {
          ...object.metadata.annotations,
          'meta.helm.sh/release-name': 'meshwright',
          'meta.helm.sh/release-namespace': 'meshwright',
        },
      },
    }));
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const result = await cluster.kubectl(['diff', '--server-side', '--field-manager=helm', '-f', '-'], { input });
  return `${result.stdout}${result.stderr}`;
}
const configurations = async (): Promise<string> =>
  ok(await cluster.kubectl(['get', 'validatingwebhookconfigurations,mutatingwebhookconfigurations', '-o', 'name']));

test('helm installs it, an upgrade changes nothing, and removing it leaves no webhook configuration and everything that is in force', async () => {
  const set = ['--set', 'gitops.enabled=true'];
  expect(await configurations()).toBe('');
  const installed = ok(await helm('install', 'meshwright', chart, '--create-namespace', '--take-ownership', ...set));
  expect(installed).toContain('STATUS: deployed');
  expect(installed).toContain('meshwright doctor');
  expect((await configurations()).trim().split('\n').sort()).toEqual([
    'mutatingwebhookconfiguration.admissionregistration.k8s.io/meshwright',
    'validatingwebhookconfiguration.admissionregistration.k8s.io/meshwright',
  ]);
  const namespace = ok(await cluster.kubectl(['get', 'namespace', 'meshwright', '-o', 'json']));
  expect(namespace).toContain('"pod-security.kubernetes.io/enforce": "restricted"');

  const manifest = ok(await helm('get', 'manifest', 'meshwright'));
  expect(await wouldChange(manifest)).toBe('');
  expect(await wouldChange(manifest.replace('replicas: 2', 'replicas: 3'))).toContain('+  replicas: 3');

  // What the webhook writes into its configuration is not taken back by an upgrade.
  const caBundle = (await fs.readFile(cluster.caFile)).toString('base64');
  const patch = JSON.stringify([{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: caBundle }]);
  ok(await cluster.kubectl(['patch', 'validatingwebhookconfiguration', 'meshwright', '--type=json', '-p', patch]));
  const state = async (): Promise<string> =>
    ok(
      await cluster.kubectl([
        'get',
        'deployments,services,configmaps,roles,clusterroles,networkpolicies,validatingwebhookconfigurations,mutatingwebhookconfigurations',
        '--namespace=meshwright',
        '--selector=app.kubernetes.io/part-of=meshwright',
        '-o',
        'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation} {.webhooks[0].clientConfig.caBundle} {.data}{"\\n"}{end}',
      ]),
    );
  const before = await state();
  expect(before).toContain(caBundle);
  ok(await helm('upgrade', 'meshwright', chart, ...set));
  expect(await state()).toBe(before);

  const removed = await helm('uninstall', 'meshwright', '--wait', '--debug');
  ok(removed);
  // Who is asked leaves before who answers.
  const order = [...`${removed.stdout}${removed.stderr}`.matchAll(/starting delete resource.* kind=([A-Za-z]+)/g)].map(([, kind]) => kind);
  expect(order.slice(0, 2)).toEqual(['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']);
  expect(order.length).toBeGreaterThan(30);
  expect(await configurations()).toBe('');
  expect(ok(await cluster.kubectl(['get', 'namespace', 'meshwright', '-o', 'jsonpath={.status.phase}']))).toBe('Active');
  expect(
    ok(
      await cluster.kubectl([
        'get',
        'deployments,clusterroles,clusterrolebindings',
        '-A',
        '-l',
        'app.kubernetes.io/part-of=meshwright',
        '-o',
        'name',
      ]),
    ),
  ).toBe('');
  // What stayed is taken over by the next installation.
  expect(ok(await helm('install', 'meshwright', chart, '--take-ownership'))).toContain('STATUS: deployed');
  ok(await helm('uninstall', 'meshwright', '--wait'));
});

test('kubectl applies the same objects, twice, and every pod passes Pod Security `restricted`', async () => {
  const first = await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: list });
  expect(first.stderr).toBe('');
  expect(first.code).toBe(0);
  const again = await cluster.kubectl(['diff', '--server-side', '-f', '-'], { input: list });
  expect(again.stdout).toBe('');
  expect(again.code).toBe(0);
  // The templates as pods: the namespace enforces `restricted`, and a pod that does not pass is refused.
  for (const object of objects) {
    if (object.kind !== 'Deployment') continue;
    const template = JSON.parse(JSON.stringify(object.spec)) as { readonly template: { readonly metadata: object; readonly spec: object } };
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.template.metadata, name: `as-a-pod-${object.metadata.name}`, namespace: 'meshwright' },
      spec: template.template.spec,
    };
    const dry = await cluster.kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(pod) });
    expect(`${dry.stdout}${dry.stderr}`).toBe(`pod/as-a-pod-${object.metadata.name} created (server dry run)\n`);
  }
  ok(await cluster.kubectl(['wait', '--for=create', 'serviceaccount/default', '--namespace=meshwright', '--timeout=180s']));
  const loose = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'loose', namespace: 'meshwright' },
    spec: { containers: [{ name: 'c', image: 'c' }] },
  };
  const refused = await cluster.kubectl(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(loose) });
  expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
});

test('a webhook that is away holds back what rules read, in reviewed namespaces, and nothing else', async () => {
  const none = async (args: readonly string[], input: string): Promise<string> => {
    const result = await cluster.kubectl(args, { input });
    return `${result.stdout}${result.stderr}`;
  };
  ok(await cluster.kubectl(['delete', 'mutatingwebhookconfiguration', 'meshwright']));
  ok(await cluster.kubectl(['delete', 'validatingwebhookconfiguration', 'meshwright']));
  ok(await cluster.kubectl(['create', 'namespace', 'shop']));
  const deployment = (namespace: string, change: object = {}, annotations: object = {}): string =>
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'cart', namespace, annotations },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'cart' } },
        template: { metadata: { labels: { app: 'cart' } }, spec: { containers: [{ name: 'cart', image: 'cart:1' }] } },
        ...change,
      },
    });
  ok(await cluster.kubectl(['apply', '-f', '-'], { input: deployment('shop') }));
  const configurations = { apiVersion: 'v1', kind: 'List', items: objects.filter(({ kind }) => kind.endsWith('WebhookConfiguration')) };
  ok(await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: JSON.stringify(configurations) }));
  const calls = 'failed calling webhook "workloads.meshwright.dev"';
  // Configurations reach the API server's admission a moment later.
  await until('the webhook is called', async () =>
    (await none(['apply', '--dry-run=server', '-f', '-'], deployment('shop', { replicas: 1 }))).includes(calls),
  );
  // Neither spec, labels nor annotations change: a finalizer is none of our business, and must go when somebody waits for the end.
  const finalizer = '{"metadata":{"finalizers":["acme.example/wait"]}}';
  expect(await none(['patch', 'deployment', 'cart', '-n', 'shop', '--type=merge', '-p', finalizer], '')).toContain('patched');
  const labelled = (label: string): Promise<string> =>
    none(['patch', 'deployment', 'cart', '-n', 'shop', '--type=merge', '-p', `{"metadata":{"labels":{"${label}":"b"}}}`], '');
  expect(await labelled('version')).toContain(calls);
  expect(await labelled('meshwright.dev/workload')).toContain(calls);
  expect(await labelled('a')).toContain('patched');
  expect(await none(['create', '--dry-run=server', '-f', '-'], deployment('kube-system'))).toContain('created (server dry run)');
  // Our own kinds in every namespace, also where workloads are exempt.
  for (const namespace of ['shop', 'kube-system', 'meshwright']) {
    const object = { apiVersion: 'meshwright.dev/v1alpha1', kind: 'AdmissionRules', metadata: { name: 'rules.000000000000', namespace } };
    const digest = `sha256:${'0'.repeat(64)}`;
    const whole = {
      ...object,
      spec: { environment: 'prod', trustDomain: 'mesh.local' },
      proof: { environment: 'prod', name: 'rules', digest, jws: 'a.b.c' },
    };
    expect(await none(['create', '--dry-run=server', '-f', '-'], JSON.stringify(whole))).toContain(
      'failed calling webhook "objects.meshwright.dev"',
    );
  }
  const pod = (labels: object): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'shop', labels },
      spec: { containers: [{ name: 'c', image: 'c' }] },
    });
  ok(await cluster.kubectl(['wait', '--for=create', 'serviceaccount/default', '--namespace=shop', '--timeout=180s']));
  const injects = 'failed calling webhook "pod.injection.meshwright.dev"';
  const wanting = pod({ 'meshwright.dev/inject': 'true' });
  await until('the injector is called', async () => (await none(['create', '--dry-run=server', '-f', '-'], wanting)).includes(injects));
  expect(await none(['create', '--dry-run=server', '-f', '-'], pod({}))).toContain(calls);
});
