/** Who takes calls, by all that is known of each instance: what the endpoints of every caller are made from. */
import type { EndpointSelector } from '../../core/bundle/objects';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { nameOfPort, portKey, type PortKey, type WorkloadKey } from '../../core/mesh/ids';
import type { PeerIdentity } from '../ca/spiffe';
import { listenerFor } from '../bind/endpoints';
import type { Instance, Inventory } from '../inventory';
import { EndpointTable, type Endpoints } from './endpoint-table';
import type { RemoteProxy, Serving } from './remote';
import type { Encoded, ObjectSet } from './resources';
import type { Seen } from './store';

/** Where it is known from. Whoever changes any of it says so by `doubt`; who was seen is compared. */
export interface Known {
  /** A proxy that is connected here, or was. */
  readonly entry: (
    name: string,
  ) => { readonly link: { readonly identity: PeerIdentity } | null; readonly report: object | null; readonly serving: Serving } | undefined;
  /** The same of another replica. */
  readonly remote: (name: string) => RemoteProxy | undefined;
  readonly seen: () => ReadonlyMap<string, Seen>;
  /** The sets that somebody may be served by. */
  readonly inForce: () => readonly ObjectSet[];
}

export class Callable {
  readonly #known: Known;
  readonly #table = new EndpointTable((instance, port) => this.#serves(instance, port));
  #workloads: ReadonlyMap<string, WorkloadKey> = new Map();
  /** As of the last time that everybody in doubt was looked at. */
  #seen: ReadonlyMap<string, Seen> = new Map();

  constructor(known: Known) {
    this.#known = known;
  }

  setInventory(inventory: Inventory): void {
    this.#workloads = new Map(inventory.instances.map(({ id, workload }) => [id, workload]));
    this.#table.setInventory(inventory);
  }
  /** Something else may be known of an instance than before. */
  doubt(name: string): void {
    const workload = this.#workloads.get(name);
    if (workload !== undefined) this.#table.doubt([workload]);
  }
  doubtAll(): void {
    this.#table.doubtAll();
  }
  /** Looks at whoever is in doubt. Answers the workloads of whom others are called now than before. */
  settle(): ReadonlySet<WorkloadKey> {
    const [now, before] = [this.#known.seen(), this.#seen];
    if (now !== before)
      for (const name of new Set([...now.keys(), ...before.keys()]))
        if (now.get(name)?.principal !== before.get(name)?.principal) this.doubt(name);
    this.#seen = now;
    return this.#table.settle();
  }
  /** What clusters are filled with: see `EndpointTable.of`. */
  of(selectors: readonly EndpointSelector[], caller: Instance | null, before: Endpoints, into: Diagnostic[]): Endpoints {
    return this.#table.of(selectors, caller, before, into);
  }
  /** How many assignments are kept. */
  get size(): number {
    return this.#table.size;
  }
  prune(inUse: () => Iterable<Encoded>): void {
    this.#table.prune(inUse);
  }

  #serves(instance: Instance, port: PortKey): boolean {
    const { entry: entryOf, remote, seen, inForce } = this.#known;
    const entry = entryOf(instance.id);
    // Its callers verify whom they reach: a call to who proves to be somebody else can only fail.
    const who = entry?.link?.identity ?? remote(instance.id) ?? seen().get(instance.id);
    const meant = inForce().flatMap(({ proxies }) => proxies.get(instance.workload)?.config.spec.principal ?? []);
    if (who && meant.length > 0 && !meant.some((principal) => principal === who.principal)) return false;
    const serving = entry?.report ? entry.serving : (remote(instance.id)?.serving ?? null);
    if (serving === null || serving.includes(listenerFor(instance, port))) return true;
    // A port that is being renamed is at one address under both names, and either is answered there.
    const address = instance.inbound[nameOfPort(port)];
    return (
      address !== undefined &&
      Object.entries(instance.inbound).some(
        ([name, other]) =>
          other.host === address.host && other.port === address.port && serving.includes(`inbound/${portKey(instance.workload, name)}`),
      )
    );
  }
}
