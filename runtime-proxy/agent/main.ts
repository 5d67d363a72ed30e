/** The agent of one proxy: its identity, its Envoy, and the truth about what that Envoy serves. */
import * as dns from 'node:dns';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { controlPlanePrincipal, isInstanceId, isTrustDomain, isWorkloadKey } from '../ca/spiffe';
import { holdIdentity } from '../ca/client';
import { readTextIfThere, writeFileAtomic } from '../../platform/files';
import { systemClock } from '../../platform/clock';
import { createLog, type Log } from '../../platform/log';
import { createMetrics, metricsHandler } from '../../platform/metrics';
import { readPidFile, writePidFile } from '../../platform/process';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { adminToken, serveAdmin, type AdminServer } from '../rpc/admin-http';
import { bootstrap, isXdsProtocol, type XdsProtocol } from './bootstrap';
import { envoyAdmin } from './envoy-admin';
import { runEnvoy } from './envoy-process';
import { defaultLimits } from './limits';
import { knockAt, watchEnvoy } from './look';
import { countByState, type AgentReport } from './protocol';
import { serveRelay } from './relay';
import { serveKeys } from './keys';
import { report, type ControlPlaneAddress } from './reporter';
import { provideSecrets } from './provide';
import { serveSecrets } from './secrets';

/** The agent's configuration file, JSON. */
export interface AgentConfig {
  /** Must be what the join token says; the certificate decides. */
  readonly instance: string;
  readonly workload: string;
  readonly trustDomain: string;
  /** The control plane's gRPC: one place, whose name may stand for many replicas, or several `host:port` of which any will do. */
  readonly controlPlane: ControlPlaneAddress;
  readonly ca: {
    /** `host:port`. */
    readonly address: string;
    /** The mesh's roots, PEM. */
    readonly trustFile: string;
  };
  /** Holds a join token. Read again each time one is needed; removed once it is spent. Either this or `serviceAccountTokenFile`. */
  readonly joinTokenFile?: string;
  /** Holds the pod's projected service-account token. Read again for each certificate, for it is rotated; never removed. */
  readonly serviceAccountTokenFile?: string;
  /** Sockets, bootstrap and pid file; made (0700). Keep it short: a unix socket's path may have 107 bytes. */
  readonly runDir: string;
  /** Default: found or obtained. */
  readonly envoy?: string;
  /** Worker threads; default 1. */
  readonly concurrency?: number;
  readonly envoyLogLevel?: string;
  /**
   * What Envoy may use before it sends work away. `heap`: bytes; default three quarters of the memory that there is for its container, or its machine.
   * `connections`: of clients, at all listeners; default half the files that a process may have open, and at most 50,000.
   */
  readonly limits?: { readonly heap?: number; readonly connections?: number };
  /** How Envoy asks for its configuration: `delta` (default), or `state-of-the-world`, which sends each type as a whole. */
  readonly xds?: XdsProtocol;
  /** `<dir>/<namespace>/<name>/tls.crt` and `tls.key`: gateways' certificates that the CA does not issue; `ca.crt`: authorities of hosts outside the mesh, and of gateways' clients. */
  readonly certificatesDir?: string;
  /** HTTP for `/healthz`, `/readyz`, `/metrics`. Absent: none. */
  readonly admin?: { readonly host: string; readonly port: number };
  /** How long open work, requests and connections that are not HTTP, may take at the end; default 1,000 ms. */
  readonly drainMs?: number;
  /** How long connections of a listener that was replaced may go on; whole seconds, default 5. */
  readonly listenerDrainSeconds?: number;
}
export interface RunningAgent {
  readonly instance: string;
  readonly adminUrl: string | null;
  /** Envoy's admin interface. */
  readonly adminSocket: string;
  envoyPid(): number | null;
  /** Resolves with one line when Envoy cannot be kept running, or the certificate has lapsed and there is no token for another. */
  readonly failed: Promise<string>;
  /** Rotates the certificate now. */
  rotate(): Promise<void>;
  /** Drains, then ends Envoy and everything else. */
  close(): Promise<void>;
}

const longestSocketPath = 107;

interface AgentOptions {
  readonly log?: Log;
  readonly signal?: AbortSignal;
}
/** Starts the agent and its Envoy. Resolves once Envoy runs (not: once it is configured). Where it rejects nothing of it runs on. */
export async function runAgent(config: AgentConfig, options: AgentOptions = {}): Promise<RunningAgent> {
  const begun: (() => unknown)[] = [];
  try {
    return await start(config, options, begun);
  } catch (error) {
    // each for itself: what cannot be ended is no reason to leave the rest
    for (const end of begun.reverse())
      await Promise.resolve()
        .then(end)
        .catch(() => undefined); // the error that is thrown is the first one
    throw error;
  }
}

