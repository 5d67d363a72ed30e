import { digestOf } from '../lib/digest';
import type { Part } from '../bundle/objects';
import type { ProxyPhase } from '../bundle/status';
import {
  abortRollout,
  advance,
  assign,
  beginRollout,
  hashFraction,
  promoteRollout,
  waitingFor,
  type Observation,
  type RolloutPlan,
  type RolloutProgress,
  type SetName,
} from './rollout';

const plan = (over: Partial<RolloutPlan> = {}): RolloutPlan => ({
  release: digestOf('release'),
  steps: [
    { parts: [{ proxy: 'shop/reviews', part: 'inbound' }], why: 'callees first' },
    { parts: [{ proxy: 'shop/page', part: 'outbound' }], why: 'then callers' },
  ],
  waves: [25, 100],
  holdMs: 0,
  ...over,
});

/** A fleet whose every proxy does what it is told when told to `settle`. */
class Fleet {
  readonly proxies = new Map<
    string,
    { proxy: string; presence: Observation['presence']; sets: Record<Part, SetName>; phases: Record<Part, ProxyPhase>; rejects: boolean }
  >();
  constructor(readonly concerned: (proxy: string, part: Part) => boolean) {}
  add(instance: string, proxy: string, presence: Observation['presence'] = 'connected'): void {
    this.proxies.set(instance, {
      proxy,
      presence,
      sets: { inbound: 'stable', outbound: 'stable' },
      phases: { inbound: 'active', outbound: 'active' },
      rejects: false,
    });
  }
  get(instance: string) {
    const found = this.proxies.get(instance);
    if (!found) throw new Error(`no ${instance}`);
    return found;
  }
  observe(): readonly Observation[] {
    return [...this.proxies].map(([instance, p]) => ({
      instance,
      identity: `spiffe://td/${p.proxy}/${instance}`,
      proxy: p.proxy,
      presence: p.presence,
      lastError: p.rejects ? 'unknown cluster' : null,
      parts: {
        inbound: { concerned: this.concerned(p.proxy, 'inbound'), set: p.sets.inbound, phase: p.phases.inbound },
        outbound: { concerned: this.concerned(p.proxy, 'outbound'), set: p.sets.outbound, phase: p.phases.outbound },
      },
    }));
  }
  obey(assigned: ReturnType<typeof assign>): void {
    for (const [instance, sets] of assigned) {
      const p = this.get(instance);
      for (const part of ['inbound', 'outbound'] as const) {
        if (p.sets[part] === sets[part]) continue;
        p.sets[part] = sets[part];
        p.phases[part] = 'sent';
      }
    }
  }
  settle(instance: string): void {
    const p = this.get(instance);
    if (p.presence !== 'connected') return;
    for (const part of ['inbound', 'outbound'] as const) {
      if (p.phases[part] !== 'active') p.phases[part] = p.rejects && p.sets[part] === 'candidate' ? 'rejected' : 'active';
    }
  }
  moved(part: Part): string[] {
    return [...this.proxies]
      .filter(([, p]) => p.sets[part] === 'candidate')
      .map(([instance]) => instance)
      .sort();
  }
}
const both = (proxy: string, part: Part): boolean =>
  proxy === 'shop/reviews' ? part === 'inbound' : proxy === 'shop/page' && part === 'outbound';

/** Advances and carries out until nothing changes. */
function turn(p: RolloutPlan, progress: RolloutProgress, fleet: Fleet, now = 0): RolloutProgress {
  for (let i = 0; i < 50; i += 1) {
    const next = advance(p, progress, fleet.observe(), now);
    fleet.obey(assign(p, next, fleet.observe()));
    if (next === progress) return next;
    progress = next;
  }
  throw new Error('does not come to rest');
}

