/**
 * A real Kubernetes API server on loopback with etcd inside, and the controller manager if wanted: for the demo and the tests. It stands for a
 * cluster's control plane; there are no nodes, so what would run in pods is started beside it. It does not outlive the process that started it.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { openSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as https from 'node:https';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { freePorts } from './ports';
import { guardGroup, runCommand, spawnGroup, stopGroup, writePidFile, type CommandResult } from './process';
import { obtainKubectl, obtainKubernetes } from './tools/kubernetes';

export interface KubernetesServerOptions {
  /** State, certificates, kubeconfigs and logs; made. */
  readonly dir: string;
  /** Namespaces, EndpointSlices, garbage collection and service accounts need it. Default true. */
  readonly controllers?: boolean;
  /** Further flags of kube-apiserver. */
  readonly flags?: readonly string[];
}
export interface KubernetesServer {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** PEM of what its certificate verifies against. */
  readonly caFile: string;
  /** Cluster administrator (`system:masters`). */
  readonly kubeconfig: string;
  readonly issuer: string;
  /** A kubeconfig file of somebody else, by impersonation: what the server and its webhooks see is this user with these groups. */
  kubeconfigFor(user: string, groups?: readonly string[]): Promise<string>;
  /** A kubeconfig file that authenticates by a bearer token, as a pod does. */
  kubeconfigWithToken(name: string, token: string): Promise<string>;
  /** Real kubectl as the administrator, or with another kubeconfig. `input` is its stdin. */
  kubectl(args: readonly string[], options?: { readonly input?: string; readonly kubeconfig?: string }): Promise<CommandResult>;
  /** Kills the API server (SIGKILL unless told otherwise) and starts it again on the same state and port. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

const readyWithinMs = 180_000;

/** Starts the server and waits until it answers. Rejects with one line; nothing is left running. */
export async function startKubernetes(options: KubernetesServerOptions): Promise<KubernetesServer> {
  const program = await obtainKubernetes();
  const at = (...parts: string[]): string => join(options.dir, ...parts);
  await fs.mkdir(at('certificates'), { recursive: true, mode: 0o700 });
  const [port = 0, etcdPort = 0, controllerPort = 0] = await freePorts(3);
  const url = `https://127.0.0.1:${port}`;
  const issuer = 'https://kubernetes.default.svc';
  const token = randomBytes(24).toString('base64url');
  const secret = (name: string, text: string): Promise<void> => fs.writeFile(at(name), text, { mode: 0o600 });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await secret('accounts.key', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  await secret('accounts.pub', String(publicKey.export({ type: 'spki', format: 'pem' })));
  await secret('tokens.csv', `${token},admin,admin,"system:masters"\n`);
  const caFile = at('certificates', 'apiserver.crt');
  const running = new Map<string, ChildProcess>();

  const start = async (name: string, args: readonly string[]): Promise<void> => {
    const log = openSync(at(`${name}.log`), 'a');
    const child = spawnGroup(program, args, { stdio: ['ignore', log, log], cwd: options.dir });
    guardGroup(child);
    running.set(name, child);
    if (child.pid !== undefined) await writePidFile(at(`${name}.pid`), child.pid);
  };
  const startServer = (): Promise<void> =>
    start('apiserver', [
      'apiserver',
      at('etcd'),
      String(etcdPort),
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--cert-dir=${at('certificates')}`,
      `--service-account-key-file=${at('accounts.pub')}`,
      `--service-account-signing-key-file=${at('accounts.key')}`,
      `--service-account-issuer=${issuer}`,
      `--token-auth-file=${at('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.96.0.0/16',
      '--endpoint-reconciler-type=none',
      ...(options.controllers === false ? ['--disable-admission-plugins=ServiceAccount'] : []),
      ...(options.flags ?? []),
    ]);
  const kubeconfig = async (name: string, user: Readonly<Record<string, unknown>>): Promise<string> => {
    const file = at(`${name}.kubeconfig`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'local',
      clusters: [{ name: 'local', cluster: { server: url, 'certificate-authority': caFile } }],
      users: [{ name: 'local', user }],
      contexts: [{ name: 'local', context: { cluster: 'local', user: 'local' } }],
    };
    await fs.writeFile(file, JSON.stringify(config), { mode: 0o600 }); // JSON is YAML
    return file;
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...running.values()].map((child) => stopGroup(child, { graceMs: 2_000, signal: 'SIGKILL' })));
  };
  try {
    await startServer();
    await ready(url, token, () => running.get('apiserver')?.exitCode ?? null, at('apiserver.log'));
    const admin = await kubeconfig('admin', { token });
    if (options.controllers !== false) {
      await start('controller-manager', [
        'controller-manager',
        `--kubeconfig=${admin}`,
        `--secure-port=${controllerPort}`,
        '--bind-address=127.0.0.1',
        '--leader-elect=false',
        `--root-ca-file=${caFile}`,
        `--service-account-private-key-file=${at('accounts.key')}`,
        '--use-service-account-credentials=false',
      ]);
    }
    const kubectlProgram = await obtainKubectl();
    return {
      url,
      caFile,
      kubeconfig: admin,
      issuer,
      kubeconfigFor: (user, groups = []) =>
        kubeconfig(`as-${user.replace(/[^A-Za-z0-9.-]/g, '_')}-${groups.length}-${randomBytes(3).toString('hex')}`, {
          token,
          as: user,
          ...(groups.length > 0 ? { 'as-groups': groups } : {}),
        }),
      kubeconfigWithToken: (name, bearer) => kubeconfig(`token-${name}`, { token: bearer }),
      kubectl: (args, { input, kubeconfig: other } = {}) =>
        runCommand(kubectlProgram, args, {
          env: { PATH: process.env['PATH'], HOME: options.dir, KUBECONFIG: other ?? admin },
          timeoutMs: 300_000, // against hanging
          ...(input === undefined ? {} : { input }),
        }),
      restart: async (signal = 'SIGKILL') => {
        const old = running.get('apiserver');
        if (old) await stopGroup(old, { graceMs: 20_000, signal });
        await startServer();
        await ready(url, token, () => running.get('apiserver')?.exitCode ?? null, at('apiserver.log'));
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits for /readyz; a server that ends says in its log's last line why. */
async function ready(url: string, token: string, exitCode: () => number | null, logFile: string): Promise<void> {
  const until = performance.now() + readyWithinMs;
  while (performance.now() < until && exitCode() === null) {
    const status = await new Promise<number>((resolve) => {
      // Only whether it answers is asked here; who talks to it verifies its certificate.
      const request = https.get(
        `${url}/readyz`,
        { headers: { authorization: `Bearer ${token}` }, rejectUnauthorized: false, agent: false, timeout: 2_000 },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      request.once('timeout', () => request.destroy());
      request.once('error', () => resolve(0));
    });
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const log = await fs.readFile(logFile, 'utf8').catch(() => '');
  throw new Error(`the Kubernetes API server did not come up: ${log.trim().split('\n').at(-1) ?? 'it wrote nothing'}`);
}
