import * as fc from 'fast-check';
import {
  freshState,
  isAcked,
  nextResponses,
  noteAnswer,
  noteSent,
  noteSubscription,
  resourceTypes,
  type ProxyState,
  type ResourceType,
  type Shown,
  type ToSend,
  type Wanted,
} from './sequence';

const wanted = (part: Partial<Record<ResourceType, Record<string, string>>>): Wanted => {
  const of = (type: ResourceType): ReadonlyMap<string, string> => new Map(Object.entries(part[type] ?? {}));
  return { clusters: of('clusters'), endpoints: of('endpoints'), listeners: of('listeners'), routes: of('routes') };
};
const calm = { quiet: true, dependent: new Set<string>(), patient: new Set<string>() };
const shown: Shown = { settled: true, drained: true, leaving: new Set(), successors: new Map(), ...calm };

/** An Envoy that answers: which clusters, listeners and routes are live, what it waits for, and every moment at which something live pointed at something missing. */
class FakeEnvoy {
  state: ProxyState = freshState;
  readonly live: Record<ResourceType, Map<string, string>> = {
    clusters: new Map(),
    endpoints: new Map(),
    listeners: new Map(),
    routes: new Map(),
  };
  readonly log: string[] = [];
  readonly broken: string[] = [];
  #nonce = 0;
  /** A route named `r` goes to the cluster that its version names (`c1@...` -> `c1`); listener `l` uses route `r`; cluster `c` has endpoints `c`. */
  constructor(readonly rejects: (send: ToSend) => boolean = () => false) {
    this.state = noteSubscription(this.state, 'clusters', [], [], new Map());
  }
  run(target: Wanted, limit = 200): void {
    for (let turn = 0; turn < limit; turn += 1) {
      const [send] = nextResponses(this.state, target, this.shown(target));
      if (send === undefined) return;
      this.receive(send);
    }
    throw new Error(`it never ends: ${this.log.slice(-6).join(' | ')}`);
  }
  shown(target: Wanted): Shown {
    const settled = [...target.clusters].every(
      ([name, version]) => this.live.clusters.get(name) === version && this.live.endpoints.has(name),
    );
    return { settled, drained: true, leaving: new Set(), successors: new Map(), ...calm };
  }
  receive(send: ToSend): void {
    const nonce = String((this.#nonce += 1));
    this.log.push(`${send.type} +${[...send.added.keys()].join()} -${send.removed.join()}`);
    if (send.added.size > 0 && send.removed.length > 0) this.broken.push('additions and removals in one response');
    this.state = noteSent(this.state, send, nonce);
    const bad = this.rejects(send);
    const added = [...send.added];
    // A NACK is partial application: here the first half is live.
    for (const [name, version] of bad ? added.slice(0, Math.ceil(added.length / 2)) : added) this.live[send.type].set(name, version);
    if (!bad) for (const name of send.removed) this.live[send.type].delete(name);
    this.state = noteAnswer(this.state, send.type, nonce, !bad);
    if (send.type === 'clusters') {
      if (!this.state.listeners.opened) this.state = noteSubscription(this.state, 'listeners', [], [], new Map());
      this.#ask('endpoints', [...this.live.clusters.keys()]);
    }
    if (send.type === 'listeners') this.#ask('routes', [...this.live.listeners.keys()]);
    for (const [route, version] of this.live.routes) {
      const cluster = version.split('@')[0] ?? '';
      if (!this.live.clusters.has(cluster)) this.broken.push(`route ${route} to ${cluster}, which is not there, after ${this.log.at(-1)}`);
      if (!this.live.endpoints.has(cluster))
        this.broken.push(`route ${route} to ${cluster}, which has no endpoints, after ${this.log.at(-1)}`);
    }
  }
  #ask(type: 'endpoints' | 'routes', names: readonly string[]): void {
    const before = this.state[type].subscribed ?? new Set<string>();
    const gone = [...before].filter((name) => !names.includes(name));
    const fresh = names.filter((name) => !before.has(name));
    for (const name of gone) this.live[type].delete(name);
    if (gone.length + fresh.length > 0) this.state = noteSubscription(this.state, type, fresh, gone, new Map());
  }
}
/** A target in which listener and route `l0..` go to clusters. */
const target = (routes: readonly number[], version: string): Wanted => {
  const clusters = Object.fromEntries(routes.map((cluster) => [`c${cluster}`, `v${version}`]));
  return wanted({
    clusters,
    endpoints: Object.fromEntries(routes.map((cluster) => [`c${cluster}`, 'e'])),
    listeners: Object.fromEntries(routes.map((_, index) => [`l${index}`, 'l'])),
    routes: Object.fromEntries(routes.map((cluster, index) => [`l${index}`, `c${cluster}@${version}`])),
  });
};

describe('order', () => {
  test('a first configuration: clusters, endpoints, listeners, routes', () => {
    const envoy = new FakeEnvoy();
    const to = target([1], '1');
    envoy.run(to);
    expect(envoy.log).toEqual(['clusters +c1 -', 'endpoints +c1 -', 'listeners +l0 -', 'routes +l0 -']);
    expect(isAcked(envoy.state, to)).toBe(true);
  });
  test('the first answer of a wildcard type is given even when it is empty: Envoy waits for it', () => {
    const envoy = new FakeEnvoy();
    envoy.run(wanted({}));
    expect(envoy.log).toEqual(['clusters + -', 'listeners + -']);
  });
  test('a new cluster comes before the route to it, an old one goes after', () => {
    const envoy = new FakeEnvoy();
    envoy.run(target([1], '1'));
    envoy.log.length = 0;
    envoy.run(target([2], '1'));
    expect(envoy.log).toEqual(['clusters +c2 -', 'endpoints +c2 -', 'routes +l0 -', 'clusters + -c1']);
    expect([...envoy.live.clusters.keys()]).toEqual(['c2']);
  });
  test('a changed cluster gets its endpoints again, since Envoy does not ask', () => {
    const envoy = new FakeEnvoy();
    envoy.run(target([1], '1'));
    envoy.log.length = 0;
    envoy.run(target([1], '2'));
    expect(envoy.log).toEqual(['clusters +c1 -', 'endpoints +c1 -', 'routes +l0 -']);
  });
  test('endpoints that were on their way when their cluster was sent anew are sent again: they got there first', () => {
    const envoy = new FakeEnvoy();
    envoy.run(target([1], '1'));
    const [clusters] = nextResponses(envoy.state, target([1], '2'), shown);
    if (!clusters) throw new Error('nothing to send');
    let state = noteSent(envoy.state, clusters, 'c2');
    const [endpoints] = nextResponses(state, target([1], '2'), shown);
    expect(endpoints).toMatchObject({ type: 'endpoints', added: new Map([['c1', 'e']]) });
    if (!endpoints) throw new Error('nothing to send');
    state = noteSent(state, endpoints, 'e1');
    state = noteAnswer(state, 'clusters', 'c2', false);
    const [back] = nextResponses(state, target([1], '1'), shown);
    if (!back) throw new Error('nothing to send');
    state = noteAnswer(noteSent(state, back, 'c3'), 'endpoints', 'e1', true);
    expect(nextResponses(state, target([1], '1'), shown)).toMatchObject([{ type: 'endpoints', added: new Map([['c1', 'e']]) }]);
  });
  test('nothing is sent when nothing changed', () => {
    const envoy = new FakeEnvoy();
    envoy.run(target([1, 2], '1'));
    expect(nextResponses(envoy.state, target([1, 2], '1'), shown)).toEqual([]);
  });
  test('listeners and routes wait until clusters are shown to be live, and removals until listeners are drained', () => {
    const envoy = new FakeEnvoy();
    envoy.run(target([1], '1'));
    const to = target([2], '1');
    const [first] = nextResponses(envoy.state, to, { ...shown, settled: false, drained: false });
    if (!first) throw new Error('nothing to send');
    envoy.receive(first);
    const [second] = nextResponses(envoy.state, to, { ...shown, settled: false, drained: false });
    if (!second) throw new Error('nothing to send');
    expect(second.type).toBe('endpoints');
    envoy.receive(second);
    expect(nextResponses(envoy.state, to, { ...shown, settled: false, drained: false })).toEqual([]);
    const [third] = nextResponses(envoy.state, to, { ...shown, settled: true, drained: false });
    if (!third) throw new Error('nothing to send');
    envoy.receive(third);
    expect(nextResponses(envoy.state, to, { ...shown, settled: true, drained: false })).toEqual([]);
    expect(nextResponses(envoy.state, to, shown)).toEqual([{ type: 'clusters', added: new Map(), removed: ['c1'] }]);
  });
  describe('routes that read what a filter of their listener finds out', () => {
    const before = wanted({ clusters: { c: '1' }, endpoints: { c: 'e' }, listeners: { l: '1' }, routes: { l: 'c@1' } });
    const after = wanted({ clusters: { c: '1' }, endpoints: { c: 'e' }, listeners: { l: '2' }, routes: { l: 'c@2' } });
    const settled = (): FakeEnvoy => {
      const envoy = new FakeEnvoy();
      envoy.run(before);
      envoy.log.length = 0;
      return envoy;
    };
    const next = (envoy: FakeEnvoy, more: Partial<Shown>): readonly string[] => {
      const sent = nextResponses(envoy.state, after, { ...shown, ...more });
      for (const send of sent) envoy.receive(send);
      return sent.map(({ type }) => type);
    };
    test('wait, where they change, until no connection is served by older filters', () => {
      const envoy = settled();
      const dependent = new Set(['l']);
      expect(next(envoy, { dependent, quiet: false })).toEqual(['listeners']);
      expect(next(envoy, { dependent, quiet: false })).toEqual([]);
      expect(next(envoy, { dependent, quiet: true })).toEqual(['routes']);
      expect(next(envoy, { dependent, quiet: true })).toEqual([]);
    });
    test('go before a listener that finds out less', () => {
      const envoy = settled();
      const patient = new Set(['l']);
      expect(next(envoy, { patient })).toEqual(['routes']);
      expect(next(envoy, { patient })).toEqual(['listeners']);
      expect(next(envoy, { patient })).toEqual([]);
    });
    test('do not wait where they are new: a listener waits for them to come up', () => {
      const envoy = new FakeEnvoy();
      envoy.run(wanted({}));
      const fresh = { ...shown, quiet: false, dependent: new Set(['l']) };
      for (let turn = 0; turn < 10; turn += 1) for (const send of nextResponses(envoy.state, after, fresh)) envoy.receive(send);
      expect([...envoy.live.routes]).toEqual([['l', 'c@2']]);
    });
  });
  test('a listener that is leaving is not brought back before its address is free', () => {
    const envoy = new FakeEnvoy();
    const to = target([1], '1');
    envoy.run(to);
    envoy.run(wanted({}));
    const [clusters, ...none] = nextResponses(envoy.state, to, { ...shown, leaving: new Set(['l0']) });
    expect([clusters?.type, none]).toEqual(['clusters', []]);
    if (!clusters) throw new Error('nothing to send');
    envoy.receive(clusters);
    envoy.receive(nextResponses(envoy.state, to, shown)[0] ?? clusters);
    expect(nextResponses(envoy.state, to, { ...shown, leaving: new Set(['l0']) })).toEqual([]);
    expect(nextResponses(envoy.state, to, shown)).toMatchObject([{ type: 'listeners' }]);
  });
  test('a name asked for that is not there is said not to be there', () => {
    let state = noteSubscription(freshState, 'endpoints', ['ghost'], [], new Map());
    const [send] = nextResponses(state, wanted({}), shown);
    expect(send).toEqual({ type: 'endpoints', added: new Map(), removed: ['ghost'] });
    if (!send) throw new Error('nothing to send');
    state = noteAnswer(noteSent(state, send, 'n'), 'endpoints', 'n', true);
    expect(nextResponses(state, wanted({}), shown)).toEqual([]);
    expect(nextResponses(state, wanted({ endpoints: { ghost: 'e' } }), shown)).toMatchObject([{ added: new Map([['ghost', 'e']]) }]);
  });
  test('what a proxy brings from an earlier connection without anybody’s word is sent again, and what it should not have is removed', () => {
    let state = noteSubscription(
      freshState,
      'clusters',
      [],
      [],
      new Map([
        ['old', ''],
        ['same', ''],
      ]),
    );
    const [send] = nextResponses(state, wanted({ clusters: { same: 'v' } }), shown);
    expect(send).toMatchObject({ type: 'clusters', added: new Map([['same', 'v']]) });
    if (!send) throw new Error('nothing to send');
    state = noteAnswer(noteSent(state, send, 'n'), 'clusters', 'n', true);
    state = noteSubscription(state, 'listeners', [], [], new Map());
    state = noteAnswer(noteSent(state, { type: 'listeners', added: new Map(), removed: [] }, 'm'), 'listeners', 'm', true);
    expect(nextResponses(state, wanted({ clusters: { same: 'v' } }), shown)).toEqual([
      { type: 'clusters', added: new Map(), removed: ['old'] },
    ]);
  });
  test('what its agent vouches for is not sent again: a proxy that comes back with everything gets nothing at all', () => {
    const all = { clusters: { c: 'v' }, endpoints: { c: 'e' }, listeners: { l: 'v' }, routes: { r: 'v' } };
    const comeBack = (endpoints: string): ProxyState => {
      let state = noteSubscription(freshState, 'clusters', [], [], new Map([['c', 'v']]));
      state = noteSubscription(state, 'listeners', [], [], new Map([['l', 'v']]));
      state = noteSubscription(state, 'endpoints', ['c'], [], new Map([['c', endpoints]]));
      return noteSubscription(state, 'routes', ['r'], [], new Map([['r', 'v']]));
    };
    expect(nextResponses(comeBack('e'), wanted(all), shown)).toEqual([]);
    expect(isAcked(comeBack('e'), wanted(all))).toBe(true);
    expect(nextResponses(comeBack(''), wanted(all), shown)).toEqual([{ type: 'endpoints', added: new Map([['c', 'e']]), removed: [] }]);
    expect(nextResponses(comeBack('older'), wanted(all), shown)).toMatchObject([{ type: 'endpoints' }]);
    // A name asked for again later on the same stream was dropped by Envoy.
    const again = noteSubscription(comeBack('e'), 'endpoints', ['c'], [], new Map());
    expect(nextResponses(again, wanted(all), shown)).toMatchObject([{ type: 'endpoints' }]);
  });
  test('an answer to another response than the last is stale', () => {
    const state = noteSent(
      noteSubscription(freshState, 'clusters', [], [], new Map()),
      { type: 'clusters', added: new Map([['c', 'v']]), removed: [] },
      'new',
    );
    expect(noteAnswer(state, 'clusters', 'old', true)).toBe(state);
  });
});

describe('a NACK', () => {
  test('makes every name of the response unknown: stable is sent again for each, and what may have come is removed', () => {
    const envoy = new FakeEnvoy((send) => send.type === 'clusters' && send.added.has('c3'));
    envoy.run(target([1, 2], '1'));
    const to = target([2, 3], '2'); // c2 changed, c3 new, c1 to go
    const [send] = nextResponses(envoy.state, to, envoy.shown(to));
    if (!send) throw new Error('nothing to send');
    envoy.receive(send); // c2 is live in its new version, c3 is not
    expect(envoy.live.clusters.get('c2')).toBe('v2');
    expect(nextResponses(envoy.state, to, shown)[0]).toMatchObject({ added: send.added }); // nothing of it counts as had
    envoy.log.length = 0;
    envoy.run(target([1, 2], '1'));
    expect(envoy.log).toEqual(['clusters +c2 -', 'endpoints +c2 -', 'clusters + -c3']);
    expect(isAcked(envoy.state, target([1, 2], '1'))).toBe(true);
  });
});

test('whatever the targets and whatever is rejected, nothing live ever points at what is missing, and the last target is reached', () => {
  const routes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(routes, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 12 }), fc.boolean()), {
        minLength: 1,
        maxLength: 6,
      }),
      (moves) => {
        let rejecting = false;
        const envoy = new FakeEnvoy((send) => rejecting && send.type === 'clusters' && send.removed.length === 0);
        let stable = wanted({});
        for (const [list, version, cut, nack] of moves) {
          const to = target(list, String(version));
          rejecting = nack;
          if (nack) {
            for (let turn = 0; turn < cut; turn += 1) {
              const [send] = nextResponses(envoy.state, to, envoy.shown(to));
              if (!send) break;
              envoy.receive(send);
              if (send.type === 'clusters' && send.added.size > 0) break; // the control plane goes back at the first NACK
            }
            rejecting = false;
            envoy.run(stable);
          } else {
            // the target may change at any moment of the way
            for (let turn = 0; turn < cut; turn += 1) {
              const [send] = nextResponses(envoy.state, to, envoy.shown(to));
              if (!send) break;
              envoy.receive(send);
            }
            stable = to;
          }
        }
        envoy.run(stable);
        expect(envoy.broken).toEqual([]);
        for (const type of resourceTypes) expect([type, [...envoy.live[type]].sort()]).toEqual([type, [...stable[type]].sort()]);
      },
    ),
    { numRuns: 300, seed: 7 },
  );
});
