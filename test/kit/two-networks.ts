/** A mesh in two networks: `east`, where the caller is, and `west`, before which an east-west gateway stands. Real control plane, agents and Envoys. */
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { emitEnvoy } from '../../compiler/emit/envoy';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { planSteps } from '../../compiler/analyse/order';
import type { MeshObject } from '../../core/bundle/objects';
import type { MeshIr } from '../../core/ir/ir';
import { proxyNameOf } from '../../core/ir/proxy-name';
import { workloadKey, type Principal } from '../../core/mesh/ids';
import { newKeyAndCsr, openAuthority } from '../../runtime-proxy/ca/authority';
import type { Address, Instance, Inventory } from '../../runtime-proxy/inventory';
import { declarations, domain, principal } from './between-networks';
import { testAuthority } from './certificates';
import { lowered } from './layered-mesh';
import { present } from './present';
import { request, runMesh, type Answer, type RunningMesh } from './running-mesh';

export interface TwoNetworks {
  readonly ir: MeshIr;
  readonly mesh: RunningMesh;
  readonly gateway: Address;
  /** Puts these declarations in force, in the order that the compiler gives; resolves when every proxy has them. */
  release(more: { readonly [id: string]: DeclarationValue | null }): Promise<void>;
  /** Writes the inventory with changes of single instances. */
  place(change?: (id: string) => Partial<Instance>): Promise<void>;
  /** A request of the application, with a header `version` if given. */
  call(to: string, path: string, version?: string): Promise<Answer>;
  /** What `db` says to a connection of the application; the empty text when it is closed without a word. */
  dial(): Promise<string>;
  /** What comes of a connection from anywhere to the gateway. */
  attempt(asked: Attempt): Promise<Attempted>;
  /** A connection to the gateway that asks for much and reads nothing of it; ended by what comes back. */
  stall(asked: Attempt): Promise<() => void>;
  stop(): Promise<void>;
}
/** `as`: the identity of the certificate that is shown; absent: none is. `foreign`: an authority that the mesh does not know says so. */
export interface Attempt {
  readonly serverName: string | null;
  readonly as?: Principal;
  readonly foreign?: boolean;
  readonly path?: string;
}
/** `server`: whom the other end proves to be, null where no TLS came about; `status`: of its answer, null where there was none. */
export interface Attempted {
  readonly server: string | null;
  readonly status: number | null;
}

