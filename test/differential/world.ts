/**
 * Real parts around generated policies: a CA, the control plane, and for each place of the universe an agent with its Envoy. They start once; each mesh is a
 * signed Release that the control plane rolls out over ADS, and counts when every proxy has it active.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { emitEnvoy, type EmittedEnvoy } from '../../compiler/emit/envoy';
import { lower } from '../../compiler/lower';
import type { Declaration } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { portKey, principalOf, workloadKey, type PortKey } from '../../core/mesh/ids';
import { temporaryFolder } from '../../platform/files';
import type { Instance } from '../../runtime-proxy/inventory';
import { testAuthority } from '../kit/certificates';
import { envoyWithNames } from '../kit/envoy-with-names';
import { type Arrival, echoApplication, lineApplication } from '../kit/echo-application';
import { strangers, wildDomain } from '../kit/mesh-generator-outside';
import { callers, placeOf } from '../kit/mesh-generator';
import { gateway } from '../kit/mesh-generator-gateway';
import { type ClientCertificate, clientCertificates } from './clients';
import { serveOutside } from './outside';
import { sumOf } from '../kit/envoy-stats';
import { request, runMesh, type RunningMesh, trustDomain, type WorkloadSpec } from '../kit/running-mesh';

/** Services of the universe that run. */
export const size = 3;

const services = Array.from({ length: size }, (_, index) => placeOf(index));
/** Ports whose connections are routed whole: callers reach each at an address of its own. */
const connected = [
  ...services.flatMap(({ namespace, name, ports }) =>
    Object.entries(ports).flatMap(([port, protocol]) => (isLine(protocol) ? [portKey(workloadKey(namespace, name), port)] : [])),
  ),
  ...strangers.flatMap(({ key, ports }) =>
    Object.entries(ports).flatMap(([port, [protocol]]) => (isLine(protocol) ? [portKey(key, port)] : [])),
  ),
];
function isLine(protocol: string | undefined): boolean {
  return protocol === 'tcp' || protocol === 'tls';
}

/** Every instance that runs: each version of a service, the callers, the gateway. One instance is one Envoy, for a proxy is one identity. */
const specs: readonly WorkloadSpec[] = [
  ...services.flatMap(({ name, namespace, serviceAccount, versions, ports }) =>
    (versions.length === 0 ? [null] : versions).map((version): WorkloadSpec => ({
      id: version === null ? name : `${name}-${version}`,
      ...identity(namespace, name, serviceAccount),
      ports: Object.keys(ports),
      outboundPorts: connected,
      ...(version === null ? {} : { version }),
    })),
  ),
  ...callers.map(({ name, namespace, serviceAccount }) => ({
    id: name,
    ...identity(namespace, name, serviceAccount),
    ports: [],
    outboundPorts: connected,
  })),
  {
    ...{ id: gateway.name, ...identity(gateway.namespace, gateway.name, gateway.serviceAccount) },
    // the way out of the mesh, and the ways in
    ...{ ports: ['egress'], listeners: gateway.listeners },
  },
];
function identity(namespace: string, name: string, account: string): Pick<WorkloadSpec, 'workload' | 'principal'> {
  return { workload: workloadKey(namespace, name), principal: principalOf(trustDomain, namespace, account) };
}

export interface World {
  /** Puts declarations in force everywhere. Throws with a sentence when they cannot be lowered, emitted or rolled out. */
  put(declarations: readonly Declaration[], change?: (emitted: EmittedEnvoy) => EmittedEnvoy): Promise<MeshIr>;
  instanceOf(workload: string): Instance;
  /** Which service port and version an instance's port stands for; null: any of a wildcard outside, or of what is named closer. */
  standsFor(arrival: Pick<Arrival, 'instance' | 'port'>): { readonly port: PortKey | null; readonly version: string | null };
  /** What came to applications under the name of a question. */
  arrivals(question: string): readonly Arrival[];
  forget(question: string): void;
  /** How many requests all proxies have delayed on purpose so far. */
  delays(): Promise<number>;
  /** A client's certificate by name. */
  certificateOf(name: string): ClientCertificate;
  close(): Promise<void>;
}

/** Most listeners come and go with the meshes, and nobody else on this machine takes their ports while they are away. No client comes from there. */
const ownLoopback = `127.${64 + ((process.pid >> 16) % 64)}.${(process.pid >> 8) & 0xff}.${process.pid & 0xff || 1}`;

