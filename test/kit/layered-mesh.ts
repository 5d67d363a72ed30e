/** A mesh of declarations in two real Envoys, for traffic that is not plain HTTP: every caller's outbound side in one, every destination's inbound side in the other. */
import type { DeclarationValue } from '../../core/declarations/declaration';
import type { MeshIr } from '../../core/ir/ir';
import { portKey, type PortKey, workloadKey, type WorkloadKey } from '../../core/mesh/ids';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { lower } from '../../compiler/lower';
import { freePorts } from '../../platform/ports';
import type { Address, Instance } from '../../runtime-proxy/inventory';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { testAuthority, type TestAuthority } from './certificates';
import { evaluatedWith } from './declarations';
import { type RunningEnvoy, startEnvoy } from './envoy';
import { present } from './present';
import { layOut, wholeMesh, type WholeMesh } from './whole-mesh';

export interface LayeredMesh {
  readonly ir: MeshIr;
  readonly mesh: WholeMesh;
  readonly authority: TestAuthority;
  readonly client: RunningEnvoy;
  readonly server: RunningEnvoy;
  stop(): Promise<void>;
}

export type More = { readonly [id: string]: DeclarationValue | null };
/** The IR of the kit's declarations and these. Throws what lower says. */
export function lowered(more: More): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), 'prod');
  if (!value) throw new Error(diagnostics.map((d) => `${d.code} ${d.message}`).join('\n'));
  return value;
}

/** What the two Envoys of these declarations are to have. Throws what emit says. */
export function meshOf(more: More, inventory: WholeMesh['inventory'], authority: TestAuthority): Promise<WholeMesh> {
  const ir = lowered(more);
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  return wholeMesh(ir, emitted.value, inventory, authority);
}

/**
 * `applications` starts them at the addresses that the mesh gives them: after the proxies, whose addresses an outgoing connection could take meanwhile.
 * `there` says which instances there are; default: all.
 */
export const startLayers = (
  more: More,
  applications: (mesh: WholeMesh) => Promise<void>,
  there: (instance: Instance) => boolean = () => true,
  clients: ReadonlyMap<string, string> = new Map(),
): Promise<LayeredMesh> => startIr(lowered(more), applications, there, clients);

/** The same of an IR. */
export async function startIr(
  ir: MeshIr,
  applications: (mesh: WholeMesh) => Promise<void>,
  there: (instance: Instance) => boolean = () => true,
  clients: ReadonlyMap<string, string> = new Map(),
): Promise<LayeredMesh> {
  const emitted = emitEnvoy(ir);
  if (!emitted.value) throw new Error(emitted.diagnostics.map((d) => d.message).join('\n'));
  const authority = await testAuthority(ir.trustDomain);
  const instances = (await layOut(ir)).instances.filter(there);
  const mesh = await wholeMesh(ir, emitted.value, { instances }, authority, clients);
  const [clientAdmin = 0, serverAdmin = 0] = await freePorts(2);
  const start = (side: WholeMesh['client'], adminPort: number): Promise<RunningEnvoy> =>
    startEnvoy(staticBootstrap({ proxies: [side.proxy], adminPort, secrets: side.secrets, assignments: side.assignments }), adminPort);
  const [client, server] = await Promise.all([start(mesh.client, clientAdmin), start(mesh.server, serverAdmin)]);
  const stop = async (): Promise<void> => void (await Promise.all([client.stop(), server.stop()]));
  try {
    await applications(mesh);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ir, mesh, authority, client, server, stop };
}

export const key = (name: string): WorkloadKey => workloadKey('bookinfo', name);
export const port = (service: string, name = 'web'): PortKey => portKey(key(service), name);
/** Where the application of `caller` dials a port (or a broker of it). */
export const dialled = (mesh: WholeMesh, caller: string, to: PortKey, broker?: string): Address =>
  present(mesh.instanceOf(key(caller)).outboundPorts?.[broker === undefined ? to : `${to}|${broker}`]);
/** Where the application of a service itself listens. */
export const appOf = (mesh: WholeMesh, service: string, name = 'web', version: string | null = null): Address =>
  present(mesh.instanceOf(key(service), version).app[name]);
/** Where its proxy does. */
export const guardOf = (mesh: WholeMesh, service: string, name = 'web', version: string | null = null): Address =>
  present(mesh.instanceOf(key(service), version).inbound[name]);

/** Asks until it is so; the last answer when time is up. */
export async function eventually<T>(ask: () => Promise<T> | T, holds: (value: T) => boolean, limitMs = 60_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const value = await ask();
    if (holds(value) || performance.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
