/** Pods with our sidecar on a real API server: its own plugins run on them, and Pod Security `restricted` admits them. */
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resources, type Kube, type KubeObject } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { checkInjected } from '../../webhook/inject/check';
import { inject, type InjectionContext } from '../../webhook/inject/inject';
import { applyPatch } from '../kit/json-patch';
import { patientKube } from '../kit/patient-kube';
import { until } from '../kit/until';

const namespace = 'shop';
const context: InjectionContext = {
  settings: {
    image: 'registry.test/meshwright:1.0.0',
    imagePullPolicy: 'IfNotPresent',
    trustDomain: 'mesh.test',
    controlPlane: { host: 'control-plane.meshwright.svc', port: 15010 },
    ca: { host: 'ca.meshwright.svc', port: 15011 },
  },
  namespace,
  namespaceLabels: { 'meshwright.dev/inject': 'true' },
};
const restricted = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const pod = (name: string, metadata: object = {}, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: 'front' }, ...metadata },
  spec: { containers: [{ name: 'app', image: 'registry.test/front:1', securityContext: restricted }], ...spec },
});

describe('injection on a real API server', () => {
  let dir: string;
  let server: KubernetesServer;
  let kube: Kube;
  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-inject-'));
    server = await startKubernetes({ dir });
    kube = await patientKube(server.kubeconfig);
    await kube.create(resources.namespaces, {
      metadata: {
        name: namespace,
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' },
      },
    });
    await untilInhabited(namespace);
  }, 1_800_000);
  afterAll(async () => {
    await server?.stop();
    await fs.rm(dir, { recursive: true, force: true });
  });
  /** Admission asks for the account of a pod that names none. */
  const untilInhabited = (name: string): Promise<void> =>
    until(
      `${name} has its account`,
      async () => (await kube.get(resources.serviceAccounts, { namespace: name, name: 'default' })) !== null,
    );
  const injected = (value: KubeObject): KubeObject => {
    const injection = inject(value, context);
    if (injection.kind !== 'patch') throw new Error(JSON.stringify(injection));
    return applyPatch(value, injection.patch) as KubeObject;
  };

  test('restricted admits the pod, and what comes back is what was put in', async () => {
    const made = await kube.create(resources.pods, injected(pod('front-1')), { dryRun: true });
    expect(checkInjected(made, { ...context, required: true })).toBeNull();
    expect(inject(made, context)).toEqual({ kind: 'unchanged' });
    const [sidecar] = Object(made['spec']).initContainers;
    // The plugin has given the application a token for the Kubernetes API, and the sidecar none.
    expect(Object(made['spec']).containers[0].volumeMounts).toHaveLength(1);
    expect(sidecar.volumeMounts.map(({ name }: { name: string }) => name)).toEqual([
      'meshwright-token',
      'meshwright-trust',
      'meshwright-run',
    ]);
  });
  test('a captured pod comes back as it was put in where the namespace lets it in, and `restricted` does not', async () => {
    const metadata = { annotations: { 'meshwright.dev/capture': 'true' } };
    await expect(kube.create(resources.pods, injected(pod('captured-1', metadata)), { dryRun: true })).rejects.toThrow('NET_ADMIN');
    const open = { ...context, namespace: 'open' };
    await kube.create(resources.namespaces, { metadata: { name: 'open', labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } });
    await untilInhabited('open');
    const asked = { ...pod('captured-1', { ...metadata, namespace: 'open' }) };
    const injection = inject(asked, open);
    if (injection.kind !== 'patch') throw new Error(JSON.stringify(injection));
    const made = await kube.create(resources.pods, applyPatch(asked, injection.patch) as KubeObject, { dryRun: true });
    expect(checkInjected(made, { ...open, required: true })).toBeNull();
    const containers: readonly { readonly name: string }[] = Object(made['spec']).initContainers;
    expect(containers.map(({ name }) => name)).toEqual(['meshwright-capture', 'meshwright-proxy']);
  });
  test('with every annotation that a pod may set, with lists there before, and under a LimitRange', async () => {
    await kube.create(
      { apiVersion: 'v1', kind: 'LimitRange', plural: 'limitranges', namespaced: true },
      {
        metadata: { name: 'limits', namespace },
        spec: {
          limits: [
            { type: 'Container', default: { cpu: '2', memory: '512Mi', 'ephemeral-storage': '1Gi' }, defaultRequest: { cpu: '10m' } },
          ],
        },
      },
    );
    const annotations = {
      'meshwright.dev/app-host': '127.0.0.2',
      'meshwright.dev/outbound': '127.0.0.1:16001',
      'meshwright.dev/listener.web': '0.0.0.0:8443',
      'meshwright.dev/sidecar-cpu': '2000m',
      'meshwright.dev/sidecar-memory': '2048Mi',
      'meshwright.dev/sidecar-concurrency': '2',
      'meshwright.dev/sidecar-log-level': 'info',
      'meshwright.dev/sidecar-drain': '30s',
      'meshwright.dev/sidecar-xds': 'state-of-the-world',
      'meshwright.dev/certificates': 'partner, edge-tls',
      'meshwright.dev/east-west': '203.0.113.7:15443',
      'example.com/a_b': 'kept',
    };
    const value = injected(
      pod(
        'front-2',
        { annotations },
        {
          volumes: [{ name: 'own', emptyDir: {} }],
          initContainers: [{ name: 'migrate', image: 'registry.test/migrate:1', securityContext: restricted }],
        },
      ),
    );
    const made = await kube.create(resources.pods, value);
    const fault = checkInjected(made, { ...context, required: true });
    expect(fault).toBeNull();
    expect(inject(made, context)).toEqual({ kind: 'unchanged' });
    expect(made.metadata.annotations).toMatchObject(annotations);
  });
  test('a change of the running sidecar’s image is seen, which the API server alone would let through', async () => {
    const made = await kube.create(resources.pods, injected(pod('front-3')));
    const changed = await kube.patch(
      resources.pods,
      { namespace, name: 'front-3' },
      [{ op: 'replace', path: '/spec/initContainers/0/image', value: 'registry.test/evil:1' }],
      { type: 'json' },
    );
    expect(checkInjected(changed, { ...context, required: true }, made)).toMatchObject({ field: 'spec.initContainers[0].image' });
    expect(checkInjected(made, { ...context, required: true }, made)).toBeNull();
  });
});
