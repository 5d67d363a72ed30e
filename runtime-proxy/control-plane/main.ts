/** The control plane as a server. */
import * as fs from 'node:fs/promises';
import { hostPort } from '../../core/lib/host-port';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { enforce } from '../../core/diagnostics/enforce';
import { systemClock } from '../../platform/clock';
import { readTextIfThere } from '../../platform/files';
import { createLog, type Log } from '../../platform/log';
import { createMetrics } from '../../platform/metrics';
import { countByState } from '../agent/protocol';
import { holdIdentity, type Svid } from '../ca/client';
import { controlPlanePrincipal } from '../ca/spiffe';
import type { DnsSettings } from '../discovery/dns/follow';
import type { KubernetesConfig } from '../kubernetes/cluster';
import { adminToken, serveAdmin, type AdminServer } from '../rpc/admin-http';
import { serverCredentials } from '../rpc/credentials';
import { bind, createServer, stopServer } from '../rpc/server';
import { addWire } from './ads';
import { adminRoutes, answerHere } from './admin';
import { servePeers } from './peers';
import { followIssuerKeys, type IssuerKeysSettings } from './issuer-keys';
import { Plane } from './plane';
import { openSources } from './sources';

/** The control plane's configuration file, JSON. */
export interface ControlPlaneConfig {
  readonly environment: string;
  readonly trustDomain: string;
  /** Objects, the live release, its own identity (0600); made when it is not there. Absent on Kubernetes, which keeps all that. */
  readonly stateDir?: string;
  /** gRPC for Envoys and agents. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** HTTP, loopback. */
  readonly admin: { readonly host: string; readonly port: number };
  /** Made (0600) when it is not there. */
  readonly adminTokenFile: string;
  /** Who may sign: the trust root. Read at each use. */
  readonly trustFile: string;
  /** What runs where, and names by which more of it is found. On Kubernetes what runs outside of the cluster, beside its pods; there it may be absent. */
  readonly inventoryFile?: string;
  /** Takes objects, Release and what runs where from the Kubernetes API. */
  readonly kubernetes?: KubernetesConfig;
  /** How the names of the inventory file (`dns`) are looked up. */
  readonly dns?: DnsSettings;
  /** How keys of end users' issuers are fetched, where policies say `jwks.fetch`. */
  readonly issuerKeys?: IssuerKeysSettings;
  readonly ca: { readonly address: string; readonly trustFile: string };
  /** A join token for `spiffe://<trust domain>/ns/meshwright/sa/control-plane`, needed when there is no identity that has not lapsed; removed once it is spent. */
  readonly joinTokenFile?: string;
  /** In its place on Kubernetes: the pod's projected service-account token, which rotates and stays. */
  readonly tokenFile?: string;
}
export interface RunningControlPlane {
  readonly adminUrl: string;
  /** `127.0.0.1:port`. */
  readonly xdsAddress: string;
  status(): RolloutStatus;
  /** Resolves with one line when its certificate has lapsed and there is no join token for another. */
  readonly failed: Promise<string>;
  close(): Promise<void>;
}

/** What a pod or an inventory says wrong is not among them: many may write those, and it is about nobody else. */
const notServed: readonly string[] = [enforce.stateDamaged.code, enforce.resourceNotBelieved.code];

