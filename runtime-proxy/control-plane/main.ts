/** The control plane as a server. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { RolloutStatus } from '../../core/bundle/status';
import { systemClock } from '../../platform/clock';
import { readTextIfThere, writeFileAtomic } from '../../platform/files';
import { createLog, type Log } from '../../platform/log';
import { createMetrics } from '../../platform/metrics';
import { holdIdentity, type Svid } from '../ca/client';
import { parseInventory, watchInventory } from '../discovery/inventory-file';
import { adminToken, serveAdmin } from '../rpc/admin-http';
import { serverCredentials } from '../rpc/credentials';
import { fieldsOf, numberOf, textOf } from '../rpc/decode';
import { bind, createServer, stopServer } from '../rpc/server';
import { takeFolder } from '../rpc/state-folder';
import { addWire } from './ads';
import { adminRoutes, readTrust } from './admin';
import { Plane } from './plane';
import { openStore } from './store';

/** The control plane's configuration file, JSON. */
export interface ControlPlaneConfig {
  readonly environment: string;
  readonly trustDomain: string;
  /** Objects, the live release, its own identity (0600); made when it is not there. */
  readonly stateDir: string;
  /** gRPC for Envoys and agents. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** HTTP, loopback. */
  readonly admin: { readonly host: string; readonly port: number };
  /** Made (0600) when it is not there. */
  readonly adminTokenFile: string;
  /** Who may sign: the trust root. Read at each use. */
  readonly trustFile: string;
  readonly inventoryFile: string;
  readonly ca: { readonly address: string; readonly trustFile: string };
  /** A join token for `spiffe://<trust domain>/ns/meshwright/sa/control-plane`, needed when there is no identity that has not lapsed. */
  readonly joinTokenFile: string;
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

/** Starts the control plane. Rejects with one line when it cannot. */
export async function serveControlPlane(
  config: ControlPlaneConfig,
  options: { readonly log?: Log; readonly signal?: AbortSignal } = {},
): Promise<RunningControlPlane> {
  const log = options.log ?? createLog('control-plane');
  const now = (): number => Date.now();
  await fs.mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  const giveBack = await takeFolder(config.stateDir, 'control-plane');
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
    generation: metrics.gauge({ name: 'meshwright_control_plane_generation', help: 'Generation of the live release.' }),
    state: metrics.gauge({ name: 'meshwright_control_plane_rollout', help: '1 for the state the roll-out is in.', labels: ['state'] }),
    damaged: metrics.gauge({ name: 'meshwright_control_plane_damaged_state', help: 'Files of the state that are not served.' }),
  };
  const watchers = new Set<(status: RolloutStatus) => void>();
  const onStatus = (status: RolloutStatus): void => {
    counters.proxies.set(status.proxies.filter((proxy) => proxy.connected).length);
    counters.generation.set(status.generation);
    counters.state.reset();
    counters.state.set({ state: status.state }, 1);
    for (const watcher of watchers) watcher(status);
  };
  const store = await openStore(config.stateDir, config.environment, await readTrust(config.trustFile), (diagnostic) => {
    counters.damaged.inc();
    log.error({ code: diagnostic.code }, diagnostic.message);
  });
  const identityFile = path.join(config.stateDir, 'identity.json');
  const holder = await holdIdentity(
    {
      trustDomain: config.trustDomain,
      address: config.ca.address,
      trust: await fs.readFile(config.ca.trustFile, 'utf8'),
      token: async () => (await readTextIfThere(config.joinTokenFile))?.trim() || null,
      kept: readIdentity(await readTextIfThere(identityFile)),
    },
    { clock: systemClock, log, ...(options.signal ? { signal: options.signal } : {}) },
  );
  await fs.rm(config.joinTokenFile, { force: true }); // spent, or not needed
  const credentials = serverCredentials(holder.current(), 'required');
  const keep = (svid: Svid): void => {
    credentials.rotate(svid);
    writeFileAtomic(identityFile, JSON.stringify(svid), { mode: 0o600 }).catch((error: unknown) =>
      log.error({ err: error }, 'cannot keep the own identity'),
    );
  };
  keep(holder.current());
  holder.onRotation(keep);

  const plane = new Plane(config.environment, store, log, now, {
    onStatus,
    onTurn: (seconds) => counters.turn.observe(seconds),
    onNack: () => counters.nacks.inc(),
  });
  // A restart while the file is broken or away must not take every proxy out of the inventory: the last good one is kept.
  const keptFile = path.join(config.stateDir, 'inventory.json');
  const kept = parseInventory((await readTextIfThere(keptFile)) ?? '', keptFile).value ?? null;
  const inventory = await watchInventory(config.inventoryFile, {
    kept,
    onChange: (next) => {
      plane.setInventory(next);
      if (next === kept) return;
      writeFileAtomic(keptFile, JSON.stringify(next), { mode: 0o600 }).catch((error: unknown) =>
        log.error({ err: error }, 'cannot keep the inventory'),
      );
    },
    onTrouble: ({ diagnostics }) => log.error({ code: diagnostics[0]?.code }, diagnostics[0]?.message ?? 'the inventory cannot be used'),
  });
  const server = createServer();
  addWire(server, plane, log, now, { onResponse: (type) => counters.responses.inc({ type }), onRefusedPeer: () => counters.refused.inc() });
  const close = async (): Promise<void> => {
    inventory.close();
    holder.close();
    await plane.close();
    await stopServer(server, 200);
    await giveBack();
  };
  try {
    const port = await bind(server, config.listen.host, config.listen.port, credentials.credentials);
    const watch = (listener: (status: RolloutStatus) => void): (() => void) => {
      watchers.add(listener);
      return () => void watchers.delete(listener);
    };
    const routes = adminRoutes({
      environment: config.environment,
      trustFile: config.trustFile,
      plane,
      metrics,
      now,
      ready: () => holder.current().notAfter > now(),
      watch,
    });
    const admin = await serveAdmin(config.admin, await adminToken(config.adminTokenFile), routes, log);
    plane.touch();
    const xdsAddress = `${config.listen.host}:${port}`;
    log.info({ xds: xdsAddress, admin: admin.url, generation: store.live()?.signed.release.generation ?? 0 }, 'the control plane is up');
    return {
      adminUrl: admin.url,
      xdsAddress,
      status: () => plane.status,
      failed: holder.lapsed,
      async close() {
        await admin.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function readIdentity(text: string | null): Svid | null {
  if (text === null) return null;
  try {
    const fields = fieldsOf(JSON.parse(text), 'the identity');
    const time = (key: string): number => numberOf(fields, key, 0, Number.MAX_SAFE_INTEGER);
    const pem = (key: string): string => textOf(fields, key, 1 << 20);
    return { key: pem('key'), chain: pem('chain'), trust: pem('trust'), obtained: time('obtained'), notAfter: time('notAfter') };
  } catch {
    return null; // a damaged identity is no identity: a join token makes another
  }
}
