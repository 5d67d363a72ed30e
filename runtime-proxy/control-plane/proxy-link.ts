/** One connected proxy: what it is to have, what it is known to have, what was sent, and how far each part of it came. Driven by events; sends through `write`. */
import { randomUUID } from 'node:crypto';
import type { Part } from '../../core/bundle/objects';
import type { ProxyPhase } from '../../core/bundle/status';
import { canonicalJson } from '../../core/lib/json';
import type { SetName } from '../../core/rollout/rollout';
import type { AgentReport } from '../agent/protocol';
import type { PeerIdentity } from '../ca/spiffe';
import type { Endpoints } from './endpoint-table';
import type { Encoded, EncodedByName } from './resources';
import { issuersAsked, issuersRead } from './readers';
import {
  freshState,
  isAcked,
  nextResponses,
  isWhole,
  noteAnswer,
  noteFound,
  noteSent,
  noteSubscription,
  resourceTypes,
  type ProxyState,
  type ResourceType,
  type Shown,
  type ToSend,
  type Versions,
  type Wanted,
} from './sequence';

/** What one proxy is to have: everything, and which names belong to which part. */
export interface Target {
  /** Equal keys, equal content (endpoints apart). */
  readonly key: string;
  readonly sets: { readonly [part in Part]: SetName };
  readonly resources: { readonly [type in ResourceType]: EncodedByName };
  readonly names: { readonly [part in Part]: { readonly [type in ResourceType]: ReadonlySet<string> } };
  /** What may have been its own before, in the other set: how to say it again to who has it still. */
  readonly other: (type: ResourceType) => EncodedByName;
  readonly endpoints: Endpoints;
}
export interface SentResponse {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly added: readonly Encoded[];
  readonly removed: readonly string[];
}
export interface Subscription {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What it has of an earlier connection, by version, none for what nobody vouches for; `unknown`: something, and nobody says what. */
  readonly brings: ReadonlyMap<string, string> | 'unknown';
}
export type WriteResponse = (response: SentResponse) => void;

/** Without an agent to ask, what was acknowledged counts as live after this. */
const graceMs = 2_000;

export class ProxyLink {
  responses = 0;
  lastError: string | null = null;
  /** It came with configuration of an earlier connection. */
  broughtSome = false;
  #ownState: ProxyState = freshState;
  #ownTarget: Target | null = null;
  #ownReport: AgentReport | null = null;
  /** Asked in every turn about every proxy: as it was found, until something of the three changes. */
  #phases: { [part in Part]?: ProxyPhase } = {};
  #lastEvent: number;
  /** Types of which it has something of an earlier connection, and could not say what: its agent can. */
  readonly #unknown = new Set<ResourceType>();
  /** Responses that were refused since the target last changed, and are not tried again until it does. */
  readonly #refused = new Set<string>();
  readonly #rejectedNames = new Set<string>();
  /** As they were sent last. */
  readonly #listeners = new Map<string, Encoded>();
  /** Issuers that listeners read now and did not before, while connections may still be served by what they were. */
  readonly #newIssuers = new Set<string>();

  constructor(
    readonly identity: PeerIdentity,
    readonly write: WriteResponse,
    readonly now: () => number,
  ) {
    this.#lastEvent = now();
  }