export async function startWorld(): Promise<World> {
  const folder = await temporaryFolder('world');
  const arrived = new Map<string, Arrival[]>();
  const note = (arrival: Arrival): void => {
    const list = arrived.get(arrival.question);
    if (list) list.push(arrival);
    else arrived.set(arrival.question, [arrival]);
  };
  // what an application presents to its own callers is no business of the mesh
  const own = await (await testAuthority('applications.example')).serving(['*.tls.example']);
  const outside = await serveOutside(folder, ownLoopback, note);
  const clients = await clientCertificates(folder);
  const mesh = await runMesh(specs, {
    application: ({ id, workload }, port) => {
      const protocol = services.find(({ namespace, name }) => workloadKey(namespace, name) === workload)?.ports[port];
      return isLine(protocol)
        ? lineApplication(`${id}/${port}`, protocol === 'tls' ? own : null)
        : echoApplication({ instance: id, port }, note);
    },
    certificates: {
      [gateway.certificate]: {
        hosts: [...gateway.hosts],
        principals: [principalOf(trustDomain, gateway.namespace, gateway.serviceAccount)],
      },
    },
    // nobody reads ten thousand lines of access logs, and no connection outlives its listener here
    agent: { envoy: await quietEnvoy(folder, outside.names), listenerDrainSeconds: 0, certificatesDir: folder },
    loopback: ownLoopback,
  });
  await Promise.all(specs.map(({ id }) => mesh.startAgent(id)));
  const places = new Map(specs.map((spec) => [spec.id, spec]));
  return {
    put: (declarations, change = (emitted) => emitted) => put(mesh, declarations, (emitted) => patient(outside.found(change(emitted)))),
    instanceOf(workload) {
      const found = mesh.inventory.instances.find((instance) => instance.workload === workload);
      if (!found) throw new Error(`nothing of ${workload} runs`);
      return found;
    },
    standsFor({ instance, port }) {
      // whose a name under its wildcards is, each mesh says for itself
      if (instance === wildDomain) return { port: null, version: null };
      const stranger = strangers.find(({ key }) => key === instance);
      if (stranger) return { port: portKey(stranger.key, port), version: null };
      const place = places.get(instance);
      const workload = mesh.inventory.instances.find(({ id }) => id === instance)?.workload;
      if (!place || !workload) throw new Error(`no instance ${instance}`);
      return { port: portKey(workload, port), version: place.version ?? null };
    },
    arrivals: (question) => arrived.get(question) ?? [],
    forget: (question) => void arrived.delete(question),
    async delays() {
      const counted = [...mesh.agents.values()].map(async ({ adminSocket }) => {
        const { body } = await request({ socketPath: adminSocket, path: '/stats?filter=fault\\.delays_injected$' });
        return sumOf(body, /delays_injected/);
      });
      return (await Promise.all(counted)).reduce((sum, count) => sum + count, 0);
    },
    certificateOf(name) {
      const found = clients.get(name);
      if (!found) throw new Error(`no certificate ${name}`);
      return found;
    },
    async close() {
      await mesh.stop();
      await outside.close();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

/** Nothing here is about what takes too long (test/e2e/resilience.test.ts is): on no machine is an answer late because of these. */
const limits = new Set(['connectTimeout', 'timeout', 'perTryTimeout', 'transportSocketConnectTimeout', 'requestHeadersTimeout']);
const patient = (emitted: EmittedEnvoy): EmittedEnvoy =>
  JSON.parse(JSON.stringify(emitted), (name, value: unknown) => (limits.has(name) && value !== '0s' ? '600s' : value));

async function put(
  mesh: RunningMesh,
  declarations: readonly Declaration[],
  change: (emitted: EmittedEnvoy) => EmittedEnvoy,
): Promise<MeshIr> {
  const lowered = lower({ declarations, origins: {}, fuel: 0 }, 'prod');
  if (!lowered.value) throw new Error(`not lowered: ${lowered.diagnostics.map((one) => `${one.code} ${one.message}`).join('; ')}`);
  const emitted = emitEnvoy(lowered.value);
  if (!emitted.value) throw new Error(`not emitted: ${emitted.diagnostics.map((one) => `${one.code} ${one.message}`).join('; ')}`);
  const { services, proxies } = change(emitted.value);
  const { status, json, signed } = await mesh.release([...services, ...proxies]);
  if (status !== 202) throw new Error(`the control plane refused the release: ${JSON.stringify(json)}`);
  const reached = await mesh
    .until('the release has converged', (now) => now.release === signed.digest && ['converged', 'aborted'].includes(now.state), 300_000)
    .catch(async (error: unknown) => {
      await mesh.admin('POST', '/v1/rollout/abort', { reason: 'it takes too long' });
      throw error;
    });
  if (reached.state === 'aborted') throw new Error(`the roll-out was aborted: ${reached.message}`);
  return lowered.value;
}

async function quietEnvoy(folder: string, names: string): Promise<string> {
  const script = path.join(folder, 'quiet-envoy');
  await fs.writeFile(script, `#!/bin/sh\nexec '${await envoyWithNames(folder, names)}' "$@" >/dev/null\n`, { mode: 0o700 });
  return script;
}
