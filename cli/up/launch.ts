/**
 * A whole mesh on one machine: CA, signer, control plane, GitOps loop, and an agent with its Envoy beside each instance of the inventory. Each is a
 * process of its own, started by the same command line that a machine of its own would use.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { principalOf } from '../../core/mesh/ids';
import type { RolloutStatus } from '../../core/bundle/status';
import { generateKeys } from '../../compiler/sign';
import { controlPlaneIdentity } from '../../runtime-proxy/ca/main';
import type { Instance } from '../../runtime-proxy/inventory';
import type { UpConfig } from './config';
import { readTextIfThere } from '../../platform/files';
import { takeFolder } from '../../runtime-proxy/rpc/state-folder';
import { freePorts } from '../../platform/ports';
import { supervise, type Supervised, type Supervisor } from './supervisor';

export interface RunningMesh {
  readonly dir: string;
  readonly statusUrl: string;
  readonly hookUrl: string;
  readonly hookSecret: string;
  readonly adminUrl: string;
  readonly adminTokenFile: string;
  readonly operatorTokenFile: string;
  readonly supervisor: Supervisor;
  /** By instance. */
  readonly agents: ReadonlyMap<string, Supervised>;
  /** The control plane's word on the roll-out. */
  rollout(): Promise<RolloutStatus>;
  /** The loop's status document. */
  loop(): Promise<unknown>;
  /** A join token for any identity of the mesh: what an operator of the CA may ask for. */
  joinToken(instance: string, workload: string): Promise<string>;
  readonly ca: { readonly address: string; readonly trustFile: string };
  /** Starts the loop anew with other settings. */
  restartLoop(change: Partial<Pick<UpConfig, 'envoyValidate' | 'pulumi'>>): Promise<void>;
  stop(): Promise<void>;
}
export interface Launching {
  /** Started by: node and bin/meshwright.js. */
  readonly program: { readonly program: string; readonly arguments: readonly string[] };
  readonly say: (line: string) => void;
  readonly onExit?: (name: string, how: string) => void;
  /** Told before the first process starts how to stop all of them: whoever is interrupted meanwhile needs it. */
  readonly onBegin?: (stop: () => Promise<void>) => void;
}

const loopback = '127.0.0.1';
const readyWithinMs = 180_000;

