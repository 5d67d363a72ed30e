/**
 * The product's servers beside a real API server: each is the process that its pod would run, with the permissions of its service account. Two control planes and
 * two webhooks, each pair behind one address; an agent with its Envoy for each pod.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getJson, ready, type RunningMesh } from '../../../cli/up/launch';
import { supervise, type Supervised, type Supervisor } from '../../../cli/up/supervisor';
import { generateKeys } from '../../../compiler/sign';
import { meshNamespace } from '../../../core/bundle/custom-resource';
import type { RolloutStatus } from '../../../core/bundle/status';
import { apiVersion } from '../../../core/bundle/objects';
import { principalOf } from '../../../core/mesh/ids';
import { configurationOf } from '../../../deploy/install/configuration';
import { defaultValues, type InstallValues } from '../../../deploy/install/values';
import { freePorts } from '../../../platform/ports';
import { instanceIdOf } from '../../../runtime-proxy/ca/spiffe';
import { startBalancer, type Backend, type Balancer } from './balancer';
import { installation, lastLine, podsOf, type DemoCluster } from './cluster';
import { endpointsOf, runningStatus, type ClusterLayout, type PodPlan } from './layout';
import type { Cleanup } from '../set-up';

export interface ClusterMesh extends Pick<
  RunningMesh,
  | 'dir'
  | 'statusUrl'
  | 'adminUrl'
  | 'adminTokenFile'
  | 'hookUrl'
  | 'hookSecret'
  | 'rollout'
  | 'loop'
  | 'joinToken'
  | 'ca'
  | 'restartLoop'
  | 'supervisor'
> {
  readonly controlPlanes: readonly Supervised[];
  readonly webhooks: readonly Supervised[];
}
export interface ClusterLaunch {
  readonly dir: string;
  readonly trustDomain: string;
  readonly environment: string;
  readonly repositoryUrl: string;
  readonly layout: ClusterLayout;
  readonly cluster: DemoCluster;
  readonly program: { readonly program: string; readonly arguments: readonly string[] };
  readonly hosts: readonly string[];
  readonly pulumi: boolean;
  readonly say: (line: string) => void;
  readonly cleanup: Cleanup;
}

const loopback = '127.0.0.1';
const webhookReplicas = ['webhook-1', 'webhook-2'] as const;
const controlPlaneReplicas = ['control-plane-1', 'control-plane-2'] as const;

/** Starts everything and waits until the servers are ready; proxies and the first release come by themselves. */
export async function launchCluster(launch: ClusterLaunch): Promise<ClusterMesh> {
  const { dir, cluster, layout, say, cleanup } = launch;
  await mkdir(join(dir, 'agents'), { recursive: true, mode: 0o700 });
  const supervisor = supervise(launch.program, join(dir, 'logs'));
  cleanup.add(() => supervisor.stop());
  const parts = new Parts(launch, supervisor);

  const values = await parts.keysAndValues();
  const { first, last } = installation(values);
  await cluster.apply(first);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  await cluster.apply([...layout.objects, ...podsOf(values, 'control-plane', controlPlaneReplicas)]);
  say('the product is installed: definitions, permissions, configuration; the pods of the servers are processes');

  const ca = await parts.startCa();
  const plane = await parts.startControlPlanes(ca);
  say('the CA, the signer and two control planes are up');
  const webhooks = await parts.startWebhooks(values);
  await cluster.apply([endpointsOf('webhook', layout.address, { name: 'https', number: webhooks.address.port })]);
  await cluster.apply(last);
  await webhooks.ready();
  await refusing(cluster);
  say('two webhooks are up, and the API server asks them: without their word nothing of ours gets in (failurePolicy: Fail)');
  await createPods(cluster, layout);
  const agents = await Promise.all(layout.pods.map((pod) => parts.startAgent(pod, ca, plane.xds)));
  say(`${layout.pods.length} pods are created, and as many agents are starting their Envoys`);
  void agents;

  const loop = await parts.startLoop(plane.admin, { pulumi: launch.pulumi });
  say('the GitOps loop is up');
  return {
    dir,
    supervisor,
    statusUrl: loop.url,
    adminUrl: `http://${loopback}:${plane.admin.port}`,
    adminTokenFile: parts.at('control-plane-token'),
    hookUrl: `${loop.url}/hooks/push`,
    hookSecret: parts.hookSecret,
    controlPlanes: plane.processes,
    webhooks: webhooks.processes,
    ca: { address: ca.address, trustFile: ca.trustFile },
    rollout: async () => {
      const token = (await readFile(parts.at('control-plane-token'), 'utf8')).trim();
      return (await getJson(`http://${loopback}:${plane.admin.port}/v1/status`, { authorization: `Bearer ${token}` })) as RolloutStatus;
    },
    loop: () => getJson(`${loop.url}/v1/status`, {}),
    joinToken: (instance, workload) => ca.mint({ instance, workload, principal: parts.principal(workload) }),
    restartLoop: async (change) => {
      await supervisor.get('gitops')?.stop();
      supervisor.forget('gitops');
      await parts.startLoop(plane.admin, { pulumi: launch.pulumi, ...change }, loop.port);
    },
  };
}

