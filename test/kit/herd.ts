/** Many proxies and one control plane, each side in processes of its own, which can be killed: what happens when all of them come at once. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { freePorts } from '../../platform/ports';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { signalGroup } from '../../platform/process';
import type { Instance } from '../../runtime-proxy/inventory';
import type { HerdMembers } from './herd-members';
import { runMesh, type RunningMesh } from './running-mesh';
import { starCaller, starEndpoint, starMesh, starPrincipal } from './star-mesh';
import { objectsOf } from './small-mesh';

const services = 10;
const fanOut = 5;
const dist = path.join(__dirname, __dirname.includes(`${path.sep}dist${path.sep}`) ? '../..' : '../../dist');
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

/** So many of them in one process. */
export interface HerdGroup {
  readonly kind: HerdMembers['kind'];
  readonly size: number;
}
export interface Herd {
  readonly mesh: RunningMesh;
  readonly size: number;
  /** The pid of the control plane; 0: none runs. */
  pid(): number;
  startControlPlane(): void;
  killControlPlane(): Promise<void>;
  /** Starts a group that has no process: answers once it is ready to join. */
  prepare(index: number): Promise<void>;
  join(index: number): void;
  /** SIGKILL, and whatever Envoys it had with it. */
  kill(index: number): Promise<void>;
  /** A release that changes the routes of every proxy. */
  release(timeoutMs: number, waves?: readonly number[]): Promise<void>;
  /** Until this generation is active at everybody. */
  untilActive(generation: number, limitMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startHerd(groups: readonly HerdGroup[]): Promise<Herd> {
  const members = groups.flatMap(({ size }, group) => upTo(size).map((index) => ({ id: `g${group}-${index}`, group })));
  const specs = members.map(({ id }, index) => {
    const workload = starCaller(index % services);
    return { id, workload, principal: starPrincipal(workload), ports: [] };
  });
  const mesh = await runMesh([], { external: true });
  const envoy = await obtainEnvoy();
  const ports = await freePorts(specs.length, '127.0.0.1');
  await mesh.writeInventory({
    instances: [
      ...specs.map(({ id, workload }, index): Instance => ({
        ...{ id, workload, app: {}, inbound: {} },
        outbound: { host: '127.0.0.1', port: ports[index] ?? 0 },
      })),
      ...upTo(services).flatMap((service) => upTo(3).map((index) => starEndpoint(service, index))),
    ],
  });
  let controlPlane: ChildProcess | null = null;
  const processes = new Map<number, ChildProcess>();
  const runDirs = (group: number): readonly string[] =>
    members.filter((one) => one.group === group).map(({ id }) => path.join(mesh.folder, `run-${id}`));
  const gone = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
  const agentOf = async (index: number): Promise<HerdMembers['agents'][number]> => {
    const spec = specs[index];
    if (!spec) throw new Error(`no member ${index}`);
    const { id, workload, principal } = spec;
    const joinTokenFile = path.join(mesh.folder, `${id}.join`);
    fs.writeFileSync(joinTokenFile, await mesh.mint({ instance: id, workload, principal }), { mode: 0o600 });
    const { listen, ca } = mesh.controlPlaneConfig;
    return {
      instance: id,
      workload,
      trustDomain: 'mesh.test',
      controlPlane: listen,
      ca,
      joinTokenFile,
      runDir: path.join(mesh.folder, `run-${id}`),
      envoy,
      drainMs: 0,
    };
  };
  const herd: Herd = {
    mesh,
    size: specs.length,
    pid: () => controlPlane?.pid ?? 0,
    startControlPlane() {
      const code = `require(${JSON.stringify(path.join(dist, 'runtime-proxy/control-plane/main.js'))}).serveControlPlane(JSON.parse(process.argv[1]))`;
      controlPlane = spawn(process.execPath, ['-e', code, JSON.stringify(mesh.controlPlaneConfig)], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, MESHWRIGHT_LOG: 'error' },
      });
    },
    async killControlPlane() {
      if (controlPlane) await gone(controlPlane);
      controlPlane = null;
    },
    async prepare(group) {
      const agents: HerdMembers['agents'][number][] = [];
      for (const [index, member] of members.entries()) if (member.group === group) agents.push(await agentOf(index));
      const file = path.join(mesh.folder, `herd-${group}.json`);
      const made: HerdMembers = { kind: groups[group]?.kind ?? 'stream', agents };
      fs.writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
      const child = spawn(process.execPath, [path.join(dist, 'test/kit/herd-members.js'), file], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, MESHWRIGHT_LOG: 'error' },
      });
      processes.set(group, child);
      await new Promise<void>((resolve, reject) => {
        child.stdout?.once('data', () => resolve());
        child.once('exit', (code) => reject(new Error(`a group of the herd ended with ${code}`)));
      });
    },
    join: (group) => void processes.get(group)?.stdin?.write('join\n'),
    async kill(group) {
      const child = processes.get(group);
      if (child) await gone(child);
      processes.delete(group);
    },
    async release(timeoutMs, waves) {
      const star = starMesh(services, services, fanOut);
      const routes = star.routes.map((table) => ({
        ...table,
        rules: table.rules.map((rule) => ('timeoutMs' in rule.action ? { ...rule, action: { ...rule.action, timeoutMs } } : rule)),
      }));
      const { status, json } = await mesh.release(objectsOf({ ...star, routes }), waves === undefined ? {} : { waves });
      if (status !== 202) throw new Error(`the release was refused: ${JSON.stringify(json)}`);
    },
    async untilActive(generation, limitMs) {
      const isActive = ({ phase }: { readonly phase: string }): boolean => phase === 'active';
      await mesh.until(
        `generation ${generation} is active at all ${specs.length}`,
        ({ state, generation: now, proxies }) =>
          state === 'converged' &&
          now === generation &&
          proxies.filter(({ connected, parts }) => connected && isActive(parts.inbound) && isActive(parts.outbound)).length ===
            specs.length,
        limitMs,
      );
    },
    async stop() {
      await Promise.all([...processes.values(), ...(controlPlane ? [controlPlane] : [])].map(gone));
      for (const folder of groups.flatMap((_, group) => runDirs(group))) {
        const noted = fs.existsSync(path.join(folder, 'envoy.pid'))
          ? JSON.parse(fs.readFileSync(path.join(folder, 'envoy.pid'), 'utf8'))
          : null;
        if (noted !== null) signalGroup(noted.pid, 'SIGKILL');
      }
      await mesh.stop();
    },
  };
  return herd;
}