describe('the order', () => {
  test('a wave is a percentage of the step, rounded up, and the next step waits until the whole step is active', () => {
    const fleet = new Fleet(both);
    for (let i = 0; i < 5; i += 1) fleet.add(`reviews-${i}`, 'shop/reviews');
    for (let i = 0; i < 2; i += 1) fleet.add(`page-${i}`, 'shop/page');
    let progress = turn(plan(), beginRollout(plan(), 0), fleet);
    expect(fleet.moved('inbound')).toHaveLength(2); // 25 % of 5
    expect(fleet.moved('outbound')).toEqual([]);
    for (const name of fleet.moved('inbound')) fleet.settle(name);
    progress = turn(plan(), progress, fleet);
    expect(fleet.moved('inbound')).toHaveLength(5);
    expect(fleet.moved('outbound')).toEqual([]);
    for (const name of fleet.proxies.keys()) fleet.settle(name);
    progress = turn(plan(), progress, fleet);
    expect(fleet.moved('outbound')).toHaveLength(1); // 25 % of 2
    for (const name of fleet.proxies.keys()) fleet.settle(name);
    progress = turn(plan(), progress, fleet);
    for (const name of fleet.proxies.keys()) fleet.settle(name);
    expect(turn(plan(), progress, fleet).phase.kind).toBe('converged');
  });

  test('a part that no step names moves in the last step', () => {
    const fleet = new Fleet(() => true);
    fleet.add('other-0', 'shop/other');
    fleet.add('reviews-0', 'shop/reviews');
    const p = plan({ waves: [100] });
    const progress = turn(p, beginRollout(p, 0), fleet);
    expect(fleet.moved('inbound')).toEqual(['reviews-0']);
    fleet.settle('reviews-0');
    turn(p, progress, fleet);
    expect(fleet.get('other-0').sets).toEqual({ inbound: 'candidate', outbound: 'candidate' });
  });

  test('a hold lasts as long as the plan says, and not after the last wave', () => {
    const fleet = new Fleet(both);
    for (let i = 0; i < 4; i += 1) fleet.add(`page-${i}`, 'shop/page');
    const p = plan({ steps: [{ parts: [{ proxy: 'shop/page', part: 'outbound' }], why: '' }], holdMs: 1000 });
    let progress = turn(p, beginRollout(p, 0), fleet, 10);
    fleet.settle(fleet.moved('outbound')[0] ?? '');
    progress = turn(p, progress, fleet, 20);
    expect(progress.phase).toEqual({ kind: 'holding', step: 0, wave: 0, until: 1020 });
    expect(turn(p, progress, fleet, 1019)).toBe(progress);
    progress = turn(p, progress, fleet, 1020);
    expect(fleet.moved('outbound')).toHaveLength(4);
    for (const name of fleet.proxies.keys()) fleet.settle(name);
    expect(turn(p, progress, fleet, 1021).phase).toEqual({ kind: 'converged', at: 1021 });
  });
});

describe('who holds a wave', () => {
  const one = plan({ steps: [{ parts: [{ proxy: 'shop/page', part: 'outbound' }], why: '' }], waves: [100] });

  test('a disconnected proxy holds it until its certificate has lapsed', () => {
    const fleet = new Fleet(both);
    fleet.add('page-0', 'shop/page');
    fleet.add('page-1', 'shop/page', 'unknown');
    let progress = turn(one, beginRollout(one, 0), fleet);
    fleet.settle('page-0');
    progress = turn(one, progress, fleet);
    expect(progress.phase.kind).toBe('rolling');
    expect(waitingFor(one, progress, fleet.observe())).toEqual([
      { instance: 'page-1', why: 'is disconnected and its certificate has not lapsed' },
    ]);
    fleet.get('page-1').presence = 'absent';
    expect(turn(one, progress, fleet).phase.kind).toBe('converged');
  });

  test('no proxy is unproven, and rolling starts when one comes', () => {
    const fleet = new Fleet(both);
    let progress = turn(one, beginRollout(one, 0), fleet);
    expect(progress.phase.kind).toBe('unproven');
    fleet.add('page-0', 'shop/page', 'absent');
    progress = turn(one, progress, fleet);
    expect(progress.phase.kind).toBe('unproven');
    fleet.get('page-0').presence = 'connected';
    progress = turn(one, progress, fleet);
    fleet.settle('page-0');
    expect(turn(one, progress, fleet).phase.kind).toBe('converged');
  });

  test('a release that concerns nobody who is there has converged', () => {
    const fleet = new Fleet(() => false);
    fleet.add('page-0', 'shop/page');
    expect(turn(one, beginRollout(one, 7), fleet, 7).phase).toEqual({ kind: 'converged', at: 7 });
    expect(fleet.get('page-0').sets.inbound).toBe('candidate');
  });

  test('a joiner takes candidate when the hash of its identity is below the percentage', () => {
    const fleet = new Fleet(both);
    fleet.add('page-0', 'shop/page');
    const p = plan({ steps: one.steps, waves: [30, 100] });
    const progress = turn(p, beginRollout(p, 0), fleet);
    for (let i = 1; i < 40; i += 1) fleet.add(`page-${i}`, 'shop/page');
    turn(p, progress, fleet);
    for (let i = 1; i < 40; i += 1) {
      const expected = hashFraction(`spiffe://td/shop/page/page-${i}`) * 100 < 30 ? 'candidate' : 'stable';
      expect([i, fleet.get(`page-${i}`).sets.outbound]).toEqual([i, expected]);
    }
  });
});

