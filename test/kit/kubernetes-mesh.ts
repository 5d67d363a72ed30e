/**
 * A mesh on a real Kubernetes API server: pods are objects with a status written by hand (there are no nodes), and beside each an application, an agent and a
 * real Envoy that stand for it. Kubernetes takes no loopback address for a pod, so all have this machine's own and a port each.
 */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as path from 'node:path';
import { meshNamespace, objectResource, releaseResource } from '../../core/bundle/custom-resource';
import type { MeshObject, Release, SignedRelease } from '../../core/bundle/objects';
import type { ReleaseStatusResource } from '../../core/bundle/release-status';
import { formatTrust } from '../../core/bundle/trust';
import { customResourceDefinitions } from '../../deploy/crds';
import { temporaryFolder } from '../../platform/files';
import { hostAddress } from '../../platform/host-address';
import { KubeError, resources, type Kube, type KubeObject, type Resource } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { silentLog, type Log } from '../../platform/log';
import { freePorts } from '../../platform/ports';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { runAgent, type AgentConfig, type RunningAgent } from '../../runtime-proxy/agent/main';
import { serveCa, type RunningCa } from '../../runtime-proxy/ca/main';
import { instanceIdOf } from '../../runtime-proxy/ca/spiffe';
import type { ControlPlaneConfig } from '../../runtime-proxy/control-plane/main';
import { patientKube } from './patient-kube';
import { present } from './present';
import { request, trustDomain, type Answer } from './running-mesh';
import { newTestSigner, signTestObject, signTestRelease, testRelease, type TestSigner } from './signing';
import { until } from './until';

export const environment = 'prod';

export interface PodSpec {
  readonly name: string;
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly version?: string;
  /** Whether it is called, on its Service's port `web`. */
  readonly called: boolean;
  /** Another name of that port. */
  readonly port?: string;
  /** Beside that of its outbound address. */
  readonly annotations?: { readonly [name: string]: string };
}
export interface KubernetesMesh {
  readonly folder: string;
  readonly server: KubernetesServer;
  readonly kube: Kube;
  readonly ca: RunningCa;
  readonly signer: TestSigner;
  readonly agents: Map<string, RunningAgent>;
  /** The configuration of one replica, with addresses and files of its own. */
  controlPlaneConfig(identity: string): Promise<ControlPlaneConfig>;
  /** Creates the pod with a status as the kubelet writes it, and the application that stands in it. */
  createPod(spec: PodSpec): Promise<void>;
  setReady(spec: PodSpec, ready: boolean): Promise<void>;
  /** What the kubelet does at the end of a pod that was deleted. */
  forcePodGone(spec: PodSpec): Promise<void>;
  startAgent(spec: PodSpec, controlPlane: AgentConfig['controlPlane']): Promise<RunningAgent>;
  put(object: MeshObject): Promise<void>;
  /** Puts objects (unless told not to) and a release of them that follows the live one. */
  release(objects: readonly MeshObject[], change?: Partial<Release>, options?: { readonly putObjects?: boolean }): Promise<SignedRelease>;
  status(): Promise<Partial<ReleaseStatusResource>>;
  until(what: string, holds: (status: Partial<ReleaseStatusResource>) => boolean): Promise<Partial<ReleaseStatusResource>>;
  call(spec: PodSpec, host: string, requestPath: string, agent?: http.Agent, headers?: http.OutgoingHttpHeaders): Promise<Answer>;
  stop(): Promise<void>;
}

const named = (resource: Resource, metadata: object, rest: object): KubeObject =>
  ({ apiVersion: resource.apiVersion, kind: resource.kind, metadata, ...rest }) as KubeObject;

