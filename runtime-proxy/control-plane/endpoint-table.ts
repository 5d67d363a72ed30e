/**
 * Endpoints of every cluster, made once for all callers at one place and again only when somebody whom the cluster may call has changed: what a change costs
 * is for the change to say, and not for the mesh. Needs no object and no compilation.
 */
import { isDeepStrictEqual } from 'node:util';
import type { EndpointSelector } from '../../core/bundle/objects';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { canonicalJson } from '../../core/lib/json';
import { reasonOf } from '../../core/lib/reason';
import { serviceOfPort, type PortKey, type WorkloadKey } from '../../core/mesh/ids';
import { assignment, calledFor, doorsFor, hostsIn, placeOf, type Serves } from '../bind/endpoints';
import type { Instance, Inventory } from '../inventory';
import { encode, type Encoded, type EncodedByName } from './resources';

/** What one proxy is given to call: by cluster, and how many endpoints each has. */
export interface Endpoints {
  readonly resources: EncodedByName;
  readonly hosts: ReadonlyMap<string, number>;
}
export const noEndpoints: Endpoints = { resources: new Map(), hosts: new Map() };

/** Who of a workload takes calls for a port; the same list as long as it is the same instances, as they were. */
interface View {
  readonly workload: WorkloadKey;
  readonly look: () => readonly Instance[];
  list: readonly Instance[];
}
interface Made {
  readonly from: readonly (readonly Instance[])[];
  readonly encoded: Encoded | null;
  readonly hosts: number;
  /** Why there is none. */
  readonly trouble: Diagnostic | null;
}
const takes = { called: calledFor, doors: doorsFor } as const;
const nobody: readonly Instance[] = [];
/** So many are kept that nobody may want any more, before it is looked. */
const spare = 100;

export class EndpointTable {
  readonly #serves: Serves;
  #members: ReadonlyMap<WorkloadKey, readonly Instance[]> = new Map();
  readonly #views = new Map<string, View>();
  readonly #viewsOf = new Map<WorkloadKey, View[]>();
  readonly #doubted = new Set<WorkloadKey>();
  readonly #made = new Map<string, Made>();
  readonly #keys = new WeakMap<EndpointSelector, string>();
  #pruneAt = spare;

  constructor(serves: Serves) {
    this.#serves = serves;
  }

