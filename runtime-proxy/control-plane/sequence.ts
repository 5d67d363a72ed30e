/**
 * What to send one proxy next: pure, over what it is to have, what it is known to have, and what is on its way.
 *
 * Order, so that a change never answers 404 or 503 (make before break): clusters, their endpoints, and once those are live listeners, then
 * routes; what is no longer wanted goes in the reverse order after that. One response of a type at a time, and never additions and removals in one,
 * but for a listener that comes to where another one goes.
 */
export type ResourceType = 'clusters' | 'endpoints' | 'listeners' | 'routes';
export const resourceTypes: readonly ResourceType[] = ['clusters', 'endpoints', 'listeners', 'routes'];
/** Types of which a proxy is told what is gone. Endpoints and routes go with the cluster or listener that they belong to. */
export const isWhole = (type: ResourceType): boolean => type === 'clusters' || type === 'listeners';

/** Resource name -> version, which is the hash of its bytes. */
export type Versions = ReadonlyMap<string, string>;
export type Wanted = { readonly [type in ResourceType]: Versions };

/** What a proxy has of one name. `version` null: nothing. Not `sure`: a response about it was rejected, so it may have either (a NACK is partial application). */
export interface Held {
  readonly version: string | null;
  readonly sure: boolean;
}
export interface InFlight {
  readonly nonce: string;
  readonly added: Versions;
  readonly removed: readonly string[];
}
export interface TypeState {
  /** Names asked for; null: all (wildcard, what Envoy does for clusters and listeners). */
  readonly subscribed: ReadonlySet<string> | null;
  /** Whether the type was asked for at all, and whether the first answer was given: Envoy waits for one, be it empty. */
  readonly opened: boolean;
  readonly answered: boolean;
  readonly held: ReadonlyMap<string, Held>;
  readonly inFlight: InFlight | null;
}
export type ProxyState = { readonly [type in ResourceType]: TypeState };

export const closedType: TypeState = { subscribed: null, opened: false, answered: false, held: new Map(), inFlight: null };
export const freshState: ProxyState = { clusters: closedType, endpoints: closedType, listeners: closedType, routes: closedType };

export interface ToSend {
  readonly type: ResourceType;
  readonly added: Versions;
  readonly removed: readonly string[];
}
/** What the proxy's own admin interface has shown. */
export interface Shown {
  /** All clusters wanted are live. */
  readonly settled: boolean;
  /** No old listener serves any more. */
  readonly drained: boolean;
  /** Listeners that were removed and whose address may not be free yet: to bring one of them back at once would fail to bind. */
  readonly leaving: ReadonlySet<string>;
  /** Listener wanted -> listener that has its address now, and is not wanted. */
  readonly successors: ReadonlyMap<string, string>;
  /** Listeners are as wanted, and nothing is left of what they were: no connection is served by older filters. */
  readonly quiet: boolean;
  /** Routes that ask for what older filters do not find out: where one is changed, it waits until it is quiet. Any other is changed at once, whatever drains. */
  readonly dependent: ReadonlySet<string>;
  /** Listeners that lose what routes read of them, and no more: they wait until the routes are the new ones. */
  readonly patient: ReadonlySet<string>;
}