/** Starts the control plane. Rejects with one line when it cannot. */
export async function serveControlPlane(
  config: ControlPlaneConfig,
  options: { readonly log?: Log; readonly signal?: AbortSignal } = {},
): Promise<RunningControlPlane> {
  const log = options.log ?? createLog('control-plane');
  const now = (): number => Date.now();
  const metrics = createMetrics();
  const counters = {
    responses: metrics.counter({
      name: 'meshwright_control_plane_responses_total',
      help: 'xDS responses sent, by resource type.',
      labels: ['type'],
    }),
    nacks: metrics.counter({ name: 'meshwright_control_plane_nacks_total', help: 'Responses that a proxy rejected.' }),
    refused: metrics.counter({ name: 'meshwright_control_plane_refused_peers_total', help: 'Streams refused for want of a certificate.' }),
    turn: metrics.histogram({ name: 'meshwright_control_plane_turn_seconds', help: 'One turn of the loop: decide, write, send.' }),
    proxies: metrics.gauge({ name: 'meshwright_control_plane_proxies', help: 'Proxies connected.' }),
    secrets: metrics.gauge({
      name: 'meshwright_control_plane_secrets',
      help: 'Secrets of proxies that are missing, unusable, or should have been renewed (`ending`).',
      labels: ['state'],
    }),
    generation: metrics.gauge({ name: 'meshwright_control_plane_generation', help: 'Generation of the live release.' }),
    state: metrics.gauge({ name: 'meshwright_control_plane_rollout', help: '1 for the state the roll-out is in.', labels: ['state'] }),
    leads: metrics.gauge({ name: 'meshwright_control_plane_leads', help: '1 while this replica, of several, is the one that decides.' }),
    keyAge: metrics.gauge({
      name: 'meshwright_control_plane_issuer_keys_age_seconds',
      help: "How long ago an issuer's keys were had, by their address; -1: never since the start.",
      labels: ['url'],
    }),
    damaged: metrics.gauge({
      name: 'meshwright_control_plane_damaged_state',
      help: 'Files of the state, and objects of the Kubernetes API, that are not served.',
    }),
  };
  const watchers = new Set<(status: RolloutStatus) => void>();
  const onStatus = (status: RolloutStatus): void => {
    counters.proxies.set(status.proxies.filter((proxy) => proxy.connected).length);
    for (const [state, count] of countByState(status.proxies.flatMap(({ secrets = [] }) => secrets)))
      counters.secrets.set({ state }, count);
    counters.generation.set(status.generation);
    counters.state.reset();
    counters.state.set({ state: status.state }, 1);
    sources.onStatus(status);
    for (const watcher of watchers) watcher(status);
  };
  const say = (diagnostic: Diagnostic): void => {
    if (diagnostic.severity === 'info') return log.debug({ code: diagnostic.code }, diagnostic.message);
    if (notServed.includes(diagnostic.code)) counters.damaged.inc();
    log[diagnostic.severity === 'warning' ? 'warn' : 'error']({ code: diagnostic.code }, diagnostic.message);
  };
  const tokenFile = config.tokenFile ?? config.joinTokenFile;
  if (tokenFile === undefined)
    throw new Error('the configuration has neither `tokenFile` nor `joinTokenFile`: give one to prove itself with');
  const sources = await openSources(config, say, log);
  const { store } = sources;
  const holder = await holdIdentity(
    {
      trustDomain: config.trustDomain,
      address: config.ca.address,
      trust: await fs.readFile(config.ca.trustFile, 'utf8'),
      token: async () => (await readTextIfThere(tokenFile))?.trim() || null,
      kept: await sources.identity.kept(),
    },
    { clock: systemClock, log, ...(options.signal ? { signal: options.signal } : {}) },
  );
  const credentials = serverCredentials(holder.current(), 'required');
  const keep = (svid: Svid): void => {
    credentials.rotate(svid);
    sources.identity.keep(svid).catch((error: unknown) => log.error({ err: error }, 'cannot keep the own identity'));
  };
  keep(holder.current());
  holder.onRotation(keep);

  const plane = new Plane(
    config.environment,
    store,
    log,
    now,
    { onStatus, onTurn: (seconds) => counters.turn.observe(seconds), onNack: () => counters.nacks.inc() },
    sources.role,
  );
  const server = createServer();
  const issuerKeys = followIssuerKeys({
    settings: config.issuerKeys ?? {},
    readTrust: (file) => fs.readFile(file, 'utf8'),
    kept: await sources.issuerKeys.kept(),
    keep: sources.issuerKeys.keep,
    onChange: () => wire.keysChanged(),
    ...{ clock: systemClock, log },
  });
  const wire = addWire(server, plane, issuerKeys, log, now, {
    onResponse: (type) => counters.responses.inc({ type }),
    onRefusedPeer: () => counters.refused.inc(),
  });
  plane.afterTurn(() => issuerKeys.want(plane.keyAddresses()));
  const { leadership, role } = sources;
  const peers =
    leadership && role
      ? servePeers(server, {
          principal: controlPlanePrincipal(config.trustDomain),
          ...{ leadership, plane, holder, log },
          remote: role.remote,
          answer: (call) => answerHere(plane, call),
          clock: systemClock,
        })
      : null;
  const watch = (listener: (status: RolloutStatus) => void): (() => void) => {
    watchers.add(listener);
    return () => void watchers.delete(listener);
  };
  const routes = adminRoutes({
    environment: config.environment,
    trustFile: config.trustFile,
    ...{ plane, metrics, now, watch },
    beforeMetrics: () => {
      counters.keyAge.reset();
      for (const { url, hadAt } of issuerKeys.state()) counters.keyAge.set({ url }, hadAt === null ? -1 : (now() - hadAt) / 1_000);
    },
    ready: () => listening && holder.current().notAfter > now() && sources.isSynced(),
    byApi: config.kubernetes !== undefined,
    elsewhere: () => (peers === null || leadership?.leads() ? null : peers.ask),
  });
  let listening = false;
  let admin: AdminServer | null = null;
  const close = async (): Promise<void> => {
    await admin?.close();
    peers?.close();
    issuerKeys.close();
    await plane.close();
    await sources.close();
    holder.close();
    await stopServer(server, 200);
  };
  try {
    // Probes are answered from the beginning; proxies come once it is known what they are to have.
    admin = await serveAdmin(config.admin, await adminToken(config.adminTokenFile), routes, log);
    await sources.drive(plane, () => {
      counters.leads.set(leadership?.leads() ? 1 : 0);
      peers?.leaderChanged();
    });
    const port = await bind(server, config.listen.host, config.listen.port, credentials.credentials);
    listening = true;
    plane.touch();
    const xdsAddress = hostPort(config.listen.host, port);
    log.info({ xds: xdsAddress, admin: admin.url, generation: store.live()?.signed.release.generation ?? 0 }, 'the control plane is up');
    return { adminUrl: admin.url, xdsAddress, status: () => plane.status, failed: holder.lapsed, close };
  } catch (error) {
    await close();
    throw error;
  }
}