/** `begun` has how to end what was begun, in order. */
async function start(config: AgentConfig, options: AgentOptions, begun: (() => unknown)[]): Promise<RunningAgent> {
  const log = (options.log ?? createLog('agent')).child({ instance: config.instance });
  const clock = systemClock;
  const tokenFile = assertConfig(config);
  await fs.mkdir(config.runDir, { recursive: true, mode: 0o700 });
  // Who reaches the sockets has the workload's key: a folder that was there before must be as closed as one made here.
  if (((await fs.stat(config.runDir)).mode & 0o077) !== 0)
    throw new Error(`others can enter ${config.runDir}, where the sockets are: chmod 700 it`);
  const file = (name: string): string => path.join(config.runDir, name);
  const other = await readPidFile(file('agent.pid'));
  if (other !== null && other.pid !== process.pid) throw new Error(`an agent runs in ${config.runDir} already: pid ${other.pid}`);
  await writePidFile(file('agent.pid'), process.pid);
  begun.push(() => fs.rm(file('agent.pid'), { force: true }));
  const sockets = { secrets: file('sds.sock'), controlPlane: file('ads.sock'), admin: file('admin.sock'), keys: file('keys.sock') };
  for (const socket of Object.values(sockets)) {
    if (Buffer.byteLength(socket) > longestSocketPath) throw new Error(`${socket} is too long for a unix socket: choose a shorter runDir`);
    await fs.rm(socket, { force: true });
    begun.push(() => fs.rm(socket, { force: true }));
  }
  const binary = config.envoy ?? (await obtainEnvoy());
  const holder = await holdIdentity(
    {
      trustDomain: config.trustDomain,
      address: config.ca.address,
      trust: await fs.readFile(config.ca.trustFile, 'utf8'),
      token: async () => {
        const token = (await readTextIfThere(tokenFile))?.trim() ?? '';
        return token === '' ? null : token;
      },
    },
    { clock, log, ...(options.signal ? { signal: options.signal } : {}) },
  );
  begun.push(holder.close);
  if (config.joinTokenFile !== undefined) await fs.rm(config.joinTokenFile, { force: true });
  const secrets = await serveSecrets(
    sockets.secrets,
    { onWanted: (name) => provider.want(name), onRefused: (name, reason) => provider.refused(name, reason) },
    log,
  );
  begun.push(secrets.close);
  const provider = provideSecrets({ folder: config.certificatesDir, holder, secrets }, { clock, log });
  begun.push(provider.close);
  const showOwn = (): void => {
    const { key, chain, trust } = holder.current();
    secrets.set('trust', { kind: 'trust', roots: trust });
    secrets.set('workload', { kind: 'certificate', key, chain });
  };
  showOwn();
  const stopOwn = holder.onRotation(() => {
    showOwn();
    log.info('rotated the certificate');
  });
  const bootstrapFile = file('bootstrap.json');
  const { instance, workload } = config;
  const limits = { ...(await defaultLimits()), ...config.limits };
  await writeFileAtomic(
    bootstrapFile,
    `${JSON.stringify(bootstrap({ instance, workload, controlPlaneSocket: sockets.controlPlane, secretsSocket: sockets.secrets, adminSocket: sockets.admin, keysSocket: sockets.keys, xds: config.xds ?? 'delta', limits, nameServers: dns.getServers().length }), null, 2)}\n`,
    { mode: 0o600 },
  );
  let starts = (): number => 1;
  const keys = await serveKeys(sockets.keys, log);
  begun.push(keys.close);
  const relay = await serveRelay(sockets.controlPlane, () => starts(), log);
  begun.push(relay.close);
  const envoy = await runEnvoy(
    {
      binary,
      bootstrapFile,
      pidFile: file('envoy.pid'),
      concurrency: config.concurrency ?? 1,
      logLevel: config.envoyLogLevel ?? 'warning',
      drainSeconds: config.listenerDrainSeconds ?? 5,
    },
    { clock, log, onLine: (line) => log.warn({ envoy: line }, 'envoy') },
  );
  begun.push(() => envoy.stop(1_000));
  starts = envoy.starts;
  const admin = envoyAdmin(sockets.admin);
  const watch = watchEnvoy({
    ...{ admin, log, acknowledged: relay.acknowledged, isUp: envoy.isUp, knock: knockAt },
    life: () => (envoy.pid() === null ? null : envoy.starts()),
  });
  let draining = false;
  let last: AgentReport | null = null;
  const look = async (): Promise<AgentReport> => {
    const about = { draining, starts: envoy.starts(), notAfter: holder.current().notAfter, secrets: provider.troubles() };
    return (last = { ...about, ...(await watch()) });
  };
  const reporter = report(
    {
      controlPlane: config.controlPlane,
      server: controlPlanePrincipal(config.trustDomain),
      ...{ holder, look },
      onConnection: relay.attach,
      onKeys: keys.set,
    },
    { clock, log },
  );
  begun.push(reporter.close);
  // Once it has had its control plane an Envoy serves on without it: a control plane that is away must not take every pod out of its services.
  let met = false;
  const ready = (): boolean => {
    met ||= reporter.connected();
    return last?.live === true && met && !draining;
  };
  const health = config.admin ? await serveHealth(config.admin, ready, () => last, file('admin.token'), log) : null;
  log.info({ envoy: envoy.pid(), runDir: config.runDir }, 'the agent is up');

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    draining = true;
    const graceMs = config.drainMs ?? 1_000;
    if (last?.live) {
      await reporter.now(); // callers are sent elsewhere first
      await clock.sleep(Math.min(graceMs / 4, 500));
      await admin.drain().catch(() => undefined);
      await idle(graceMs);
    }
    reporter.close();
    stopOwn();
    provider.close();
    await envoy.stop(1_000);
    holder.close();
    await relay.close();
    await keys.close();
    await secrets.close();
    await health?.close();
    for (const gone of [...Object.values(sockets), file('agent.pid')]) await fs.rm(gone, { force: true });
    log.info('the agent is down');
  };
  /** Waits until Envoy has no work left, or the time is over. One that runs and does not say what it has is not idle. */
  async function idle(graceMs: number): Promise<void> {
    const until = clock.monotonic() + graceMs;
    while (clock.monotonic() < until) {
      const work = await admin.work().catch(() => null);
      if (envoy.pid() === null || (work?.requests === 0 && work.connections === 0)) return;
      await clock.sleep(25);
    }
  }
  return {
    instance: config.instance,
    adminUrl: health?.url ?? null,
    adminSocket: sockets.admin,
    envoyPid: envoy.pid,
    failed: Promise.race([envoy.hopeless, holder.lapsed]),
    rotate: holder.renew,
    close: () => (closing ??= close()),
  };
}

