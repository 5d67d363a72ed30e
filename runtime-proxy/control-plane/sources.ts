/** Where a control plane has its state from: a folder and an inventory file, or the Kubernetes API. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { readTextIfThere, writeFileAtomic } from '../../platform/files';
import { latestOnly } from '../../platform/latest-only';
import type { Log } from '../../platform/log';
import type { Svid } from '../ca/client';
import { discover, type Discovery, type Kept } from '../discovery/discovery';
import type { NameServer } from '../discovery/dns/client';
import { nameServerFrom } from '../discovery/dns/follow';
import { keptNamesFrom, type KeptNames } from '../discovery/dns/names';
import { parseInventory } from '../discovery/inventory-file';
import { longestKeySet } from '../../core/mesh/jwk-set';
import { systemClock } from '../../platform/clock';
import { nameServersOf } from '../../platform/name-servers';
import { openCluster } from '../kubernetes/cluster';
import { fieldsOf, numberOf, textOf } from '../rpc/decode';
import { takeFolder } from '../rpc/state-folder';
import { readTrust } from './admin';
import type { ControlPlaneConfig } from './main';
import type { Leadership } from './peers';
import type { Plane, PlaneRole } from './plane';
import { openStore, type Store } from './store';

export interface Sources {
  readonly store: Store;
  /** Absent: this control plane is the only one. */
  readonly role?: PlaneRole;
  /** Absent likewise. */
  readonly leadership?: Leadership;
  readonly identity: { kept(): Promise<Svid | null>; keep(svid: Svid): Promise<void> };
  /** Keys of issuers that were fetched, by address. */
  readonly issuerKeys: { kept(): Promise<ReadonlyMap<string, string>>; keep(keys: ReadonlyMap<string, string>): Promise<void> };
  /** Feeds the plane from now on. `onLeader` is told when the leader may be another replica. */
  drive(plane: Plane, onLeader: () => void): Promise<void>;
  onStatus(status: RolloutStatus): void;
  isSynced(): boolean;
  close(): Promise<void>;
}

/** Opens what a configuration names. Rejects with one line when it names too little. */
export function openSources(config: ControlPlaneConfig, say: (diagnostic: Diagnostic) => void, log: Log): Promise<Sources> {
  const { kubernetes, stateDir, inventoryFile } = config;
  if (kubernetes) return clusterSources({ ...config, kubernetes }, say, log);
  if (stateDir === undefined || inventoryFile === undefined)
    throw new Error('the configuration has neither `kubernetes` nor both of `stateDir` and `inventoryFile`: give one or the other');
  return folderSources({ ...config, stateDir, inventoryFile }, say, log);
}

async function clusterSources(
  config: ControlPlaneConfig & { readonly kubernetes: NonNullable<ControlPlaneConfig['kubernetes']> },
  say: (diagnostic: Diagnostic) => void,
  log: Log,
): Promise<Sources> {
  const cluster = await openCluster(config.kubernetes, {
    environment: config.environment,
    trustDomain: config.trustDomain,
    trust: () => readTrust(config.trustFile),
    listen: config.listen,
    say,
    log,
  });
  const dns = await dnsOf(config);
  let places: Discovery | null = null;
  return {
    store: cluster.store,
    role: { leads: cluster.lease.leads, remote: cluster.remote, settles: true },
    // A pod that starts again proves itself again.
    identity: { kept: () => Promise.resolve(null), keep: () => Promise.resolve() },
    issuerKeys: { kept: () => Promise.resolve(new Map()), keep: () => Promise.resolve() },
    leadership: cluster.lease,
    async drive(plane, onLeader) {
      const found = (places = await discover({
        ...{ file: config.inventoryFile ?? null, cluster: true, dns, kept: { file: null, names: {} }, clock: systemClock },
        onChange: (inventory) => plane.setInventory(inventory),
        keep: () => undefined, // replicas hold no state of their own
        say,
      }));
      await cluster.drive(plane, onLeader, (inventory) => found.fromCluster(inventory));
    },
    onStatus: cluster.onStatus,
    isSynced: cluster.isSynced,
    async close() {
      places?.close();
      await cluster.close();
    },
  };
}

