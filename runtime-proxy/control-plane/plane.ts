/**
 * The control plane's one loop: what is known (objects, release, inventory, proxies) in, what each proxy is to have out. Events mark it dirty; one
 * turn at a time decides, writes to disk what it decided, and only then sends.
 */
import type { Part, SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { digestOfJson } from '../../core/lib/digest';
import {
  abortRollout,
  advance,
  assign,
  beginRollout,
  promoteRollout,
  type Observation,
  type RolloutProgress,
} from '../../core/rollout/rollout';
import type { Log } from '../../platform/log';
import type { AgentReport } from '../agent/protocol';
import type { PeerIdentity } from '../ca/spiffe';
import type { Instance, Inventory } from '../inventory';
import { Callable } from './callable';
import { calledBy, keepSame, noEndpoints, type Endpoints } from './endpoint-table';
import { bothStable, errorOf, knownOf, newEntry, noteReport, partOf, toldOf, versionOf, type Entry } from './entry';
import { knownAddresses, noAddresses } from './known-addresses';
import { paced } from './paced';
import { Leaving, leavingMs } from './leaving';
import { ProxyLink, type WriteResponse } from './proxy-link';
import { inRange, nothing, ObjectSets, ResourceMaker, type EncodedByName, type ObjectSet, type PartResources } from './resources';
import type { ResourceType } from './sequence';
import { RemoteProxies, type RemoteProxy } from './remote';
import { emptyStatus, statusOf } from './status';
import { planOf, type Live, type Seen, type Store } from './store';
import { shownConfig, targetOf } from './target';

export interface PlaneEvents {
  readonly onStatus: (status: RolloutStatus) => void;
  readonly onTurn: (seconds: number) => void;
  readonly onNack: (instance: string) => void;
}

/** What this replica is among several; alone, it decides everything. */
export interface PlaneRole {
  /** Whether it moves the roll-out on. One that does not assigns by what was decided elsewhere. */
  readonly leads: () => boolean;
  /** Proxies that are connected to other replicas. */
  readonly remote: RemoteProxies;
  /** Whether places come by themselves: what cannot be bound yet is waited for, and no reason to abort. */
  readonly settles: boolean;
}
const alone: PlaneRole = { leads: () => true, remote: new RemoteProxies(), settles: false };

/** Whether policy has a proxy at this place, and it is this one. */
const isMeant = ({ proxies }: ObjectSet, instance: Instance, who: Pick<Seen, 'workload' | 'principal'>): boolean =>
  instance.workload === who.workload && proxies.get(who.workload)?.config.spec.principal === who.principal;
const saidDigest = ({ updatedAt: _updatedAt, ...said }: RolloutStatus): string => digestOfJson(said);
const tickMs = 200;
const writePauseMs = 1_000;
/** So many resources are kept that nobody may want any more, before it is looked. */
const spare = 1_000;

export class Plane {
  readonly #entries = new Map<string, Entry>();
  readonly #maker = new ResourceMaker();
  readonly #timer: NodeJS.Timeout;
  readonly #sets = new ObjectSets((digest) => this.store.object(digest));
  readonly #callable = new Callable({
    entry: (name) => this.#entries.get(name),
    remote: (name) => this.role.remote.get(name),
    seen: () => this.store.seen(),
    inForce: () => this.#inForce,
  });
  #addresses = noAddresses;
  /** null: no inventory was ever read, and that is no reason to take anything away either. */
  #inventory: Inventory | null = null;
  #known: ReadonlyMap<string, Instance> = new Map();
  /** Those that a proxy can be. */
  #byId: ReadonlyMap<string, Instance> = new Map();
  readonly #leaving = new Leaving();
  #status: RolloutStatus;
  /** Of everything in it but its time. */
  #statusDigest: string;
  #running: Promise<void> | null = null;
  #dirty = false;
  #lastTurnMs = 0;
  #closed = false;
  /** What the last turn served by: what the store says meanwhile counts from the next turn on. */
  #current: Live | null = null;
  /** The sets that somebody may be served by in this turn. */
  #inForce: readonly ObjectSet[] = [];
  readonly #listeners = new Set<() => void>();
  /** A decision that is being written: no other one is made meanwhile. */
  #writing: Promise<void> | null = null;
  #writeAgainAt = 0;

  constructor(
    readonly environment: string,
    readonly store: Store,
    readonly log: Log,
    readonly now: () => number,
    readonly events: PlaneEvents,
    readonly role: PlaneRole = alone,
  ) {
    this.#status = emptyStatus(environment, now());
    this.#statusDigest = saidDigest(this.#status);
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  /** Calls after each turn: agents may have to look more often, or less; other replicas are told. Answers how to stop. */
  afterTurn(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
  get status(): RolloutStatus {
    return this.#status;
  }
  /** Where proxies of the sets that somebody may be served by want keys of issuers from. */
  keyAddresses(): readonly string[] {
    return [...new Set(this.#inForce.flatMap(({ keyAddresses }) => keyAddresses))].sort();
  }
  get encodedResources(): number {
    return this.#maker.size + this.#callable.size;
  }

  /** Another inventory: addresses may be bound anew, endpoints are. Nothing is compiled. */
  setInventory(inventory: Inventory): void {
    // An instance that did not change stays the same object, and what was made of it stays good.
    const instances = keepSame(this.#known, inventory.instances);
    this.#addresses = knownAddresses(this.#addresses, inventory);
    this.#inventory = { ...inventory, instances };
    this.#known = new Map(instances.map((instance) => [instance.id, instance]));
    this.#callable.setInventory(this.#inventory);
    // Endpoints of which only addresses are known have no proxy that could be waited for.
    const proxies = instances.filter(({ endpointOnly }) => endpointOnly !== true);
    const before = this.#byId;
    this.#byId = new Map(proxies.map((instance) => [instance.id, instance]));
    if (this.#leaving.note(before, this.#byId, this.now())) setTimeout(() => this.touch(), leavingMs + 1).unref();
    this.#refresh();
    this.touch();
  }

  /** A proxy connected for its configuration. A second connection of one instance takes over from the first. */
  connect(identity: PeerIdentity, envoyVersion: string | null, write: WriteResponse): ProxyLink {
    const entry = this.#entry(identity.instance);
    const link = new ProxyLink(identity, write, this.now);
    entry.link = link;
    entry.envoyVersion = envoyVersion ?? entry.envoyVersion;
    if (entry.report !== null) link.observe(entry.report);
    this.#noteSeen([identity]);
    this.#callable.doubt(identity.instance);
    this.touch();
    return link;
  }
  disconnect(link: ProxyLink): void {
    const entry = this.#entry(link.identity.instance);
    if (entry.link !== link) return;
    entry.link = null;
    this.#callable.doubt(entry.instance);
    this.touch();
  }

  /** What an agent says of its Envoy; null when its stream has ended. */
  report(identity: PeerIdentity, report: AgentReport | null): void {
    const entry = this.#entry(identity.instance);
    const serves = noteReport(entry, report);
    this.#noteSeen([identity]);
    // When it begins or ceases to serve, its callers are told: endpoints only.
    if (serves) {
      this.#callable.doubt(identity.instance);
      this.#refresh();
    }
    this.touch();
  }
  /** Whether an agent should look often. */
  isHurried(instance: string): boolean {
    const link = this.#entries.get(instance)?.link;
    return link !== null && link !== undefined && !link.isSettled();
  }
  nacked(instance: string, reason: string): void {
    this.log.error({ instance, reason }, 'a proxy rejected its configuration');
    this.events.onNack(instance);
    this.touch();
  }

  /** Puts a verified release in force. */
  async begin(signed: SignedRelease): Promise<void> {
    await this.#exclusive(async () => {
      await this.#writing;
      await this.store.setLive({ signed, progress: beginRollout(planOf(signed), this.now()) });
    });
    this.log.info({ generation: signed.release.generation, commit: signed.release.commit }, 'a release is in force');
    this.touch();
  }
  async abort(reason: string): Promise<void> {
    await this.#change((live) => abortRollout(live.progress, reason, this.now()));
  }
  async promote(): Promise<void> {
    await this.#change((live) => promoteRollout(planOf(live.signed), live.progress));
  }

  /** What an instance is to have now, as JSON, for people. */
  configOf(instance: string): unknown {
    const entry = this.#entries.get(instance);
    const target = entry?.link?.target;
    if (!entry || !target) return null;
    return shownConfig(target, instance, entry.report);
  }

  /** Marks that something changed. Many marks make one turn. */
  touch(): void {
    this.#dirty = true;
    if (this.#running !== null || this.#closed) return;
    // A turn looks at every proxy: with many of them, half of the time is left for everything else.
    this.#running = new Promise<void>((resolve) => (this.#lastTurnMs > 5 ? setTimeout(resolve, this.#lastTurnMs) : setImmediate(resolve)))
      .then(() => this.#turns())
      .catch((error: unknown) => this.log.error({ err: error }, 'a turn of the control plane failed'))
      .finally(() => {
        this.#running = null;
        if (this.#dirty && !this.#closed) setTimeout(() => this.touch(), 1).unref();
      });
  }
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#refresh.close();
    await this.#running;
    await this.#writing;
  }

  async #turns(): Promise<void> {
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      const started = performance.now();
      await this.#exclusive(async () => this.#turn());
      for (const listener of this.#listeners) listener();
      this.#lastTurnMs = performance.now() - started;
      this.events.onTurn(this.#lastTurnMs / 1000);
      if (this.#lastTurnMs > 5) break; // the rest in a turn of its own
    }
  }

  #turn(): void {
    const live = this.store.live();
    // What was candidate is stable now; nobody has anything of the new candidate.
    if (live?.signed.digest !== this.#current?.signed.digest) for (const entry of this.#entries.values()) entry.sets = bothStable;
    this.#current = null;
    // Not knowing what is in force is no reason to take anything away: proxies keep what they have until it is deployed again.
    if (this.store.isDamaged())
      return this.#publish(
        null,
        this.#observe(null),
        this.store.why?.() ?? 'the state is damaged: proxies keep what they have; deploy again',
      );
    if (live === null) {
      // Who comes with configuration had a release, which is lost here: another reason to leave it alone.
      for (const entry of this.#entries.values()) if (!entry.link?.broughtSome) this.#aim(entry, null);
      const lost = this.#links().some((link) => link.broughtSome);
      return this.#publish(
        null,
        this.#observe(null),
        lost ? 'no release is known here: proxies keep what they have; deploy again' : undefined,
      );
    }
    this.#current = live;
    const { stable, candidate } = live.signed.release;
    const inForce = (live.progress.phase.kind === 'converged' ? [candidate] : [stable, candidate]).map((set) => this.#sets.of(set));
    if (inForce.length !== this.#inForce.length || inForce.some((set, index) => set !== this.#inForce[index])) this.#callable.doubtAll();
    this.#inForce = inForce;
    if (this.#inventory === null)
      return this.#publish(live, this.#observe(live), 'the inventory cannot be read: proxies keep what they have; repair it');
    const seen = this.#observe(live);
    this.#decide(live, seen);
    this.#callable.settle();
    const assigned = assign(planOf(live.signed), live.progress, seen);
    for (const entry of this.#entries.values()) {
      entry.sets = assigned.get(entry.instance) ?? bothStable;
      this.#aim(entry, live);
    }
    this.#publish(live, this.#observe(live));
    if (live.progress.phase.kind === 'converged' || live.progress.phase.kind === 'aborted') this.#prune();
  }

  /** Moves the roll-out on: what is decided is written, and counts from the turn after that; nobody hears of it before. */
  #decide(live: Live, seen: readonly Observation[]): void {
    if (!this.role.leads() || this.#writing !== null || this.now() < this.#writeAgainAt) return;
    const plan = planOf(live.signed);
    let { progress } = live;
    for (;;) {
      const next = advance(plan, progress, seen, this.now());
      if (next === progress) break;
      progress = next;
    }
    if (progress === live.progress) return;
    this.#writing = this.store
      .setLive({ ...live, progress })
      .then(
        () => this.log.info({ generation: live.signed.release.generation, phase: progress.phase }, 'the roll-out moved'),
        (error: unknown) => {
          this.#writeAgainAt = this.now() + writePauseMs;
          this.log.error({ err: error }, 'a decision could not be written: nothing is done because of it');
        },
      )
      .finally(() => {
        this.#writing = null;
        this.touch();
      });
  }

  /** Everything known of every instance that counts: connected, in the inventory, or seen and not lapsed. */
  #observe(live: Live | null): readonly Observation[] {
    const { remote } = this.role;
    const names = new Set([...this.#entries.keys(), ...this.#byId.keys(), ...this.store.seen().keys(), ...remote.instances()]);
    const [stable, candidate] = [this.#sets.of(live?.signed.release.stable ?? {}), this.#sets.of(live?.signed.release.candidate ?? {})];
    const result: Observation[] = [];
    for (const name of [...names].sort()) {
      const entry = this.#entry(name);
      const seen = this.store.seen().get(name);
      const instance = this.#byId.get(name);
      const away = entry.link === null ? remote.get(name) : undefined;
      const presence = entry.link !== null || away ? 'connected' : seen && seen.notAfter > this.now() ? 'unknown' : 'absent';
      const workload = entry.link?.identity.workload ?? away?.workload ?? seen?.workload ?? instance?.workload;
      if (workload === undefined || (presence === 'absent' && !instance)) continue;
      const who = entry.link?.identity ?? away ?? seen;
      entry.concerned = live?.progress.phase.kind === 'converged' ? entry.concerned : this.#concern(instance, who, stable, candidate);
      const part = (which: Part): Observation['parts'][Part] => partOf(entry, which, this.role.settles, away, live?.signed.digest ?? null);
      result.push({
        instance: name,
        identity: `${seen?.principal ?? workload}/${name}`,
        proxy: (candidate.proxies.get(workload) ?? stable.proxies.get(workload))?.name ?? workload,
        presence,
        parts: { inbound: part('inbound'), outbound: part('outbound') },
        lastError: away ? away.lastError : errorOf(entry),
      });
    }
    return result;
  }

  /** Who proves to be somebody else than policy has it there gets nothing from either set: it holds nothing up, and its refusal is nobody's business. */
  #concern(
    instance: Instance | undefined,
    who: Pick<Seen, 'workload' | 'principal'> | undefined,
    stable: ObjectSet,
    candidate: ObjectSet,
  ): { readonly [part in Part]: boolean } {
    if (!instance) return { inbound: false, outbound: false };
    const differs = (part: Part): boolean => {
      const after: Diagnostic[] = [];
      const made = (set: ObjectSet, into: Diagnostic[]): PartResources =>
        who === undefined || isMeant(set, instance, who) ? this.#maker.part(set, part, instance, into, this.#addresses) : nothing;
      const [old, next] = [made(stable, []), made(candidate, after)];
      return old.key !== next.key || after.length > 0;
    };
    return { inbound: differs('inbound'), outbound: differs('outbound') };
  }

  /** Aims a link at what its instance is to have. What cannot be served is said, and the proxy keeps what it has. */
  #aim(entry: Entry, live: Live | null): void {
    const { link } = entry;
    if (link === null) return;
    const instance = this.#placeOf(link.identity.instance);
    const into: Diagnostic[] = [];
    const { release } = live?.signed ?? {};
    const setOf = (part: Part): ObjectSet =>
      this.#sets.of(release?.[live?.progress.phase.kind === 'converged' ? 'candidate' : entry.sets[part]] ?? {});
    const resources = (part: Part): PartResources => {
      const set = setOf(part);
      const config = set.proxies.get(link.identity.workload)?.config;
      // No policy, no place in the inventory, or another identity than policy says: deny all, which is to listen on nothing.
      if (!config || !instance || !isMeant(set, instance, link.identity)) return nothing;
      const version = versionOf(entry);
      if (version && !inRange(version, config.spec.envoyRange)) {
        into.push(enforce.envoyOutOfRange({ instance: instance.id, version, ...config.spec.envoyRange }));
        return nothing;
      }
      return this.#maker.part(set, part, instance, into, this.#addresses);
    };
    const [inbound, outbound] = [resources('inbound'), resources('outbound')];
    entry.trouble = into[0] ?? null;
    entry.unconfigured = inbound === nothing && outbound === nothing && into.length === 0;
    if (into.length > 0) return;
    entry.selectors = [...inbound.selectors, ...outbound.selectors];
    const endpoints = this.#endpointsOf(entry);
    // Most turns are about others: who is aimed at this already is left alone.
    const from = [link, live?.signed, inbound, outbound, entry.sets.inbound, entry.sets.outbound] as const;
    if (endpoints === link.target?.endpoints && from.every((one, index) => one === entry.aimed[index])) return;
    entry.aimed = from;
    link.aim(
      targetOf({ parts: { inbound, outbound }, sets: entry.sets, endpoints, other: (type) => this.#everySet(live, link.identity, type) }),
    );
  }

  /** Where a proxy is, or was a moment ago. */
  #placeOf(name: string): Instance | undefined {
    return this.#byId.get(name) ?? this.#leaving.of(name, this.now());
  }

  /** What an entry's proxy is to call. */
  #endpointsOf(entry: Entry): Endpoints {
    const unsaid: Diagnostic[] = [];
    const before = entry.link?.target?.endpoints ?? noEndpoints;
    const made = this.#callable.of(entry.selectors, this.#placeOf(entry.instance) ?? null, before, unsaid);
    for (const { code, message } of unsaid)
      if (!entry.endpointTrouble.some((known) => known.message === message))
        this.log.error({ code, instance: entry.instance }, `${message}: its last endpoints stay`);
    entry.endpointTrouble = unsaid;
    return made;
  }

  /** Of a type, what an instance gets by either set of the release; the stable one's where they differ. */
  #everySet(live: Live | null, { instance: name }: PeerIdentity, type: ResourceType): EncodedByName {
    const instance = this.#placeOf(name);
    if (live === null || !instance || type === 'endpoints') return new Map();
    const { stable, candidate } = live.signed.release;
    const made = [candidate, stable].flatMap((set) => [
      this.#maker.part(this.#sets.of(set), 'inbound', instance, [], this.#addresses),
      this.#maker.part(this.#sets.of(set), 'outbound', instance, [], this.#addresses),
    ]);
    return new Map(made.flatMap((part) => [...part[type]]));
  }

  /** The fast path: only endpoints, by the selectors that a proxy has already, and only to those whose endpoints are others now. */
  readonly #refresh = paced(() => {
    const changed = this.#callable.settle();
    if (this.#current === null || changed.size === 0) return;
    for (const entry of this.#entries.values()) {
      const { link, selectors } = entry;
      if (!link?.target || ![...calledBy(selectors)].some((workload) => changed.has(workload))) continue;
      const endpoints = this.#endpointsOf(entry);
      if (endpoints !== link.target.endpoints) link.aimEndpoints(endpoints);
    }
  });

  #publish(live: Live | null, observations: readonly Observation[], message?: string): void {
    const known = observations.map((observation) => {
      const { instance } = observation;
      const entry = this.#entry(instance);
      const away = entry.link === null ? this.role.remote.get(instance) : undefined;
      return knownOf(entry, observation, away, this.store.seen().get(instance), this.#byId.get(instance));
    });
    const made = statusOf(this.environment, live, known, this.now());
    const next = message === undefined ? made : { ...made, message };
    const digest = saidDigest(next);
    if (digest === this.#statusDigest) return;
    [this.#status, this.#statusDigest] = [next, digest];
    this.events.onStatus(next);
  }

  #prune(): void {
    this.#callable.prune(() => this.#links().flatMap((link) => [...(link.target?.endpoints.resources.values() ?? [])]));
    if (this.#maker.size > spare) {
      const held = this.#links().flatMap((link) => Object.entries(link.target?.resources ?? {}));
      const wanted = new Set(held.flatMap(([type, of]) => [...of.values()].map(({ name, version }) => `${type}/${name}/${version}`)));
      if (this.#maker.size > 2 * wanted.size + spare) this.#maker.prune(wanted);
    }
    // Instances come and go: what is known of one that nobody knows any more is forgotten.
    let forgotten = false;
    for (const [name, { link, report }] of this.#entries)
      if (link === null && report === null && !this.#byId.has(name) && !this.store.seen().has(name))
        forgotten = this.#entries.delete(name) || forgotten;
    if (forgotten) for (const set of this.#sets.all()) this.#maker.forget(set, this.#byId);
  }

  #noteSeen(proven: readonly PeerIdentity[]): void {
    const known = this.store.seen();
    const news = proven.filter(({ instance, workload, principal, notAfter }) => {
      const before = known.get(instance);
      return !(before && before.notAfter >= notAfter && before.workload === workload && before.principal === principal);
    });
    if (news.length === 0) return;
    const next = new Map<string, Seen>([...known].filter(([, seen]) => seen.notAfter > this.now()));
    for (const { instance, workload, principal, notAfter } of news) next.set(instance, { workload, principal, notAfter });
    void this.store.setSeen(next).catch((error: unknown) => this.log.error({ err: error }, 'cannot write whom it has seen'));
  }

  #tick(): void {
    for (const link of this.#links()) link.push();
    const phase = this.store.live()?.progress.phase.kind;
    if (phase === 'rolling' || phase === 'holding' || phase === 'unproven') this.touch();
    else if ([...this.#entries.values()].some((entry) => entry.link !== null && !entry.link.isSettled())) this.touch();
  }
  /** The proxies that are connected here, for the other replicas. */
  local(): readonly RemoteProxy[] {
    const release = this.#current?.signed.digest ?? null;
    return [...this.#entries.values()].flatMap((entry) => toldOf(entry, release, this.role.settles) ?? []);
  }
  /** Others were told, or heard, something about proxies that are not connected here. */
  remoteChanged(heard: readonly RemoteProxy[], servingChanged: boolean): void {
    this.#noteSeen(heard);
    for (const { instance } of heard) this.#callable.doubt(instance);
    if (servingChanged) {
      this.#callable.doubtAll(); // whoever is gone is not among those heard of
      this.#refresh();
    }
    this.touch();
  }
  #entry(instance: string): Entry {
    let entry = this.#entries.get(instance);
    if (!entry) {
      entry = newEntry(instance);
      this.#entries.set(instance, entry);
    }
    return entry;
  }
  #links(): readonly ProxyLink[] {
    return [...this.#entries.values()].flatMap((entry) => entry.link ?? []);
  }

  #lock: Promise<unknown> = Promise.resolve();
  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#lock.then(run);
    this.#lock = done.catch(() => undefined);
    return done;
  }
  async #change(make: (live: Live) => RolloutProgress): Promise<void> {
    await this.#exclusive(async () => {
      await this.#writing;
      const live = this.store.live();
      if (live === null) return;
      const progress = make(live);
      if (progress !== live.progress) await this.store.setLive({ ...live, progress });
    });
    this.touch();
  }
}