  /** Other instances. One that did not change is the same object as before: lists are compared by that. */
  setInventory({ instances }: Inventory): void {
    const members = new Map<WorkloadKey, Instance[]>();
    for (const instance of instances) {
      const of = members.get(instance.workload);
      if (of) of.push(instance);
      else members.set(instance.workload, [instance]);
    }
    for (const workload of new Set([...members.keys(), ...this.#members.keys()]))
      if (!sameList(members.get(workload) ?? nobody, this.#members.get(workload) ?? nobody)) this.#doubted.add(workload);
    this.#members = members;
  }

  /** Whom `serves` may say something else of now. */
  doubt(workloads: Iterable<WorkloadKey>): void {
    for (const workload of workloads) this.#doubted.add(workload);
  }
  doubtAll(): void {
    this.doubt(this.#viewsOf.keys());
  }

  /** Looks again at whoever is in doubt. Answers the workloads of whom others are called now than before. */
  settle(): ReadonlySet<WorkloadKey> {
    const changed = new Set<WorkloadKey>();
    for (const workload of this.#doubted)
      for (const view of this.#viewsOf.get(workload) ?? []) {
        const list = view.look();
        if (sameList(list, view.list)) continue;
        view.list = list;
        changed.add(workload);
      }
    this.#doubted.clear();
    return changed;
  }

  /**
   * The endpoints of some clusters, as of the last time that everybody in doubt was looked at; `before` itself where they are the same. A cluster whose
   * endpoints cannot be encoded keeps those of `before`, and a diagnostic says so.
   */
  of(selectors: readonly EndpointSelector[], caller: Instance | null, before: Endpoints, into: Diagnostic[]): Endpoints {
    const resources = new Map<string, Encoded>();
    const hosts = new Map<string, number>();
    let same = true;
    for (const selector of selectors) {
      const made = this.#make(selector, caller);
      if (made.trouble !== null) into.push(made.trouble);
      const encoded = made.encoded ?? before.resources.get(selector.cluster);
      if (encoded) resources.set(selector.cluster, encoded);
      hosts.set(selector.cluster, made.encoded ? made.hosts : (before.hosts.get(selector.cluster) ?? 0));
      same &&= encoded === before.resources.get(selector.cluster) && before.hosts.has(selector.cluster);
    }
    return same && before.hosts.size === hosts.size ? before : { resources, hosts };
  }

  /** Forgets what none of these has, once there may be much of it. */
  prune(inUse: () => Iterable<Encoded>): void {
    if (this.#made.size <= this.#pruneAt) return;
    const wanted = new Set(inUse());
    for (const [key, { encoded }] of this.#made) if (encoded === null || !wanted.has(encoded)) this.#made.delete(key);
    this.#pruneAt = 2 * this.#made.size + spare;
  }
  /** How many assignments are kept. */
  get size(): number {
    return this.#made.size;
  }

  #make(selector: EndpointSelector, caller: Instance | null): Made {
    const key = `${this.#keyOf(selector)} ${placeOf(selector, caller)}`;
    const called = this.#view('called', serviceOfPort(selector.port), selector.port);
    const doors = (selector.across ?? []).map((workload) => this.#view('doors', workload, selector.port));
    const from = [called, ...doors];
    const known = this.#made.get(key);
    if (known && sameList(known.from, from)) return known;
    const made = { from, ...encoded(selector, called, doors.flat(), caller, known?.encoded ?? null) };
    this.#made.set(key, made);
    return made;
  }

  #view(as: keyof typeof takes, workload: WorkloadKey, port: PortKey): readonly Instance[] {
    const key = `${as} ${workload} ${port}`;
    const known = this.#views.get(key);
    if (known) return known.list;
    const look = (): readonly Instance[] => takes[as](this.#members.get(workload) ?? nobody, port, this.#serves);
    const made: View = { workload, look, list: look() };
    this.#views.set(key, made);
    const of = this.#viewsOf.get(workload);
    if (of) of.push(made);
    else this.#viewsOf.set(workload, [made]);
    return made.list;
  }

  #keyOf(selector: EndpointSelector): string {
    let key = this.#keys.get(selector);
    if (key === undefined) this.#keys.set(selector, (key = canonicalJson(selector)));
    return key;
  }
}

/** Whom the clusters of some selectors may call, or call through. */
export function calledBy(selectors: readonly EndpointSelector[]): ReadonlySet<WorkloadKey> {
  return new Set(selectors.flatMap(({ port, across = [] }) => [serviceOfPort(port), ...across]));
}

/** Instances as they were are the same objects as before. */
export function keepSame(before: ReadonlyMap<string, Instance>, instances: readonly Instance[]): readonly Instance[] {
  return instances.map((instance) => {
    const known = before.get(instance.id);
    return known && isDeepStrictEqual(known, instance) ? known : instance;
  });
}

function encoded(
  selector: EndpointSelector,
  called: readonly Instance[],
  doors: readonly Instance[],
  caller: Instance | null,
  before: Encoded | null,
): Omit<Made, 'from'> {
  const json = assignment(selector, { called, doors }, caller);
  try {
    const made = encode('endpoints', selector.cluster, json);
    return { encoded: made.version === before?.version ? before : made, hosts: hostsIn(json), trouble: null };
  } catch (error) {
    const trouble = enforce.cannotEncode({ instance: 'the inventory', resource: selector.cluster, reason: reasonOf(error) });
    return { encoded: null, hosts: 0, trouble };
  }
}

const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((one, index) => one === b[index]);