async function folderSources(
  config: ControlPlaneConfig & { readonly stateDir: string; readonly inventoryFile: string },
  say: (diagnostic: Diagnostic) => void,
  log: Log,
): Promise<Sources> {
  const { stateDir } = config;
  await fs.mkdir(stateDir, { recursive: true, mode: 0o700 });
  const giveBack = await takeFolder(stateDir, 'control-plane');
  const store = await openStore(stateDir, config.environment, await readTrust(config.trustFile), say);
  const identityFile = path.join(stateDir, 'identity.json');
  const keysFile = path.join(stateDir, 'issuer-keys.json');
  const dns = await dnsOf(config);
  let places: Discovery | null = null;
  return {
    store,
    identity: {
      kept: async () => readIdentity(await readTextIfThere(identityFile)),
      async keep(svid) {
        await writeFileAtomic(identityFile, JSON.stringify(svid), { mode: 0o600 });
        if (config.joinTokenFile !== undefined) await fs.rm(config.joinTokenFile, { force: true }); // spent, or not needed
      },
    },
    issuerKeys: {
      kept: async () => readKeys(await readTextIfThere(keysFile)),
      keep: latestOnly((keys: ReadonlyMap<string, string>) =>
        writeFileAtomic(keysFile, JSON.stringify(Object.fromEntries(keys)), { mode: 0o600 }),
      ),
    },
    async drive(plane) {
      // A restart while the file is broken or away, or nobody answers for a name, must not take every proxy out of the inventory: what was good is kept.
      const [keptFile, keptNames] = [path.join(stateDir, 'inventory.json'), path.join(stateDir, 'names.json')];
      const kept: Kept = {
        file: parseInventory((await readTextIfThere(keptFile)) ?? '', keptFile, 'kept').value ?? null,
        names: readNames(await readTextIfThere(keptNames)),
      };
      const write = (file: string, value: unknown): Promise<void> =>
        writeFileAtomic(file, JSON.stringify(value), { mode: 0o600 }).catch((error: unknown) =>
          log.error({ err: error }, 'cannot keep the inventory'),
        );
      places = await discover({
        ...{ file: config.inventoryFile, cluster: false, dns, kept, clock: systemClock, say },
        onChange: (inventory) => plane.setInventory(inventory),
        keep: latestOnly(async ({ file, names }: Kept) => {
          if (file !== null) await write(keptFile, file);
          await write(keptNames, names);
        }),
      });
    },
    onStatus: () => undefined,
    isSynced: () => true,
    async close() {
      places?.close();
      await giveBack();
    },
  };
}

/** Whom names are asked of. Rejects with one line when the configuration names something else than an address. */
async function dnsOf(
  config: ControlPlaneConfig,
): Promise<{ readonly servers: readonly NameServer[]; readonly settings: NonNullable<ControlPlaneConfig['dns']> }> {
  const settings = config.dns ?? {};
  const servers = (settings.servers ?? (await nameServersOf())).map((text) => {
    const server = nameServerFrom(text);
    if (server === null) throw new Error(`\`dns.servers\` has \`${text}\`: give IP addresses, with \`:<port>\` where it is not 53`);
    return server;
  });
  return { servers, settings };
}

function readNames(text: string | null): KeptNames {
  try {
    return text === null ? {} : keptNamesFrom(JSON.parse(text));
  } catch {
    return {}; // what is damaged is as good as nothing: the names are looked up again
  }
}

function readKeys(text: string | null): ReadonlyMap<string, string> {
  try {
    if (text === null) return new Map();
    const fields = fieldsOf(JSON.parse(text), 'the keys');
    return new Map(Object.keys(fields).map((url) => [url, textOf(fields, url, longestKeySet)]));
  } catch {
    return new Map(); // what is damaged is as good as nothing: they are fetched again
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
