/** A mesh that runs: a CA, a control plane, and for each instance an application, an agent and a real Envoy. All on loopback, all ended by `stop`. */
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import type * as net from 'node:net';
import * as path from 'node:path';
import type { MeshObject, Release, SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import { formatTrust } from '../../core/bundle/trust';
import { hostPort } from '../../core/lib/host-port';
import type { WorkloadKey } from '../../core/mesh/ids';
import { temporaryFolder, writeFileAtomic } from '../../platform/files';
import { silentLog, type Log } from '../../platform/log';
import { freePorts } from '../../platform/ports';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { runAgent, type AgentConfig, type RunningAgent } from '../../runtime-proxy/agent/main';
import { controlPlaneIdentity, serveCa, type CaConfig, type RunningCa } from '../../runtime-proxy/ca/main';
import { serveControlPlane, type ControlPlaneConfig, type RunningControlPlane } from '../../runtime-proxy/control-plane/main';
import type { Instance, Inventory } from '../../runtime-proxy/inventory';
import { newTestSigner, signTestObject, signTestRelease, testRelease, type TestSigner } from './signing';

export const trustDomain = 'mesh.test';
export const environment = 'prod';

type FolderControlPlaneConfig = ControlPlaneConfig & { readonly stateDir: string; readonly inventoryFile: string };

export interface WorkloadSpec {
  readonly id: string;
  readonly workload: string;
  readonly principal: string;
  readonly version?: string;
  /** Port names it is called on. */
  readonly ports: readonly string[];
  /** Ports (by key) that it calls by connections: each has an address of its own. */
  readonly outboundPorts?: readonly string[];
  /** A gateway's listeners, by name. It has no outbound address. */
  readonly listeners?: readonly string[];
}
export interface MeshOptions {
  readonly svidLifetimeMs?: number;
  readonly certificates?: CaConfig['certificates'];
  /** How Envoys ask for their configuration. */
  readonly xds?: AgentConfig['xds'];
  readonly log?: Log;
  /** What listens as the application of an instance's port; default: one that answers who it is. */
  readonly application?: (spec: WorkloadSpec, port: string) => net.Server;
  /** What agents have beside, or in place of, what the mesh gives them. */
  readonly agent?: Partial<AgentConfig>;
  /** The same of the control plane. */
  readonly controlPlane?: Partial<ControlPlaneConfig>;
  /** Gives the control plane's configuration instead of starting it: for tests that run it as a process. */
  readonly external?: boolean;
  /** Where proxies and applications are, and what else is not said: an address of this machine alone; default `127.0.0.1`. */
  readonly loopback?: string;
  /** Where CA and control plane listen; default `loopback`. */
  readonly host?: string;
  /** Default `mesh.test`. */
  readonly trustDomain?: string;
}
export interface RunningMesh {
  readonly folder: string;
  readonly ca: RunningCa;
  readonly inventory: Inventory;
  readonly agents: ReadonlyMap<string, RunningAgent>;
  readonly controlPlaneConfig: FolderControlPlaneConfig;
  /** Whom the control plane trusts: for bundles that reach it another way than by `release`. */
  readonly signer: TestSigner;
  adminUrl: string;
  admin(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly json: unknown }>;
  status(): Promise<RolloutStatus>;
  /** Puts objects and a release of them that follows the live one. */
  release(
    objects: readonly MeshObject[],
    change?: Partial<Release>,
  ): Promise<{ readonly status: number; readonly json: unknown; readonly signed: SignedRelease }>;
  until(what: string, holds: (status: RolloutStatus) => boolean, limitMs?: number): Promise<RolloutStatus>;
  agentConfig(id: string): Promise<AgentConfig>;
  startAgent(id: string): Promise<RunningAgent>;
  mint(identity: object): Promise<string>;
  /** A request as the application of `id` makes it: to its own proxy, by host name. */
  call(
    id: string,
    host: string,
    requestPath: string,
    options?: { readonly method?: string; readonly headers?: http.OutgoingHttpHeaders; readonly agent?: http.Agent },
  ): Promise<Answer>;
  startControlPlane(): Promise<RunningControlPlane>;
  /** Ends the one that runs; another one takes over its state and its addresses. */
  restartControlPlane(): Promise<RunningControlPlane>;
  writeInventory(inventory: Inventory): Promise<void>;
  stop(): Promise<void>;
}
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Whether so many proxies are there, and each of them has all that it is to have. */
export const areActive =
  (count: number) =>
  ({ proxies }: RolloutStatus): boolean =>
    proxies.filter(({ connected, parts }) => connected && Object.values(parts).every(({ phase }) => phase === 'active')).length === count;

export async function runMesh(workloads: readonly WorkloadSpec[], options: MeshOptions = {}): Promise<RunningMesh> {
  const log = options.log ?? silentLog;
  const { loopback = '127.0.0.1', trustDomain: domain = trustDomain } = options;
  const { host = loopback } = options;
  const folder = await temporaryFolder('mesh');
  const file = (name: string): string => path.join(folder, name);
  const envoy = await obtainEnvoy();
  const applications = new Map<string, net.Server>();
  const instances: Instance[] = [];
  for (const spec of workloads) {
    const ports = await freePorts(2 * spec.ports.length + (spec.listeners?.length ?? 1), loopback);
    const app: Record<string, { host: string; port: number }> = {};
    const inbound: Record<string, { host: string; port: number }> = {};
    for (const [index, name] of spec.ports.entries()) {
      app[name] = { host: loopback, port: ports[2 * index] ?? 0 };
      inbound[name] = { host: loopback, port: ports[2 * index + 1] ?? 0 };
      const server = options.application?.(spec, name) ?? saysWho(spec);
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(app[name]?.port, loopback, resolve));
      applications.set(`${spec.id}/${name}`, server);
    }
    const rest = ports.slice(2 * spec.ports.length).map((port) => ({ host: loopback, port }));
    const [outbound] = rest;
    const listeners = Object.fromEntries((spec.listeners ?? []).map((name, index) => [name, rest[index] ?? { host: loopback, port: 0 }]));
    const called = spec.outboundPorts ?? [];
    const calledAt = await freePorts(called.length, loopback);
    instances.push({
      id: spec.id,
      workload: spec.workload as WorkloadKey,
      ...(called.length === 0
        ? {}
        : { outboundPorts: Object.fromEntries(called.map((port, index) => [port, { host: loopback, port: calledAt[index] ?? 0 }])) }),
      app,
      inbound,
      ...(spec.listeners ? { listeners } : outbound ? { outbound } : {}),
      ...(spec.version === undefined ? {} : { version: spec.version }),
    });
  }
  const inventory: Inventory = { instances };
  const writeInventory = (next: Inventory): Promise<void> => writeFileAtomic(file('inventory.json'), JSON.stringify(next));
  await writeInventory(inventory);
  const signer: TestSigner = await newTestSigner();
  await fs.writeFile(file('signing.json'), formatTrust({ environments: { [environment]: { keys: [signer.jwk], generationFloor: 0 } } }));
  const anyPort = { host: loopback, port: 0 };
  const ca = await serveCa(
    {
      trustDomain: domain,
      stateDir: file('ca'),
      listen: { host, port: 0 },
      admin: anyPort,
      adminTokenFile: file('ca.token'),
      ...(options.certificates === undefined ? {} : { certificates: options.certificates }),
      ...(options.svidLifetimeMs === undefined ? {} : { svidLifetimeMs: options.svidLifetimeMs }),
    },
    log,
  );
  const mint = async (identity: object): Promise<string> => {
    const token = (await fs.readFile(file('ca.token'), 'utf8')).trim();
    const response = await fetch(`${ca.adminUrl}/v1/join-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(identity),
    });
    if (response.status !== 201) throw new Error(`the CA answered ${response.status}: ${await response.text()}`);
    const made: { readonly token: string } = JSON.parse(await response.text());
    return made.token;
  };
  await fs.writeFile(file('control-plane.join'), await mint(controlPlaneIdentity(domain)), { mode: 0o600 });
  const [xdsPort = 0, adminPort = 0] = await freePorts(2, loopback);
  const controlPlaneConfig: FolderControlPlaneConfig = {
    environment,
    trustDomain: domain,
    stateDir: file('control-plane'),
    listen: { host, port: xdsPort },
    admin: { host: loopback, port: adminPort },
    adminTokenFile: file('admin.token'),
    trustFile: file('signing.json'),
    inventoryFile: file('inventory.json'),
    ca: { address: ca.address, trustFile: ca.trustFile },
    joinTokenFile: file('control-plane.join'),
    ...options.controlPlane,
  };
  const agents = new Map<string, RunningAgent>();
  let controlPlane: RunningControlPlane | null = null;
  let previous: SignedRelease | null = null;

  const mesh: RunningMesh = {
    folder,
    ca,
    inventory,
    agents,
    controlPlaneConfig,
    signer,
    adminUrl: `http://${hostPort(loopback, adminPort)}`,
    mint,
    writeInventory,
    async startControlPlane() {
      controlPlane = await serveControlPlane(controlPlaneConfig, { log });
      return controlPlane;
    },
    async restartControlPlane() {
      await controlPlane?.close();
      return mesh.startControlPlane();
    },
    async admin(method, where, body) {
      const token = (await fs.readFile(file('admin.token'), 'utf8')).trim();
      const response = await fetch(`${mesh.adminUrl}${where}`, {
        method,
        // one that is kept may be closed while this process stands still, and asked on all the same
        headers: { authorization: `Bearer ${token}`, connection: 'close' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, json: JSON.parse(await response.text()) };
    },
    async status() {
      const { json } = await mesh.admin('GET', '/v1/status');
      return json as RolloutStatus; // decoding: the product's own answer
    },
    async release(objects, change = {}) {
      const status = previous === null ? null : await mesh.status();
      const before = previous?.release;
      const release = testRelease(objects, {
        environment,
        ...(before && previous && status
          ? {
              generation: before.generation + 1,
              parent: previous.digest,
              stable: status.inForce === 'candidate' ? before.candidate : before.stable,
            }
          : {}),
        ...change,
      });
      for (const object of objects) {
        const signed = await signTestObject(signer, object, environment);
        const { status: code, json } = await mesh.admin('PUT', `/v1/objects/${signed.digest}`, signed);
        if (code >= 300) throw new Error(`an object was refused: ${JSON.stringify(json)}`);
      }
      const signed = await signTestRelease(signer, release);
      const answer = await mesh.admin('PUT', '/v1/release', signed);
      if (answer.status === 202) previous = signed;
      return { ...answer, signed };
    },
    async until(what, holds, limitMs = 60_000) {
      const end = performance.now() + limitMs;
      let status: RolloutStatus | null = null;
      while (performance.now() < end) {
        status = await mesh.status().catch(() => null);
        if (status && holds(status)) return status;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`not so after ${limitMs} ms: ${what}\n${JSON.stringify(status, null, 1)}`);
    },
    async agentConfig(id) {
      const spec = workloads.find((one) => one.id === id);
      if (!spec) throw new Error(`no instance ${id}`);
      const joinTokenFile = file(`${id}.join`);
      await fs.writeFile(joinTokenFile, await mint({ instance: id, workload: spec.workload, principal: spec.principal }), { mode: 0o600 });
      return {
        instance: id,
        workload: spec.workload,
        trustDomain: domain,
        controlPlane: controlPlaneConfig.listen,
        ca: controlPlaneConfig.ca,
        joinTokenFile,
        runDir: file(`run-${id}`),
        envoy,
        concurrency: 1,
        drainMs: 200,
        ...options.agent,
        ...(options.xds === undefined ? {} : { xds: options.xds }),
      };
    },
    async startAgent(id) {
      const agent = await runAgent(await mesh.agentConfig(id), { log });
      agents.set(id, agent);
      return agent;
    },
    call(id, host, requestPath, { method = 'GET', headers = {}, agent } = {}) {
      const outbound = inventory.instances.find((one) => one.id === id)?.outbound;
      if (!outbound) throw new Error(`no outbound address for ${id}`);
      return request({
        host: outbound.host,
        port: outbound.port,
        path: requestPath,
        method,
        headers: { ...headers, host },
        ...(agent ? { agent } : {}),
      });
    },
    async stop() {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
      await controlPlane?.close();
      await ca.close();
      for (const server of applications.values()) {
        if (server instanceof http.Server) server.closeAllConnections();
        server.close();
      }
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
  if (!options.external) await mesh.startControlPlane();
  return mesh;
}

function saysWho(spec: WorkloadSpec): net.Server {
  const server = http.createServer((request, response) => response.end(`${spec.id} ${request.url}`));
  server.keepAliveTimeout = 60_000;
  return server;
}

/** One HTTP request; rejects when there is no answer within a minute, a limit against hanging. */
export function request(options: http.RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = http.request({ timeout: 60_000, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }));
    });
    call.on('timeout', () => call.destroy(new Error('no answer within a minute')));
    call.on('error', reject);
    call.end();
  });
}
