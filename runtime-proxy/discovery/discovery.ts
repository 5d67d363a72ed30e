/** What runs where, from all that says so: a cluster, a file, names in the DNS. Any of them may change at any time; the whole is handed on, and nothing is compiled. */
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { sortedUnique } from '../../core/lib/order';
import type { Clock } from '../../platform/clock';
import type { Address, Instance, Inventory, VirtualAddresses } from '../inventory';
import type { NameServer } from './dns/client';
import { followDns, type DnsSettings } from './dns/follow';
import type { KeptNames } from './dns/names';
import { watchInventory, type InventoryFile } from './inventory-file';

export interface DiscoveryOptions {
  /** The inventory file; null where there is none. */
  readonly file: string | null;
  /** Whether a cluster says what runs there: then nothing is handed on before it has, and the file only adds to it. */
  readonly cluster: boolean;
  readonly dns: { readonly servers: readonly NameServer[]; readonly settings: DnsSettings };
  /** What an earlier run knew: in force until better is known. */
  readonly kept: Kept;
  readonly clock: Clock;
  readonly onChange: (inventory: Inventory) => void;
  /** What a later run should know. */
  readonly keep: (kept: Kept) => void;
  readonly say: (diagnostic: Diagnostic) => void;
}
export interface Kept {
  readonly file: InventoryFile | null;
  readonly names: KeptNames;
}
export interface Discovery {
  /** What a cluster says; it goes before the others. */
  fromCluster(inventory: Inventory): void;
  close(): void;
}

/** Begins to follow. Resolves when the file was read and each name looked up once; before that nothing is handed on, for half an inventory would take endpoints away. */
export async function discover({ file, cluster: hasCluster, dns, kept, clock, onChange, keep, say }: DiscoveryOptions): Promise<Discovery> {
  let cluster: Inventory | null = null;
  let read: InventoryFile | null = null;
  let names = kept.names;
  let ready = false;
  let said = new Set<string>();
  const handOn = (): void => {
    if (!ready || (hasCluster ? cluster === null : read === null)) return;
    const { inventory, diagnostics } = merged(cluster, read, follower.instances());
    for (const diagnostic of diagnostics) if (!said.has(diagnostic.message)) say(diagnostic);
    said = new Set(diagnostics.map(({ message }) => message));
    onChange(inventory);
  };
  const follower = followDns({
    ...dns,
    kept: kept.names,
    clock,
    say,
    onChange: (_instances, next) => {
      names = next;
      if (ready) keep({ file: read, names });
      handOn();
    },
  });
  let following: Promise<void> = Promise.resolve();
  const watch =
    file === null
      ? null
      : await watchInventory(file, {
          kept: kept.file,
          onChange: (next) => {
            read = next;
            following = follower.follow(next.dns ?? []).then(() => {
              if (read !== next) return;
              if (next !== kept.file) keep({ file: next, names });
              handOn();
            });
          },
          onTrouble: ({ diagnostics }) => diagnostics.forEach(say),
        });
  await following;
  ready = true;
  handOn();
  return {
    fromCluster(inventory) {
      cluster = inventory;
      handOn();
    },
    close() {
      watch?.close();
      follower.close();
    },
  };
}

/** The first that has a name keeps it: cluster, file, DNS. */
function merged(
  cluster: Inventory | null,
  file: InventoryFile | null,
  named: readonly Instance[],
): { readonly inventory: Inventory; readonly diagnostics: readonly Diagnostic[] } {
  const byId = new Map<string, Instance>();
  const diagnostics: Diagnostic[] = [];
  const sources: readonly (readonly [string, readonly Instance[]])[] = [
    ['the cluster', cluster?.instances ?? []],
    ['the inventory file', file?.instances ?? []],
    ['the DNS', named],
  ];
  for (const [by, instances] of sources)
    for (const instance of instances) {
      if (byId.has(instance.id)) diagnostics.push(enforce.placeTakenTwice({ instance: instance.id, by }));
      else byId.set(instance.id, instance);
    }
  const virtual = { ...withoutThoseOf(cluster?.virtual ?? {}, file?.virtual ?? {}, diagnostics), ...cluster?.virtual };
  const alsoOfMesh = sortedUnique([
    ...(cluster?.alsoOfMesh ?? []),
    ...(file?.alsoOfMesh ?? []),
    ...(file?.instances ?? []).flatMap(doorsOf),
  ]);
  return {
    inventory: {
      instances: [...byId.values()],
      ...(Object.keys(virtual).length === 0 ? {} : { virtual }),
      ...(alsoOfMesh.length === 0 ? {} : { alsoOfMesh }),
    },
    diagnostics,
  };
}

/** Where a gateway of the file is reached. In a cluster whoever writes a pod says that of it, whatever address he likes; there the pod's own are known. */
const doorsOf = ({ listeners = {}, eastWest }: Instance): readonly string[] =>
  [...Object.values(listeners), ...(eastWest ? [eastWest] : [])].map(({ host }) => host);

/** Two ports at one address are two listeners there, which Envoy refuses with all that comes along. */
function withoutThoseOf(cluster: VirtualAddresses, file: VirtualAddresses, into: Diagnostic[]): VirtualAddresses {
  const text = ({ host, port }: Address): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
  const taken = new Map(Object.entries(cluster).flatMap(([port, addresses]) => addresses.map((address) => [text(address), port] as const)));
  return Object.fromEntries(
    Object.entries(file).map(([port, addresses]) => [
      port,
      addresses.filter((address) => {
        const other = taken.get(text(address));
        if (other === undefined || other === port) return true;
        into.push(enforce.virtualTakenTwice({ port, address: text(address), other }));
        return false;
      }),
    ]),
  );
}