export async function startTwoNetworks(more: { readonly [id: string]: DeclarationValue | null } = {}): Promise<TwoNetworks> {
  const ir = lowered({ ...declarations, ...more });
  const where: { readonly [id: string]: string } = { app: 'east', 'reviews-east': 'east' };
  const at = (id: string, name: string, over: object = {}) => ({
    id,
    workload: `bookinfo/${name}`,
    principal: principal(`sa-${name}`),
    ports: [],
    ...over,
  });
  const mesh = await runMesh(
    [
      at('app', 'app', { outboundPorts: ['bookinfo/db.web'] }),
      at('reviews-east', 'reviews', { version: 'v1', ports: ['web', 'admin'] }),
      at('reviews-west', 'reviews', { version: 'v2', ports: ['web', 'admin'] }),
      at('stock-west', 'stock', { ports: ['web'] }),
      at('db-west', 'db', { ports: ['web'] }),
      { id: 'crossing', workload: 'platform/crossing', principal: principal('crossing', 'platform'), ports: [], listeners: ['east-west'] },
    ],
    { trustDomain: domain, application: (spec) => (spec.id.startsWith('db') ? greets() : says(spec.id)) },
  );
  const instanceOf = (id: string): Instance => present(mesh.inventory.instances.find((one) => one.id === id));
  const place: TwoNetworks['place'] = (change = () => ({})) =>
    mesh.writeInventory({
      instances: mesh.inventory.instances.map((one) => ({ ...one, network: where[one.id] ?? 'west', ...change(one.id) })),
    } satisfies Inventory);
  await place();
  try {
    await Promise.all(mesh.inventory.instances.map(({ id }) => mesh.startAgent(id)));
    const released = await mesh.release(objectsOf(ir));
    if (released.status !== 202) throw new Error(JSON.stringify(released.json));
    await mesh.until('converged', ({ state }) => state === 'converged', 120_000);
  } catch (error) {
    await mesh.stop();
    throw error;
  }
  let inForce = ir;
  const gateway = present(instanceOf('crossing').listeners?.['east-west']);
  const own = await openAuthority(path.join(mesh.folder, 'ca'), domain, Date.now);
  const other = await testAuthority(domain);
  const pair = async ({ as, foreign = false }: Attempt): Promise<{ readonly key: string; readonly cert: string } | null> => {
    if (as === undefined) return null;
    const workload = workloadKey('bookinfo', 'app');
    if (foreign) {
      const { key, chain } = await other.svid(as, workload);
      return { key, cert: chain };
    }
    const { key, csr } = await newKeyAndCsr();
    return { key, cert: (await own.issueSvid(csr, { principal: as, workload, instance: 'test' }, 3_600_000)).chain };
  };
  return {
    ir,
    mesh,
    gateway,
    place,
    release: async (changed) => {
      const after = lowered({ ...declarations, ...more, ...changed });
      const objects = objectsOf(after);
      const { value: steps = [] } = planSteps(inForce, after, proxyNameOf);
      const answer = await mesh.release(objects, { steps });
      if (answer.status !== 202) throw new Error(JSON.stringify(answer.json));
      inForce = after;
      const { generation } = answer.signed.release;
      await mesh.until('converged', (status) => status.state === 'converged' && status.generation === generation, 120_000);
    },
    call: (to, where, version) => {
      const { host, port } = present(instanceOf('app').outbound);
      return request({ host, port, path: where, headers: { host: to, ...(version === undefined ? {} : { version }) } });
    },
    dial: () => heard(present(instanceOf('app').outboundPorts?.['bookinfo/db.web'])),
    attempt: async (asked) => attempted(gateway, asked, await pair(asked)),
    stall: async (asked) => stalled(gateway, asked, await pair(asked)),
    stop: () => mesh.stop(),
  };
}

export function objectsOf(ir: MeshIr): readonly MeshObject[] {
  const { value, diagnostics } = emitEnvoy(ir);
  if (!value) throw new Error(diagnostics.map((d) => d.message).join('\n'));
  return [...value.services, ...value.proxies];
}

/** What is answered with more than all buffers on the way hold. */
const much = '/reviews/much';
function says(id: string): net.Server {
  const server = http.createServer((asked, response) => response.end(asked.url === much ? Buffer.alloc(64 << 20) : `${id} ${asked.url}`));
  server.keepAliveTimeout = 60_000;
  return server;
}
/** Speaks first, as a database does. */
function greets(): net.Server {
  return net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('db ready\n');
  });
}
function heard({ host, port }: Address): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(port, host);
    socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => undefined).on('close', () => resolve(text));
  });
}

type Pair = { readonly key: string; readonly cert: string } | null;
/** A connection that says its request as soon as it may. */
function speaking({ host, port }: Address, asked: Attempt, pair: Pair): tls.TLSSocket {
  const socket = tls.connect({
    host,
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.3',
    ...(asked.serverName === null ? {} : { servername: asked.serverName }),
    ...pair,
  });
  socket.on('secureConnect', () =>
    socket.write(`GET ${asked.path ?? '/reviews/7'} HTTP/1.1\r\nhost: reviews.bookinfo\r\nconnection: close\r\n\r\n`),
  );
  return socket;
}
async function stalled(where: Address, asked: Attempt, pair: Pair): Promise<() => void> {
  const socket = speaking(where, { ...asked, path: much }, pair);
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  socket.on('error', () => undefined); // whoever ends it
  return () => socket.destroy();
}

/** TLS 1.3 lets a client speak before the server has looked at its certificate: only an answer shows that it was let in. */
function attempted(where: Address, asked: Attempt, pair: Pair): Promise<Attempted> {
  return new Promise((resolve) => {
    let server: string | null = null;
    let text = '';
    const socket = speaking(where, asked, pair);
    socket.on('secureConnect', () => (server = socket.getPeerCertificate().subjectaltname ?? ''));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      resolve({ server, status: status === undefined ? null : Number(status) });
    });
  });
}