  get #state(): ProxyState {
    return this.#ownState;
  }
  set #state(state: ProxyState) {
    this.#ownState = state;
    this.#phases = {};
  }
  get #target(): Target | null {
    return this.#ownTarget;
  }
  set #target(target: Target | null) {
    this.#ownTarget = target;
    this.#phases = {};
  }
  get #report(): AgentReport | null {
    return this.#ownReport;
  }
  set #report(report: AgentReport | null) {
    this.#ownReport = report;
    this.#phases = {};
  }

  get target(): Target | null {
    return this.#target;
  }
  get report(): AgentReport | null {
    return this.#report;
  }

  /** Gives it another target. The same content is no change; other endpoints are, and are sent at once. */
  aim(target: Target): void {
    const changed = this.#target?.key !== target.key;
    this.#target = target;
    if (changed) {
      this.#refused.clear();
      this.#rejectedNames.clear();
      this.#phases = {};
      this.#lastEvent = this.now();
    }
    this.push();
  }

  /** Gives it other endpoints of the same clusters. */
  aimEndpoints(endpoints: Endpoints): void {
    if (this.#target === null) return;
    this.#target = { ...this.#target, endpoints, resources: { ...this.#target.resources, endpoints: endpoints.resources } };
    this.push();
  }

  subscribe(type: ResourceType, { subscribe, unsubscribe, brings }: Subscription): void {
    if (this.#state[type].opened && subscribe.length === 0 && unsubscribe.length === 0) return;
    const unknown = brings === 'unknown';
    if (unknown && isWhole(type)) this.#unknown.add(type);
    this.broughtSome ||= unknown || brings.size > 0;
    this.#state = noteSubscription(this.#state, type, subscribe, unsubscribe, unknown ? new Map() : brings);
    this.push();
  }

  /** What it is seen to have of a type, by its agent: in bytes that are known here, else by name and version. */
  found(type: ResourceType): readonly (Encoded | { readonly name: string; readonly version: string; readonly any: null })[] {
    const [target, report] = [this.#target, this.#report];
    if (target === null || report === null || (type !== 'clusters' && type !== 'listeners')) return [];
    const [wanted, other] = [target.resources[type], target.other(type)];
    return Object.entries(report.activity[type]).map(
      ([name, version]) => other.get(name) ?? wanted.get(name) ?? { name, version, any: null },
    );
  }

  /** Who comes back without saying with what is asked about first: what it has must not be taken for nothing. */
  #isKnown(): boolean {
    if (this.#unknown.size === 0) return true;
    const report = this.#report;
    if (report === null && this.now() - this.#lastEvent < graceMs) return false;
    for (const type of this.#unknown)
      if (report !== null && (type === 'clusters' || type === 'listeners'))
        this.#state = noteFound(this.#state, type, Object.keys(report.activity[type]));
    this.#unknown.clear();
    return true;
  }

  /** An ACK, or a NACK with its reason. Answers whether a response to the current target was rejected. */
  answer(type: ResourceType, nonce: string, error: string | null): boolean {
    const { inFlight } = this.#state[type];
    if (inFlight === null || inFlight.nonce !== nonce) return false;
    this.#state = noteAnswer(this.#state, type, nonce, error === null);
    this.#lastEvent = this.now();
    if (error !== null) {
      this.lastError = error;
      this.#refused.add(fingerprint({ type, added: inFlight.added, removed: inFlight.removed }));
      for (const name of [...inFlight.added.keys(), ...inFlight.removed]) this.#rejectedNames.add(`${type}/${name}`);
      this.#phases = {};
      return true;
    }
    this.push();
    return false;
  }

  observe(report: AgentReport | null): void {
    this.#report = report;
    this.push();
  }

  /** Sends what may be sent now. Call also now and then: without an agent, time moves things on. */
  push(): void {
    const target = this.#target;
    if (target === null || !this.#isKnown()) return;
    const wanted = wantedOf(target);
    for (let turn = 0; turn < 16; turn += 1) {
      const shown = this.#shown(wanted);
      if (shown.quiet) this.#newIssuers.clear();
      const send = nextResponses(this.#state, wanted, shown).filter((one) => !this.#refused.has(fingerprint(one)));
      if (send.length === 0) return;
      for (const one of send) {
        const nonce = randomUUID();
        const before = one.type === 'listeners' ? this.#listenersBefore(one) : new Map<string, Encoded | null>();
        this.#state = noteSent(this.#state, one, nonce);
        this.#lastEvent = this.now();
        this.responses += 1;
        const added = [...one.added.keys()].flatMap((name) => target.resources[one.type].get(name) ?? []);
        if (one.type === 'listeners') this.#noteListeners(added, before);
        this.write({ type: one.type, nonce, added, removed: one.removed });
      }
    }
  }

  /** How far a part came. */
  phase(part: Part): ProxyPhase {
    return (this.#phases[part] ??= this.#findPhase(part));
  }
  #findPhase(part: Part): ProxyPhase {
    const target = this.#target;
    if (target === null) return 'none';
    for (const type of resourceTypes)
      for (const name of target.names[part][type]) if (this.#rejectedNames.has(`${type}/${name}`)) return 'rejected';
    // A removal or a listener that Envoy refuses concerns both parts: it has no name in the target.
    if (this.#rejectedNames.size > 0 && ![...this.#rejectedNames].some((name) => this.#isNamed(name))) return 'rejected';
    const wanted = wantedOf(target, part);
    if (!isAcked(this.#state, wanted, true)) return this.responses > 0 ? 'sent' : 'none';
    if (!isAcked(this.#state, wantedOf(target))) return 'acked';
    return this.#isActive(part) ? 'active' : 'acked';
  }

  /** Whether everything is active: nothing to hurry for. */
  isSettled(): boolean {
    return this.phase('inbound') === 'active' && this.phase('outbound') === 'active';
  }

  #isNamed(name: string): boolean {
    const [type, ...rest] = name.split('/');
    const known = resourceTypes.find((one) => one === type);
    return known !== undefined && (this.#target?.resources[known].has(rest.join('/')) ?? false);
  }

  #isActive(part: Part): boolean {
    const [report, target] = [this.#report, this.#target];
    if (report === null || target === null || !report.live) return false;
    const { activity } = report;
    if (activity.warming > 0 || activity.draining > 0) return false;
    for (const type of ['listeners', 'routes', 'clusters'] as const) {
      for (const name of target.names[part][type]) if (activity[type][name] !== target.resources[type].get(name)?.version) return false;
      if (type === 'routes') continue;
      for (const name of Object.keys(activity[type])) if (!target.resources[type].has(name)) return false; // an old one still serves
    }
    for (const cluster of target.names[part].endpoints)
      if ((target.endpoints.hosts.get(cluster) ?? 0) > 0 && (activity.hosts[cluster] ?? 0) === 0) return false;
    return true;
  }

  /** Whether a listener has gone and its successor, at the same address, is not there yet: until it is, the kernel keeps who comes. */
  isReplaced(name: string): boolean {
    const [before, target, report] = [this.#listeners.get(name), this.#target, this.#report];
    if (!before || target === null || report === null) return false;
    return [...target.resources.listeners.values()].some(
      (one) => one.name !== name && addressOf(one) === addressOf(before) && report.activity.listeners[one.name] === undefined,
    );
  }

  /** Listeners that are to be where others are that are to go. */
  #successors(): ReadonlyMap<string, string> {
    const target = this.#target;
    const old = target ? [...this.#state.listeners.held.keys()].filter((name) => !target.resources.listeners.has(name)) : [];
    if (target === null || old.length === 0) return new Map();
    const known = target.other('listeners');
    const at = new Map(old.flatMap((name) => [[addressOf(this.#listeners.get(name) ?? known.get(name)), name] as const]));
    return new Map(
      [...target.resources.listeners.values()].flatMap((one) => {
        const before = at.get(addressOf(one));
        return before === undefined ? [] : [[one.name, before] as const];
      }),
    );
  }

  /** What a listener is that it is known to have; null: something that nobody knows; undefined: nothing. */
  #heldListener(name: string): Encoded | null | undefined {
    const held = this.#state.listeners.held.get(name);
    if (held === undefined) return undefined;
    return [this.#listeners.get(name), this.#target?.other('listeners').get(name)].find((one) => one?.version === held.version) ?? null;
  }

  /** By the name of a listener that is about to be sent: what is at its address until then, where there is something. */
  #listenersBefore({ added }: ToSend): ReadonlyMap<string, Encoded | null> {
    const successors = this.#successors();
    return new Map(
      [...added.keys()].flatMap((name) => {
        const before = this.#heldListener(successors.get(name) ?? name);
        return before === undefined ? [] : [[name, before] as const];
      }),
    );
  }
  #noteListeners(added: readonly Encoded[], before: ReadonlyMap<string, Encoded | null>): void {
    for (const listener of added) {
      this.#listeners.set(listener.name, listener);
      const old = before.get(listener.name);
      if (old === undefined) continue;
      for (const issuer of issuersRead(listener)) if (old === null || !issuersRead(old).has(issuer)) this.#newIssuers.add(issuer);
    }
  }

  /**
   * Which routes ask for users whom listeners that may still serve do not know, and which listeners find out less than they did. Routes that ask for others do
   * not wait: what they take away is taken away at once.
   */
  #readers(): Pick<Shown, 'dependent' | 'patient'> {
    const target = this.#target;
    const dependent = new Set<string>();
    const patient = new Set<string>();
    if (this.#newIssuers.size > 0)
      for (const route of target?.resources.routes.values() ?? [])
        if ([...issuersAsked(route)].some((issuer) => this.#newIssuers.has(issuer))) dependent.add(route.name);
    for (const listener of target?.resources.listeners.values() ?? []) {
      const before = this.#heldListener(listener.name);
      if (before === undefined || before?.version === listener.version) continue;
      const [old, next] = [before ? issuersRead(before) : new Set<string>(), issuersRead(listener)];
      if ([...old].some((name) => !next.has(name)) && [...next].every((name) => old.has(name))) patient.add(listener.name);
    }
    return { dependent, patient };
  }

  #shown(wanted: Wanted): Shown {
    const report = this.#report;
    if (report === null) {
      const waited = this.now() - this.#lastEvent >= graceMs;
      // The first configuration cannot break anything: it need not wait.
      const first = this.#state.listeners.held.size === 0;
      return {
        settled: waited || first,
        drained: waited,
        leaving: new Set(),
        successors: this.#successors(),
        quiet: waited,
        ...this.#readers(),
      };
    }
    const { activity } = report;
    const has = (type: 'clusters' | 'listeners', versions: Versions): boolean =>
      [...versions].every(([name, version]) => activity[type][name] === version);
    const settled = has('clusters', wanted.clusters);
    const oldListeners = Object.keys(activity.listeners).some((name) => !wanted.listeners.has(name));
    const oldRoutes = [...wanted.routes].some(
      ([name, version]) => activity.routes[name] !== undefined && activity.routes[name] !== version,
    );
    // A name that nothing is held of and that is still there was removed a moment ago. One that is changed in place keeps its socket.
    const { held } = this.#state.listeners;
    const leaving = new Set([...activity.drainingListeners, ...Object.keys(activity.listeners)].filter((name) => !held.has(name)));
    const readers = this.#readers();
    return {
      settled,
      leaving,
      successors: this.#successors(),
      ...readers,
      quiet: has('listeners', new Map([...wanted.listeners].filter(([name]) => !readers.patient.has(name)))) && activity.draining === 0,
      drained: settled && has('listeners', wanted.listeners) && activity.draining === 0 && !oldListeners && !oldRoutes,
    };
  }
}

function wantedOf(target: Target, part?: Part): Wanted {
  const of = (type: ResourceType): Versions => {
    const all = versionsOf(target.resources[type]);
    return part === undefined ? all : new Map([...all].filter(([name]) => target.names[part][type].has(name)));
  };
  return { clusters: of('clusters'), endpoints: of('endpoints'), listeners: of('listeners'), routes: of('routes') };
}

const versions = new WeakMap<EncodedByName, Versions>();
/** Asked at every event, of resources that seldom change. */
function versionsOf(resources: EncodedByName): Versions {
  let known = versions.get(resources);
  if (!known) versions.set(resources, (known = new Map([...resources].map(([name, { version }]) => [name, version]))));
  return known;
}

/** Where a listener listens; what listens nowhere that is known is alone there. */
const addressOf = (listener: Encoded | undefined): string | symbol =>
  listener ? canonicalJson(listener.json['address'] ?? listener.name) : Symbol('nowhere');

const fingerprint = ({ type, added, removed }: ToSend): string =>
  `${type} ${[...added]
    .map(([name, version]) => `${name}=${version}`)
    .sort()
    .join()} ${[...removed].sort().join()}`;