export async function runKubernetesMesh(options: { readonly log?: Log } = {}): Promise<KubernetesMesh> {
  const log = options.log ?? silentLog;
  const folder = await temporaryFolder('cluster');
  const file = (name: string): string => path.join(folder, name);
  const address = hostAddress();
  const envoy = await obtainEnvoy();
  const server = await startKubernetes({ dir: file('kubernetes') });
  const kube = await patientKube(server.kubeconfig);
  const definitions = customResourceDefinitions() as readonly KubeObject[];
  for (const definition of definitions) await kube.create(resources.customResourceDefinitions, definition);
  const namespaces = new Set<string>();
  const ensureNamespace = async (name: string): Promise<void> => {
    if (namespaces.has(name)) return;
    namespaces.add(name);
    await kube.create(resources.namespaces, named(resources.namespaces, { name }, {}));
  };
  await ensureNamespace(meshNamespace);
  await kube.create(resources.nodes, named(resources.nodes, { name: 'node-1' }, {})); // the EndpointSlice controller asks for it
  const signer = await newTestSigner();
  await fs.writeFile(file('signing.json'), formatTrust({ environments: { [environment]: { keys: [signer.jwk], generationFloor: 0 } } }));
  const anyPort = { host: '127.0.0.1', port: 0 };
  const ca = await serveCa(
    {
      ...{ trustDomain, stateDir: file('ca'), listen: anyPort, admin: anyPort, adminTokenFile: file('ca.token') },
      kubernetes: { kubeconfig: server.kubeconfig },
    },
    log,
  );
  const mint = async (identity: object): Promise<string> => {
    const response = await fetch(`${ca.adminUrl}/v1/join-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${(await fs.readFile(file('ca.token'), 'utf8')).trim()}` },
      body: JSON.stringify(identity),
    });
    const made: { readonly token: string } = JSON.parse(await response.text());
    return made.token;
  };
  const applications = new Map<string, http.Server>();
  const agents = new Map<string, RunningAgent>();
  const ports = new Map<string, { readonly web: number; readonly outbound: number }>();
  const services = new Set<string>();
  let previous: SignedRelease | null = null;
  /** A type that was defined a moment ago is not served yet. */
  const createSoon = async (resource: Resource, object: KubeObject): Promise<void> => {
    let why = '';
    const isThere = async (): Promise<boolean> => {
      try {
        await kube.create(resource, object);
        return true;
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        why = error.message;
        return error.reason === 'AlreadyExists';
      }
    };
    await until(`${resource.kind} ${object.metadata.name} is created`, isThere, () => why);
  };
  const podStatus = (ready: boolean): object => ({
    phase: 'Running',
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  });
  /** The projected token of a replica's pod, as the kubelet gets it. */
  const tokenOf = async (pod: string): Promise<string> => {
    const account = 'control-plane';
    await createSoon(resources.serviceAccounts, named(resources.serviceAccounts, { name: account, namespace: meshNamespace }, {}));
    const spec = { nodeName: 'node-1', serviceAccountName: account, containers: [{ name: 'control-plane', image: 'meshwright:1' }] };
    await createSoon(resources.pods, named(resources.pods, { name: pod, namespace: meshNamespace, labels: { app: account } }, { spec }));
    const made = await kube.post(`/api/v1/namespaces/${meshNamespace}/serviceaccounts/${account}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: ['meshwright'], expirationSeconds: 3600, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } },
    });
    return (made as { readonly status: { readonly token: string } }).status.token;
  };
  const kinds = {
    ServiceConfig: resources.serviceConfigs,
    ProxyConfig: resources.proxyConfigs,
    AdmissionRules: resources.admissionRules,
  } as const;

  const mesh: KubernetesMesh = {
    ...{ folder, server, kube, ca, signer, agents },
    async controlPlaneConfig(identity) {
      const [xds = 0, admin = 0] = await freePorts(2);
      const tokenFile = file(`${identity}.token`);
      await fs.writeFile(tokenFile, await tokenOf(identity), { mode: 0o600 });
      return {
        environment,
        trustDomain,
        listen: { host: '127.0.0.1', port: xds },
        admin: { host: '127.0.0.1', port: admin },
        adminTokenFile: file('admin.token'),
        trustFile: file('signing.json'),
        ca: { address: ca.address, trustFile: ca.trustFile },
        tokenFile,
        kubernetes: { kubeconfig: server.kubeconfig, identity, leaseMs: 30_000 },
      };
    },
    async createPod({ name, namespace, workload, serviceAccount, version, called, port = 'web', annotations }) {
      await ensureNamespace(namespace);
      await createSoon(resources.serviceAccounts, named(resources.serviceAccounts, { name: serviceAccount, namespace }, {}));
      const [web = 0, outbound = 0] = await freePorts(2);
      ports.set(name, { web, outbound });
      if (called && !services.has(workload)) {
        services.add(workload);
        await createSoon(
          resources.services,
          named(
            resources.services,
            { name: workload, namespace },
            { spec: { selector: { app: workload }, ports: [{ name: port, port: 9080, targetPort: 'http' }] } },
          ),
        );
      }
      if (called) {
        const application = http.createServer({ keepAliveTimeout: 3_600_000, headersTimeout: 0, requestTimeout: 0 }, (incoming, response) =>
          response.end(`${name} ${incoming.url}`),
        );
        await new Promise<void>((resolve, reject) => application.once('error', reject).listen(web, '127.0.0.1', resolve));
        applications.set(name, application);
      }
      const labels = { app: workload, ...(version === undefined ? {} : { version }) };
      const metadata = { name, namespace, labels, annotations: { ...annotations, 'meshwright.dev/outbound': `127.0.0.1:${outbound}` } };
      const container = { name: 'app', image: 'app:1', ...(called ? { ports: [{ name: 'http', containerPort: web }] } : {}) };
      await createSoon(
        resources.pods,
        named(resources.pods, metadata, { spec: { nodeName: 'node-1', serviceAccountName: serviceAccount, containers: [container] } }),
      );
      await kube.patch(resources.pods, { namespace, name }, { status: podStatus(true) }, { type: 'merge', subresource: 'status' });
    },
    async setReady({ namespace, name }, ready) {
      await kube.patch(resources.pods, { namespace, name }, { status: podStatus(ready) }, { type: 'merge', subresource: 'status' });
    },
    async forcePodGone({ namespace, name }) {
      await server.kubectl(['-n', namespace, 'delete', 'pod', name, '--grace-period=0', '--force', '--ignore-not-found']);
    },
    async startAgent({ name, namespace, workload, serviceAccount }, controlPlane) {
      const identity = {
        instance: instanceIdOf(name, namespace),
        workload: `${namespace}/${workload}`,
        principal: `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`,
      };
      const joinTokenFile = file(`${name}.join`);
      await fs.writeFile(joinTokenFile, await mint(identity), { mode: 0o600 });
      const agent = await runAgent(
        {
          ...{ instance: identity.instance, workload: identity.workload, trustDomain, controlPlane, joinTokenFile, envoy },
          ca: { address: ca.address, trustFile: ca.trustFile },
          runDir: file(`run-${name}`),
          concurrency: 1,
          drainMs: 200,
        },
        { log },
      );
      agents.set(name, agent);
      return agent;
    },
    async put(object) {
      await ensureNamespace(object.metadata.namespace);
      const resource = objectResource(await signTestObject(signer, object, environment), environment);
      await createSoon(kinds[object.kind], resource as unknown as KubeObject);
    },
    async release(objects, change = {}, { putObjects = true } = {}) {
      if (putObjects) for (const object of objects) await mesh.put(object);
      const before = previous?.release;
      const status = await mesh.status();
      const release = testRelease(objects, {
        environment,
        ...(before && previous
          ? {
              generation: before.generation + 1,
              parent: previous.digest,
              stable: status.converged === previous.digest ? before.candidate : before.stable,
            }
          : {}),
        ...change,
      });
      const signed = await signTestRelease(signer, release);
      await kube.apply(resources.releases, releaseResource(signed) as unknown as KubeObject, { fieldManager: 'test', force: true });
      previous = signed;
      return signed;
    },
    async status() {
      const found = await kube.get(resources.releases, { namespace: meshNamespace, name: environment });
      return (found?.['status'] ?? {}) as Partial<ReleaseStatusResource>;
    },
    async until(what, holds) {
      let status: Partial<ReleaseStatusResource> = {};
      const isSo = async (): Promise<boolean> => holds((status = await mesh.status().catch(() => ({}))));
      await until(what, isSo, () => status);
      return status;
    },
    call({ name }, host, requestPath, agent, headers = {}) {
      const port = present(ports.get(name)).outbound;
      return request({ host: '127.0.0.1', port, path: requestPath, headers: { ...headers, host }, ...(agent ? { agent } : {}) });
    },
    async stop() {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
      await ca.close();
      await server.stop();
      for (const application of applications.values()) {
        application.closeAllConnections();
        application.close();
      }
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
  return mesh;
}