describe('the ends', () => {
  test('a rejection brings everything back to stable and names the proxy and its reason', () => {
    const fleet = new Fleet(both);
    for (let i = 0; i < 4; i += 1) fleet.add(`reviews-${i}`, 'shop/reviews');
    let progress = turn(plan(), beginRollout(plan(), 0), fleet);
    const [first] = fleet.moved('inbound');
    if (first === undefined) throw new Error('nobody moved');
    fleet.get(first).rejects = true;
    fleet.settle(first);
    progress = turn(plan(), progress, fleet, 3);
    expect(progress.phase).toEqual({ kind: 'aborted', at: 3, reason: `\`${first}\` rejected its inbound configuration: unknown cluster` });
    expect(fleet.moved('inbound')).toEqual([]);
  });

  test('promote drops waves and holds, and keeps the steps', () => {
    const fleet = new Fleet(both);
    for (let i = 0; i < 4; i += 1) fleet.add(`reviews-${i}`, 'shop/reviews');
    fleet.add('page-0', 'shop/page');
    const p = plan({ holdMs: 1e9 });
    let progress = promoteRollout(p, turn(p, beginRollout(p, 0), fleet));
    progress = turn(p, progress, fleet);
    expect(fleet.moved('inbound')).toHaveLength(4);
    expect(fleet.moved('outbound')).toEqual([]);
    for (const name of fleet.proxies.keys()) fleet.settle(name);
    progress = turn(p, progress, fleet);
    expect(fleet.moved('outbound')).toEqual(['page-0']);
  });

  test('abort after the end changes nothing', () => {
    const done: RolloutProgress = { ...beginRollout(plan(), 0), phase: { kind: 'converged', at: 1 } };
    expect(abortRollout(done, 'late', 2)).toBe(done);
  });
});

/** mulberry32: a small seeded generator. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('simulation', () => {
  test.each(Array.from({ length: 150 }, (_, seed) => seed))(
    'seed %i: drops, restarts, joiners and rejections never break an invariant, and it ends',
    (seed) => {
      const next = random(seed);
      const fleet = new Fleet(both);
      const size = 1 + Math.floor(next() * 12);
      for (let i = 0; i < size; i += 1) fleet.add(`p-${i}`, next() < 0.5 ? 'shop/reviews' : next() < 0.8 ? 'shop/page' : 'shop/idle');
      const bad = next() < 0.3;
      const p = plan({ waves: next() < 0.5 ? [10, 50, 100] : [100], holdMs: next() < 0.5 ? 30 : 0 });
      let progress = beginRollout(p, 0);
      let now = 0;
      let joined = 0;
      for (let tick = 0; tick < 2000 && progress.phase.kind !== 'converged' && progress.phase.kind !== 'aborted'; tick += 1) {
        now += 1 + Math.floor(next() * 10);
        const names = [...fleet.proxies.keys()];
        const name = names[Math.floor(next() * names.length)] ?? '';
        const dice = next();
        const chosen = fleet.get(name);
        if (dice < 0.08) chosen.presence = 'unknown';
        else if (dice < 0.12) chosen.presence = 'absent';
        else if (dice < 0.16 && joined < 5) fleet.add(`joiner-${(joined += 1)}`, next() < 0.5 ? 'shop/reviews' : 'shop/page');
        else if (dice < 0.18 && tick > 20 && fleet.proxies.size > 1) fleet.proxies.delete(name);
        else if (dice < 0.5 && chosen.presence !== 'connected') {
          chosen.presence = 'connected'; // a restart: what it had is asked for again
          chosen.phases = { inbound: 'sent', outbound: 'sent' };
        } else if (bad && dice < 0.53) chosen.rejects = true;
        else fleet.settle(name);

        const movedBefore = new Set([...fleet.moved('inbound'), ...fleet.moved('outbound')]);
        const kindBefore = progress.phase.kind;
        progress = advance(p, JSON.parse(JSON.stringify(progress)), fleet.observe(), now);
        fleet.obey(assign(p, progress, fleet.observe()));
        const { phase } = progress;
        if (phase.kind === 'rolling' || phase.kind === 'holding') {
          // nobody who moved goes back unless everybody does
          if (kindBefore !== 'unproven')
            for (const moved of movedBefore)
              if (fleet.proxies.has(moved)) expect([...fleet.moved('inbound'), ...fleet.moved('outbound')]).toContain(moved);
          // no caller gets its new routes before every callee that is there has its new access
          if (phase.step === 0)
            expect(fleet.observe().filter((o) => o.proxy === 'shop/page' && o.parts.outbound.set === 'candidate')).toEqual([]);
        }
        if (phase.kind === 'aborted') expect([...fleet.moved('inbound'), ...fleet.moved('outbound')]).toEqual([]);
        if (phase.kind === 'converged') {
          for (const seen of fleet.observe()) {
            if (seen.presence !== 'connected') continue;
            for (const part of ['inbound', 'outbound'] as const)
              if (seen.parts[part].concerned) expect([seen.instance, seen.parts[part].set]).toEqual([seen.instance, 'candidate']);
          }
        }
      }
      if (!bad) expect(progress.phase.kind === 'aborted').toBe(false);
      expect(['converged', 'aborted', 'unproven', 'rolling', 'holding']).toContain(progress.phase.kind);
      // left alone, it ends
      for (let i = 0; i < 400 && progress.phase.kind !== 'converged' && progress.phase.kind !== 'aborted'; i += 1) {
        now += 31;
        for (const [name, proxy] of fleet.proxies) {
          proxy.presence = 'connected';
          fleet.settle(name);
        }
        progress = advance(p, progress, fleet.observe(), now);
        fleet.obey(assign(p, progress, fleet.observe()));
      }
      expect(['converged', 'aborted']).toContain(progress.phase.kind);
    },
  );
});