/** The responses that may be sent now. */
export function nextResponses(state: ProxyState, wanted: Wanted, shown: Shown): readonly ToSend[] {
  const send: ToSend[] = [];
  const add = (type: ResourceType, waits: (name: string) => boolean = () => false): boolean => {
    const { opened, answered, inFlight } = state[type];
    if (!opened || inFlight !== null) return false;
    const all = changed(state[type], wanted[type]);
    const added = new Map([...all].filter(([name]) => !waits(name)));
    if (added.size === 0 && answered) return true;
    // The first answer of a wildcard type may be empty; for types asked by name Envoy waits for the names.
    if (added.size === 0 && state[type].subscribed !== null) return true;
    send.push({ type, added, removed: [] });
    return false;
  };
  const remove = (type: ResourceType): boolean => {
    const { opened, inFlight } = state[type];
    if (!opened || inFlight !== null) return false;
    const removed = extra(state, wanted, type);
    if (removed.length > 0) send.push({ type, added: new Map(), removed });
    return removed.length === 0;
  };
  const clusters = add('clusters');
  const endpoints = add('endpoints') || !state.endpoints.opened;
  // Names asked for that are not there are said not to be there, else Envoy waits for them.
  if (state.endpoints.inFlight === null && !send.some((one) => one.type === 'endpoints')) remove('endpoints');
  if (!clusters || !endpoints || !shown.settled || !isFilled(state, wanted)) return send;
  if ([...changed(state.listeners, wanted.listeners).keys()].some((name) => shown.leaving.has(name))) return send;
  const routesLeft = state.routes.opened && changed(state.routes, wanted.routes).size > 0;
  const listeners = add('listeners', (name) => routesLeft && shown.patient.has(name));
  if (!listeners) return send.map((one) => (one.type === 'listeners' ? withPredecessors(one, state, shown) : one));
  // a route that a listener waits for to come up is new, and is not held back
  const routes =
    add('routes', (name) => !shown.quiet && shown.dependent.has(name) && state.routes.held.get(name)?.sure === true) ||
    !state.routes.opened;
  if (!routes || routesLeft || send.length > 0 || !isRouted(state, wanted)) return send;
  if (!remove('listeners')) return send;
  if (state.routes.opened && !remove('routes')) return send;
  if (shown.drained) remove('clusters');
  return send;
}

/**
 * The one case in which additions and removals share a response: of two listeners at one address Envoy refuses the second, and of one that goes and one that
 * comes at once the second takes over the socket of the first.
 */
function withPredecessors(send: ToSend, state: ProxyState, { successors }: Shown): ToSend {
  const removed = [...send.added.keys()].flatMap((name) => successors.get(name) ?? []).filter((name) => state.listeners.held.has(name));
  return { ...send, removed: [...new Set(removed)].sort() };
}

/**
 * Whether every cluster got its endpoints: also those that the proxy has not asked for yet, which it does once it has the cluster. Who asks for clusters by
 * name looks for what it needs by itself.
 */
const isFilled = (state: ProxyState, wanted: Wanted): boolean => hasAll(state.clusters, state.endpoints, wanted.endpoints);
/** The same of listeners and routes: before its routes are known to be the new ones, nothing that the old ones go to is taken away. */
const isRouted = (state: ProxyState, wanted: Wanted): boolean => hasAll(state.listeners, state.routes, wanted.routes);
const hasAll = (by: TypeState, own: TypeState, wanted: Versions): boolean =>
  by.subscribed !== null || [...wanted.keys()].every((name) => own.held.get(name)?.sure === true);

/** Notes that a response is on its way. A cluster sent anew is warmed anew, and Envoy does not ask again for its endpoints: they must follow. */
export function noteSent(state: ProxyState, { type, added, removed }: ToSend, nonce: string): ProxyState {
  const next = { ...state, [type]: { ...state[type], answered: true, inFlight: { nonce, added, removed } } };
  if (type !== 'clusters') return next;
  const held = new Map(state.endpoints.held);
  for (const name of added.keys()) held.delete(name);
  // Endpoints that are on their way get there first: they are the old cluster's, whatever the answer to them says.
  const { inFlight } = state.endpoints;
  const late = inFlight && { ...inFlight, added: new Map([...inFlight.added].filter(([name]) => !added.has(name))) };
  return { ...next, endpoints: { ...state.endpoints, held, inFlight: late } };
}