/** Waits until the API server asks the webhook: it learns of a configuration a moment after it is written. */
async function refusing({ kubectl }: DemoCluster): Promise<void> {
  const unsigned = {
    apiVersion,
    kind: 'AdmissionRules',
    metadata: { namespace: meshNamespace, name: 'rules.000000000000' },
    spec: { environment: 'none', trustDomain: 'none' },
    proof: { environment: 'none', name: 'rules', digest: `sha256:${'0'.repeat(64)}`, jws: 'a.b.c' },
  };
  let said = '';
  for (let turn = 0; turn < 1_200; turn += 1) {
    const { stderr } = await kubectl(['create', '--dry-run=server', '-f', '-'], { objects: [unsigned] });
    said = lastLine(stderr);
    if (said.includes('MW8')) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the API server does not ask the webhook: ${said || 'it let an unsigned object in'}`);
}

/** Pods with the status that a kubelet would write. */
async function createPods(cluster: DemoCluster, { pods, address }: ClusterLayout): Promise<void> {
  await cluster.apply(pods.map(({ object }) => object));
  const status = JSON.stringify({ status: runningStatus(address) });
  await Promise.all(
    pods.map(async ({ namespace, name }) => {
      const args = ['patch', 'pod', name, '--namespace', namespace, '--subresource=status', '--type=merge', '--patch', status];
      const { code, stderr } = await cluster.kubectl(args);
      if (code !== 0) throw new Error(`pod ${name}: ${stderr.trim()}`);
    }),
  );
}

interface Ca {
  readonly address: string;
  readonly trustFile: string;
  mint(identity: { readonly instance: string; readonly workload: string; readonly principal: string }): Promise<string>;
}

class Parts {
  readonly hookSecret = randomBytes(32).toString('base64url');
  constructor(
    private readonly launch: ClusterLaunch,
    private readonly supervisor: Supervisor,
  ) {}

  at(...parts: string[]): string {
    return join(this.launch.dir, ...parts);
  }
  principal(workload: string): string {
    const pod = this.launch.layout.pods.find((one) => one.workload === workload);
    if (!pod) throw new Error(`no pod runs \`${workload}\``);
    return principalOf(this.launch.trustDomain, pod.namespace, pod.account);
  }
  private async config(name: string, value: unknown): Promise<string> {
    const file = this.at(`${name}.json`);
    await writeFile(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    return file;
  }
  private secret(name: string, text: string): Promise<void> {
    return writeFile(this.at(name), `${text}\n`, { mode: 0o600 });
  }

  async keysAndValues(): Promise<InstallValues> {
    const { environment, trustDomain } = this.launch;
    const keys = await generateKeys({ keyFile: this.at('keys.json'), trustFile: this.at('trust.json') }, [environment]);
    if (!keys.value) throw new Error(keys.diagnostics.map((one) => one.message).join('; '));
    await this.secret('webhook-secret', this.hookSecret);
    await this.secret('operator-token', randomBytes(32).toString('base64url'));
    return {
      ...defaultValues,
      environment,
      trustDomain,
      trustRoot: keys.value,
      gitops: { ...defaultValues.gitops, enabled: true },
    };
  }

  async startCa(): Promise<Ca> {
    const { trustDomain, hosts, cluster } = this.launch;
    const [port = 0, adminPort = 0] = await freePorts(2);
    const [trustFile, tokenFile, adminUrl] = [this.at('ca', 'trust.pem'), this.at('ca', 'admin-token'), `http://${loopback}:${adminPort}`];
    await mkdir(this.at('ca'), { recursive: true, mode: 0o700 });
    const config = await this.config('ca', {
      trustDomain,
      stateDir: this.at('ca'),
      listen: { host: loopback, port },
      admin: { host: loopback, port: adminPort },
      adminTokenFile: tokenFile,
      trustFile,
      certificates: { 'platform/edge-tls': { hosts, principals: [this.principal('platform/edge')] } },
      kubernetes: { kubeconfig: await cluster.kubeconfigOf('ca') },
    });
    const ca = this.supervisor.start({ name: 'ca', arguments: ['serve', 'ca', '--config', config], restart: true });
    const signer = await this.config('signer', {
      keyFile: this.at('keys.json'),
      socketPath: this.at('signer', 's.sock'),
      stateFile: this.at('signer-floors.json'),
    });
    this.supervisor.start({ name: 'signer', arguments: ['serve', 'signer', '--config', signer], restart: true });
    await ready(`${adminUrl}/readyz`, 'the CA', ca);
    return {
      address: `${loopback}:${port}`,
      trustFile,
      mint: async (identity) => {
        const answer = await fetch(`${adminUrl}/v1/join-tokens`, {
          method: 'POST',
          headers: { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`, 'content-type': 'application/json' },
          body: JSON.stringify(identity),
          signal: AbortSignal.timeout(10_000),
        });
        const body = (await answer.json()) as { token?: unknown };
        if (!answer.ok || typeof body.token !== 'string') throw new Error(`the CA gave no join token: status ${answer.status}`);
        return body.token;
      },
    };
  }

  async startControlPlanes(ca: Ca): Promise<{ xds: Balancer; admin: Balancer; processes: readonly Supervised[] }> {
    const { trustDomain, environment, cluster, cleanup } = this.launch;
    const kubeconfig = await cluster.kubeconfigOf('control-plane');
    const ports = [...(await freePorts(controlPlaneReplicas.length * 2))];
    const places: { xds: number; admin: number }[] = [];
    const processes: Supervised[] = [];
    for (const name of controlPlaneReplicas) {
      const [xds = 0, admin = 0] = [ports.pop(), ports.pop()];
      const tokenFile = this.at(`${name}-identity`);
      const config = await this.config(name, {
        trustDomain,
        environment,
        listen: { host: loopback, port: xds },
        admin: { host: loopback, port: admin },
        adminTokenFile: this.at('control-plane-token'),
        ca: { address: ca.address, trustFile: ca.trustFile },
        tokenFile,
        trustFile: this.at('trust.json'),
        kubernetes: { kubeconfig, identity: name, leaseMs: 3_000 },
      });
      const process = this.supervisor.start({
        name,
        arguments: ['serve', 'control-plane', '--config', config],
        restart: true,
        before: async () =>
          writeFile(tokenFile, await cluster.podToken({ namespace: meshNamespace, name, account: 'control-plane' }), { mode: 0o600 }),
      });
      await ready(`http://${loopback}:${admin}/healthz`, name, process);
      places.push({ xds, admin });
      processes.push(process);
    }
    const xds = await startBalancer(
      loopback,
      places.map((place) => ({ host: loopback, port: place.xds })),
    );
    const admin = await startBalancer(
      loopback,
      places.map((place) => ({ host: loopback, port: place.admin })),
    );
    cleanup.add(() => xds.close());
    cleanup.add(() => admin.close());
    return { xds, admin, processes };
  }

  /** With the installation's own configuration; only places and files differ. They make the certificate that the API server verifies them by. */
  async startWebhooks(
    values: InstallValues,
  ): Promise<{ readonly address: Balancer; readonly processes: readonly Supervised[]; ready(): Promise<void> }> {
    const { cluster, cleanup, layout } = this.launch;
    const installed: object = JSON.parse(configurationOf('webhook', values));
    const kubeconfig = await cluster.kubeconfigOf('webhook');
    const ports = [...(await freePorts(webhookReplicas.length * 2))];
    const replicas: { readonly backend: Backend; readonly admin: number; readonly process: Supervised }[] = [];
    for (const name of webhookReplicas) {
      const [port = 0, admin = 0] = [ports.pop(), ports.pop()];
      const backend = { host: loopback, port };
      const config = await this.config(name, {
        ...installed,
        listen: backend,
        admin: { host: loopback, port: admin },
        trustFile: this.at('trust.json'),
        kubeconfig,
      });
      const process = this.supervisor.start({ name, arguments: ['serve', 'webhook', '--config', config], restart: true });
      await ready(`http://${loopback}:${admin}/healthz`, name, process);
      replicas.push({ backend, admin, process });
    }
    const address = await startBalancer(
      layout.address,
      replicas.map(({ backend }) => backend),
    );
    cleanup.add(() => address.close());
    return {
      address,
      processes: replicas.map(({ process }) => process),
      ready: async () => {
        for (const { admin, process } of replicas) await ready(`http://${loopback}:${admin}/readyz`, process.name, process);
      },
    };
  }

  async startAgent(pod: PodPlan, ca: Ca, xds: Balancer): Promise<Supervised> {
    const { trustDomain, cluster } = this.launch;
    const runDir = this.at('agents', pod.name);
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    const serviceAccountTokenFile = join(runDir, 'token');
    const mount = async (): Promise<void> => writeFile(serviceAccountTokenFile, await cluster.podToken(pod), { mode: 0o600 });
    const config = await this.config(join('agents', pod.name), {
      instance: instanceIdOf(pod.name, pod.namespace),
      workload: pod.workload,
      trustDomain,
      controlPlane: { host: loopback, port: xds.port },
      ca: { address: ca.address, trustFile: ca.trustFile },
      serviceAccountTokenFile,
      runDir,
    });
    return this.supervisor.start({ name: `agent-${pod.name}`, arguments: ['agent', '--config', config], restart: true, before: mount });
  }

  async startLoop(
    admin: Balancer,
    settings: { readonly pulumi?: boolean; readonly envoyValidate?: boolean },
    port?: number,
  ): Promise<{ readonly url: string; readonly port: number }> {
    const { environment, repositoryUrl, cluster } = this.launch;
    const [free = 0] = port === undefined ? await freePorts(1) : [port];
    const config = await this.config('gitops', {
      repositoryUrl,
      environment,
      stateDir: this.at('gitops'),
      webhookSecretFile: this.at('webhook-secret'),
      operatorTokenFile: this.at('operator-token'),
      pollMs: 60_000,
      signerSocket: this.at('signer', 's.sock'),
      trustFile: this.at('trust.json'),
      target: {
        kind: 'kubernetes',
        kubeconfig: await cluster.kubeconfigOf('gitops'),
        adminUrl: `http://${loopback}:${admin.port}`,
        tokenFile: this.at('control-plane-token'),
        stateDir: this.at('pulumi'),
        stack: environment,
      },
      envoyValidate: settings.envoyValidate ?? true,
      pulumi: settings.pulumi ?? true,
      listen: { host: loopback, port: free },
    });
    const loop = this.supervisor.start({ name: 'gitops', arguments: ['serve', 'gitops', '--config', config], restart: true });
    const url = `http://${loopback}:${free}`;
    await ready(`${url}/healthz`, 'the GitOps loop', loop);
    return { url, port: free };
  }
}