/** Starts everything and waits until the servers are ready; proxies and the first release come by themselves. Rejects with one line, everything stopped. */
export async function launchMesh(config: UpConfig, launching: Launching): Promise<RunningMesh> {
  const at = (...parts: string[]): string => join(config.dir, ...parts);
  await mkdir(at('agents'), { recursive: true, mode: 0o700 });
  // Before anything is written: another mesh that runs on it would find its configuration, its inventory and its secrets changed.
  const give = await takeFolder(config.dir, 'mesh');
  const supervisor = supervise(launching.program, at('logs'), launching.onExit);
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    await give();
  };
  launching.onBegin?.(stop);
  try {
    return { ...(await launchInto(config, launching, supervisor, at)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function launchInto(
  config: UpConfig,
  { say }: Launching,
  supervisor: Supervisor,
  at: (...parts: string[]) => string,
): Promise<Omit<RunningMesh, 'stop'>> {
  const [caPort = 0, caAdminPort = 0, xdsPort = 0, adminPort = 0, freePort = 0] = await freePorts(5);
  const statusPort = config.statusPort ?? freePort;
  const trustFile = at('trust.json');
  const inventoryFile = at('inventory.json');
  const ca = {
    address: `${loopback}:${caPort}`,
    trustFile: at('ca', 'trust.pem'),
    adminUrl: `http://${loopback}:${caAdminPort}`,
    tokenFile: at('ca', 'admin-token'),
  };
  const adminUrl = `http://${loopback}:${adminPort}`;
  const adminTokenFile = at('control-plane-token');
  const operatorTokenFile = at('operator-token');
  const principal = (workload: string): string => {
    const account = config.accounts[workload];
    if (!account) throw new Error(`the inventory has \`${workload}\`, but no service account is given for it: add it to \`accounts\``);
    const [namespace = '', name = ''] = account.split('/');
    return principalOf(config.trustDomain, namespace, name);
  };
  const writeConfig = async (name: string, value: unknown): Promise<string> => {
    const file = at(`${name}.json`);
    await writeFile(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    return file;
  };
  const secret = (file: string, text: string): Promise<void> => writeFile(file, `${text}\n`, { mode: 0o600 });

  const keys = await generateKeys({ keyFile: at('keys.json'), trustFile }, [config.environment]);
  if (!keys.value) throw new Error(keys.diagnostics.map((one) => one.message).join('; '));
  await writeFile(inventoryFile, `${JSON.stringify(config.inventory, null, 2)}\n`, { mode: 0o600 });
  // Others were told of these two: they stay over a start anew.
  const kept = async (file: string): Promise<string> => {
    const there = (await readTextIfThere(file))?.trim();
    const text = there === undefined || there === '' ? randomBytes(32).toString('base64url') : there;
    await secret(file, text);
    return text;
  };
  const hookSecret = await kept(at('webhook-secret'));
  await kept(operatorTokenFile);

  // The CA first: everything else has its identity from it.
  await mkdir(at('ca'), { recursive: true, mode: 0o700 });
  const caConfig = await writeConfig('ca', {
    trustDomain: config.trustDomain,
    stateDir: at('ca'),
    listen: { host: loopback, port: caPort },
    admin: { host: loopback, port: caAdminPort },
    adminTokenFile: ca.tokenFile,
    trustFile: ca.trustFile,
    ...(config.svidLifetimeMs === undefined ? {} : { svidLifetimeMs: config.svidLifetimeMs }),
    certificates: Object.fromEntries(
      Object.entries(config.certificates ?? {}).map(([name, entry]) => [
        name,
        { hosts: entry.hosts, principals: entry.workloads.map(principal) },
      ]),
    ),
  });
  const caProcess = supervisor.start({ name: 'ca', arguments: ['serve', 'ca', '--config', caConfig], restart: true });
  const signerConfig = await writeConfig('signer', {
    keyFile: at('keys.json'),
    socketPath: at('signer', 's.sock'),
    stateFile: at('signer-floors.json'),
  });
  supervisor.start({ name: 'signer', arguments: ['serve', 'signer', '--config', signerConfig], restart: true });
  await ready(`${ca.adminUrl}/readyz`, 'the CA', caProcess);
  say('the CA and the signer are up');

  const mint = async (identity: { readonly instance: string; readonly workload: string; readonly principal: string }): Promise<string> => {
    const token = (await readFile(ca.tokenFile, 'utf8')).trim();
    const answer = await fetch(`${ca.adminUrl}/v1/join-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(identity),
      signal: AbortSignal.timeout(10_000),
    });
    const body = (await answer.json()) as { token?: unknown };
    if (!answer.ok || typeof body.token !== 'string')
      throw new Error(`the CA gave no join token for ${identity.principal}: status ${answer.status}`);
    return body.token;
  };
  const freshToken = (file: string, identity: Parameters<typeof mint>[0]) => async (): Promise<void> => secret(file, await mint(identity));

  const planeConfig = await writeConfig('control-plane', {
    trustDomain: config.trustDomain,
    environment: config.environment,
    stateDir: at('control-plane'),
    listen: { host: loopback, port: xdsPort },
    admin: { host: loopback, port: adminPort },
    adminTokenFile,
    ca: { address: ca.address, trustFile: ca.trustFile },
    joinTokenFile: at('control-plane-join'),
    trustFile,
    inventoryFile,
  });
  const plane = supervisor.start({
    name: 'control-plane',
    arguments: ['serve', 'control-plane', '--config', planeConfig],
    restart: true,
    before: freshToken(at('control-plane-join'), controlPlaneIdentity(config.trustDomain)),
  });
  await ready(`${adminUrl}/healthz`, 'the control plane', plane);
  say('the control plane is up');

  const agents = new Map<string, Supervised>();
  for (const instance of config.inventory.instances) agents.set(instance.id, await startAgent(instance));
  say(`${agents.size} agents are starting their Envoys`);

  async function startAgent(instance: Instance): Promise<Supervised> {
    const runDir = at('agents', instance.id);
    await mkdir(runDir, { recursive: true, mode: 0o700 });
    const joinTokenFile = join(runDir, 'join');
    const file = await writeConfig(join('agents', `${instance.id}`), {
      instance: instance.id,
      workload: instance.workload,
      trustDomain: config.trustDomain,
      controlPlane: { host: loopback, port: xdsPort },
      ca: { address: ca.address, trustFile: ca.trustFile },
      joinTokenFile,
      runDir,
    });
    const identity = { instance: instance.id, workload: instance.workload, principal: principal(instance.workload) };
    return supervisor.start({
      name: `agent-${instance.id}`,
      arguments: ['agent', '--config', file],
      restart: true,
      before: freshToken(joinTokenFile, identity),
    });
  }

  const statusUrl = `http://${loopback}:${statusPort}`;
  const startLoop = async (settings: Pick<UpConfig, 'envoyValidate' | 'pulumi'>): Promise<void> => {
    const file = await writeConfig('gitops', {
      repositoryUrl: config.repositoryUrl,
      branch: config.branch ?? 'main',
      policiesDir: config.policiesDir ?? 'policies',
      environment: config.environment,
      stateDir: at('gitops'),
      webhookSecretFile: at('webhook-secret'),
      operatorTokenFile,
      pollMs: config.pollMs ?? 60_000,
      signerSocket: at('signer', 's.sock'),
      trustFile,
      target: { adminUrl, tokenFile: adminTokenFile, stateDir: at('pulumi'), stack: config.environment },
      envoyValidate: settings.envoyValidate ?? true,
      pulumi: settings.pulumi ?? true,
      listen: { host: loopback, port: statusPort },
    });
    const loop = supervisor.start({ name: 'gitops', arguments: ['serve', 'gitops', '--config', file], restart: true });
    await ready(`${statusUrl}/healthz`, 'the GitOps loop', loop);
  };
  await startLoop(config);
  say('the GitOps loop is up');

  return {
    dir: config.dir,
    statusUrl,
    hookUrl: `${statusUrl}/hooks/push`,
    hookSecret,
    adminUrl,
    adminTokenFile,
    operatorTokenFile,
    supervisor,
    agents,
    ca: { address: ca.address, trustFile: ca.trustFile },
    rollout: async () => {
      const token = (await readFile(adminTokenFile, 'utf8')).trim();
      return (await getJson(`${adminUrl}/v1/status`, { authorization: `Bearer ${token}` })) as RolloutStatus;
    },
    loop: () => getJson(`${statusUrl}/v1/status`, {}),
    joinToken: (instance, workload) => mint({ instance, workload, principal: principal(workload) }),
    restartLoop: async (change) => {
      await supervisor.get('gitops')?.stop();
      supervisor.forget('gitops');
      await startLoop({ ...config, ...change });
    },
  };
}

export async function getJson(url: string, headers: Record<string, string>): Promise<unknown> {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}

/** Waits until a server answers its readiness; a server that keeps dying says in its last line why. */
export async function ready(url: string, what: string, server: Supervised): Promise<void> {
  const deadline = process.uptime() + readyWithinMs / 1000;
  while (process.uptime() < deadline) {
    if (server.starts() > 2) break;
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      if (answer.ok) return;
    } catch {
      // not yet
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not come up: ${lastWords(server.tail())}`);
}

/** What a server said last that people can use: its own one line, or the last record of its log, without the stack below it. */
export function lastWords(tail: string): string {
  const lines = tail.split('\n').filter((one) => one.trim() !== '');
  const own = lines.filter((line) => line.startsWith('meshwright: ')).pop();
  if (own !== undefined) return own.slice('meshwright: '.length);
  const line = lines.filter((one) => !/^\s+at /.test(one)).pop() ?? 'it wrote nothing';
  try {
    const entry = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    return [entry.msg, entry.err?.message].filter((part) => typeof part === 'string').join(': ') || line;
  } catch {
    return line;
  }
}