/** An ACK or NACK. One of another nonce than the last is stale and changes nothing. */
export function noteAnswer(state: ProxyState, type: ResourceType, nonce: string, accepted: boolean): ProxyState {
  const own = state[type];
  if (own.inFlight === null || own.inFlight.nonce !== nonce) return state;
  const held = new Map(own.held);
  for (const [name, version] of own.inFlight.added) held.set(name, { version, sure: accepted });
  for (const name of own.inFlight.removed) {
    if (accepted) held.delete(name);
    else held.set(name, { version: null, sure: false });
  }
  return { ...state, [type]: { ...own, held, inFlight: null } };
}

/**
 * A subscription. A name asked for again is sent again: Envoy has dropped it. `initial` is what it brings from an earlier connection, by version; none for what
 * nobody vouches for, which is sent again: equal bytes are no change to Envoy.
 */
export function noteSubscription(
  state: ProxyState,
  type: ResourceType,
  subscribe: readonly string[],
  unsubscribe: readonly string[],
  initial: ReadonlyMap<string, string>,
): ProxyState {
  const own = state[type];
  const held = new Map(own.held);
  const first = !own.opened;
  if (first)
    for (const [name, version] of initial) held.set(name, version === '' ? { version: null, sure: false } : { version, sure: true });
  const wildcard = subscribe.includes('*') || (!own.opened && subscribe.length === 0);
  let subscribed: Set<string> | null = own.opened
    ? own.subscribed === null
      ? null
      : new Set(own.subscribed)
    : wildcard
      ? null
      : new Set();
  if (wildcard) subscribed = null;
  for (const name of subscribe) {
    if (name === '*') continue;
    subscribed?.add(name);
    if (first && held.get(name)?.sure) continue;
    held.delete(name);
    if (subscribed !== null) held.set(name, { version: null, sure: false });
  }
  for (const name of unsubscribe) {
    subscribed?.delete(name);
    held.delete(name);
  }
  // Who brings something was answered on an earlier connection.
  const answered = own.answered || (first && initial.size > 0);
  return { ...state, [type]: { ...own, opened: true, answered, subscribed, held } };
}

/** What a proxy was found to have that came back without saying so: it may be any version. */
export function noteFound(state: ProxyState, type: ResourceType, names: readonly string[]): ProxyState {
  const held = new Map(state[type].held);
  for (const name of names) if (!held.has(name)) held.set(name, { version: null, sure: false });
  return { ...state, [type]: { ...state[type], held } };
}

/** Whether everything wanted was acknowledged, and (unless `additionsOnly`) nothing unwanted is held. */
export function isAcked(state: ProxyState, wanted: Wanted, additionsOnly = false): boolean {
  return resourceTypes.every((type) => {
    const own = state[type];
    // Endpoints and routes are asked for once there is something to ask for them by.
    if (!own.opened) return wanted[type].size === 0 || type === 'endpoints' || type === 'routes';
    if (changed(own, wanted[type]).size > 0) return false;
    return additionsOnly || (own.inFlight === null && extra(state, wanted, type).length === 0);
  });
}

/** Wanted names (of those asked for) that the proxy does not surely have in the wanted version. */
function changed(own: TypeState, wanted: Versions): Versions {
  const result = new Map<string, string>();
  for (const [name, version] of wanted) {
    if (own.subscribed !== null && !own.subscribed.has(name)) continue;
    const held = own.held.get(name);
    if (held === undefined || !held.sure || held.version !== version) result.set(name, version);
  }
  return result;
}

/**
 * Names that the proxy must be told are gone. Of clusters and listeners all that it has, or may have, and is not to have. Of endpoints and routes only what
 * it waits for and will not get: what it has goes when Envoy, having lost the cluster or listener it belongs to, unsubscribes.
 */
function extra(state: ProxyState, wanted: Wanted, type: ResourceType): readonly string[] {
  const { held: all, subscribed } = state[type];
  const gone = [...all].filter(
    ([name, held]) => !wanted[type].has(name) && (isWhole(type) || subscribed === null || (held.version === null && subscribed.has(name))),
  );
  return gone.map(([name]) => name).sort();
}