function serveHealth(
  listen: { readonly host: string; readonly port: number },
  ready: () => boolean,
  last: () => AgentReport | null,
  tokenFile: string,
  log: Log,
): Promise<AdminServer> {
  const metrics = createMetrics();
  const live = metrics.gauge({ name: 'meshwright_agent_envoy_live', help: '1 while Envoy is up.' });
  const starts = metrics.gauge({ name: 'meshwright_agent_envoy_starts', help: 'How often Envoy was started.' });
  const expiry = metrics.gauge({
    name: 'meshwright_agent_certificate_expiry_seconds',
    help: 'When the SVID lapses, seconds since the epoch.',
  });
  const secrets = metrics.gauge({
    name: 'meshwright_agent_secrets',
    help: 'Secrets of listeners and of hosts outside that are missing, unusable, or should have been renewed (`ending`).',
    labels: ['state'],
  });
  return adminToken(tokenFile).then((token) =>
    serveAdmin(
      listen,
      token,
      [
        { method: 'GET', path: '/healthz', open: true, answer: () => ({ status: 200, text: 'ok\n', contentType: 'text/plain' }) },
        {
          method: 'GET',
          path: '/readyz',
          open: true,
          answer: () => ({ status: ready() ? 200 : 503, text: ready() ? 'ok\n' : 'Envoy is not up\n', contentType: 'text/plain' }),
        },
        {
          method: 'GET',
          path: '/metrics',
          open: true,
          answer: () => ({
            stream: (response) => {
              live.set(last()?.live ? 1 : 0);
              starts.set(last()?.starts ?? 0);
              expiry.set((last()?.notAfter ?? 0) / 1000);
              for (const [state, count] of countByState(last()?.secrets ?? [])) secrets.set({ state }, count);
              metricsHandler(metrics)(response.req, response);
            },
          }),
        },
      ],
      log,
    ),
  );
}

/** Answers the one file with a token. */
function assertConfig(config: AgentConfig): string {
  if (!isInstanceId(config.instance))
    throw new Error(`\`${config.instance}\` is not an instance id: use lower-case letters, digits, \`-\` and \`.\``);
  if (!isWorkloadKey(config.workload)) throw new Error(`\`${config.workload}\` is not a workload: write \`<namespace>/<name>\``);
  if (config.xds !== undefined && !isXdsProtocol(config.xds)) throw new Error('`xds` is neither `delta` nor `state-of-the-world`');
  if (!isTrustDomain(config.trustDomain)) throw new Error(`\`${config.trustDomain}\` is not a trust domain`);
  const { joinTokenFile, serviceAccountTokenFile, listenerDrainSeconds = 5 } = config;
  if (!Number.isInteger(listenerDrainSeconds) || listenerDrainSeconds < 0 || listenerDrainSeconds > 3_600)
    throw new Error('`listenerDrainSeconds` is a whole number of seconds from 0 to 3600');
  for (const [name, least] of [
    ['heap', 1 << 20],
    ['connections', 1],
  ] as const) {
    const limit = config.limits?.[name];
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= least))
      throw new Error(`\`limits.${name}\` is a whole number, at least ${least}`);
  }
  const tokenFile = joinTokenFile ?? serviceAccountTokenFile;
  if (tokenFile === undefined || (joinTokenFile !== undefined && serviceAccountTokenFile !== undefined))
    throw new Error('the agent needs either `joinTokenFile` or `serviceAccountTokenFile`');
  return tokenFile;
}
